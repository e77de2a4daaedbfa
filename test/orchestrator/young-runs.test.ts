/**
 * What ended runs leave behind. A collection of young objects, which is the cheap one, is to free a run that nobody
 * holds any more: what it takes for alive is copied, kept, and freed by a full collection only.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { defineWorkflow, Orchestrator, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it, onTestFinished } from 'vitest';

/** More listed tasks than that have their outputs gathered when they are looked at. */
const TASKS = 300;
const CHARACTERS = 3_000;

const wide = () =>
  defineWorkflow('wide', {
    tasks: Array.from({ length: TASKS }, (_, i) =>
      task(`task-${i}`, { run: () => String(i).padEnd(CHARACTERS, 'x') }),
    ),
  });

async function open(): Promise<Orchestrator> {
  const host = await Orchestrator.open();
  onTestFinished(() => host.close());
  return host;
}

describe('a run that has ended and was released', () => {
  it('is freed by a collection of young objects, with its outputs and its definition', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;
    const host = await open();
    const one = async (): Promise<void> => {
      const run = await host.manageWorkflow(wide());
      await run.result();
      await run.release();
    };
    for (let i = 0; i < 10; i++) await one();
    collect();
    const before = process.memoryUsage().heapUsed;
    const rounds = 30;
    for (let i = 0; i < rounds; i++) {
      await one();
      collect({ type: 'minor' });
    }
    const kept = process.memoryUsage().heapUsed - before;
    expect(kept).toBeLessThan((rounds * TASKS * CHARACTERS) / 9);
  });
});

describe('the outputs of a run with very many tasks', () => {
  it('are a property like any other, gathered once', async () => {
    const host = await open();
    const run = await host.manageWorkflow(wide());
    const result = await run.result();
    const settled = await run.settled();
    expect(Object.keys(result)).toEqual(['runId', 'status', 'outputs']);
    expect(Object.keys(settled).sort()).toEqual(['error', 'failures', 'outputs', 'runId', 'status']);
    expect(Object.keys(result.outputs)).toHaveLength(TASKS);
    expect(result.outputs).toBe(result.outputs);
    expect({ ...result }).toEqual(result);
    expect(JSON.parse(JSON.stringify(result)).outputs['task-7']).toBe('7'.padEnd(CHARACTERS, 'x'));
    expect(new Proxy(result, {}).outputs).toBe(result.outputs);
    expect(Object.create(settled).outputs).toEqual(result.outputs);
  });
});
