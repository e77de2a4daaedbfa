import { executorSuite } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { InlineExecutor } from '../../src/adapters/inline/inline-executor.ts';
import type { AnyHandler } from '../../src/model/handler.ts';
import type { Invocation, Outcome } from '../../src/ports/executor.ts';

function invoke(run: AnyHandler): Outcome[] {
  const invocation: Invocation = {
    runId: 'r',
    path: 'a',
    attempt: 1,
    handler: { kind: 'inline', name: 'w/a' },
    run,
    context: {} as Invocation['context'],
    within: (call) => call(invocation),
  };
  const outcomes: Outcome[] = [];
  new InlineExecutor().submit([invocation], (_, outcome) => outcomes.push(outcome));
  return outcomes;
}

describe('InlineExecutor', () => {
  executorSuite(() => new InlineExecutor(), { describe, it });

  it('reports a plain value during the call', () => {
    expect(invoke(() => 7)).toEqual([{ ok: true, output: 7 }]);
  });

  it('survives a thenable that throws, and one that answers at once', () => {
    const broken = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable of the host's own is what is tested
      then: () => {
        throw new Error('no promise after all');
      },
    };
    expect(invoke(() => broken)).toMatchObject([{ ok: false, thrown: { message: 'no promise after all' } }]);
    // biome-ignore lint/suspicious/noThenProperty: a thenable of the host's own is what is tested
    expect(invoke(() => ({ then: (resolve: (value: number) => void) => resolve(3) }))).toEqual([
      { ok: true, output: 3 },
    ]);
  });
});
