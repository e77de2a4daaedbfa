import { executorSuite } from '@taskmaster-ai/orchestrator/testing';
import { describe, it } from 'vitest';
import type { Executor, Invocation, ReportOutcome } from '../../src/ports/executor.ts';
import { ISOLATIONS, needsThreads, noThreads, WorkerBench } from '../support/workers.ts';

/** The suite names handlers only; here each is an export of one module. */
class SuiteExecutor implements Executor {
  readonly #bench: WorkerBench;
  readonly #sent = new Map<Invocation, Invocation>();

  constructor(bench: WorkerBench) {
    this.#bench = bench;
  }

  get capabilities(): Executor['capabilities'] {
    return this.#bench.executor.capabilities;
  }

  submit(invocations: readonly Invocation[], report: ReportOutcome): void {
    const { module, executor } = this.#bench;
    const sent = invocations.map((invocation) => {
      const handler = { kind: 'worker', name: invocation.handler.name, module } as Invocation['handler'];
      const one: Invocation = { ...invocation, handler, run: undefined, within: (call) => call(one) };
      this.#sent.set(invocation, one);
      return one;
    });
    executor.submit(sent, (one, outcome) => report(invocations[sent.indexOf(one)] as Invocation, outcome));
  }

  cancel(invocation: Invocation, reason: unknown): void {
    this.#bench.executor.cancel(this.#sent.get(invocation) as Invocation, reason);
  }

  close(): Promise<void> {
    return this.#bench.close();
  }
}

describe.skipIf(noThreads !== undefined)(needsThreads('WorkerExecutor'), () => {
  for (const isolation of ISOLATIONS) {
    describe(isolation, () => {
      executorSuite(() => new SuiteExecutor(new WorkerBench({ file: 'suite.mjs', isolation, threads: 2 })), {
        describe,
        it,
      });
    });
  }
});
