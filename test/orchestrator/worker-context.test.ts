/** The async context on the way into threads and processes, and in them. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  defineWorkflow,
  type Logger,
  Orchestrator,
  type OrchestratorOptions,
  type RunOn,
  task,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { logOf, ofType } from '../support/run-log.ts';
import { needsThreads, noThreads } from '../support/workers.ts';

const url = new URL('../support/handlers/context.mjs', import.meta.url);
const PLACES = ['inline', 'worker', 'process'] as const satisfies readonly RunOn[];

/** Who asked, as a server would keep it for each request. */
const request = new AsyncLocalStorage<string>();

async function open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), cancelGrace: '1s', ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

/** Tasks of the handlers, each after the one before it, in one thread. */
function chain(runOn: RunOn, steps: readonly (readonly [handler: string, inputData?: unknown])[]) {
  const handlers = workerHandlers(url, { threads: 1 });
  let last: string[] = [];
  return steps.map(([handler, inputData], i) => {
    const id = `${i}-${handler}`;
    const made = task(id, { handler: handlers[handler as 'look'], runOn, inputData, dependencies: last });
    last = [id];
    return made;
  });
}

describe.skipIf(noThreads !== undefined)(needsThreads('the async context of a call in a worker'), () => {
  it.each(PLACES)('%s: is left to no other call, nor does the module leave one', async (runOn) => {
    const orchestrator = await open();
    const tasks = chain(runOn, [
      ['look'],
      ['enter', 'by one'],
      ['look'],
      ['enterLater'],
      ['look'],
      ['enter', 'by another'],
      ['look'],
    ]);

    const { outputs } = await (
      await orchestrator.manageWorkflow(defineWorkflow('left', { tasks } as never))
    ).result();

    expect(Object.values(outputs as object)).toEqual([
      undefined,
      'by one',
      undefined,
      ['entered later', 'entered later still'],
      undefined,
      'by another',
      undefined,
    ]);
  });

  it.each(PLACES)('%s: is its own after every wait, and in what it is told', async (runOn) => {
    const orchestrator = await open();
    await orchestrator.concurrency.acquireLock('taken');
    const handlers = workerHandlers(url, { threads: 1 });
    const keeps = task('keeps', { handler: handlers.keeps, runOn, inputData: 'mine', timeout: '1m' });

    const run = await request.run('ada', () => orchestrator.scheduleTask(keeps));
    await run.settled();

    const told = ofType(await logOf(run), 'TaskProgressed').map(({ progress }) => progress);
    const heard = ['sleep', 'lock', 'real', 'refused', 'lock lost', 'lease over', 'stopped'];
    const mine = heard.map((what) => `${what}: mine`);
    // Heard where the signal was asked for: before the handler had entered its own.
    mine.splice(6, 0, 'abort: undefined');
    expect(told).toEqual([1, mine]);
  });

  it.each(['worker', 'process'] as const)(
    '%s: is not that of a call which is executed beside it',
    async (runOn) => {
      const orchestrator = await open();
      const handlers = workerHandlers(url, { threads: 1, handlers: { meets: { concurrent: 4 } } });
      const ids = ['a', 'b', 'c', 'd'];
      const tasks = ids.map((id) => task(id, { handler: handlers.meets, runOn, inputData: id }));

      const { outputs } = await (
        await orchestrator.manageWorkflow(defineWorkflow('met', { tasks }))
      ).result();

      expect(outputs).toEqual({ a: ['a'], b: ['b'], c: ['c'], d: ['d'] });
    },
  );

  it.each(PLACES)('%s: is that of the run for all that the host does for it', async (runOn) => {
    const seen: unknown[] = [];
    const note = (what: string) => () => seen.push([what, request.getStore()]);
    const line: Logger['info'] = (_, message) => message === 'working' && note('log')();
    const logger: Logger = { debug: line, info: line, warn: line, error: line };
    const orchestrator = await open({ logger });
    orchestrator.on('TaskProgressed', note('listener'));
    await orchestrator.concurrency.acquireLock('taken');
    const handlers = workerHandlers(url, { threads: 1 });
    const retry = {
      maxAttempts: 2,
      delay: '1s',
      retryOn: () => seen.push(['retryOn', request.getStore()]) > 0,
    };
    const keeps = task('keeps', { handler: handlers.keeps, runOn, timeout: '1m', retry });
    const after = task('after', { dependencies: [keeps], when: () => false, run: () => 1 });

    const run = await request.run('ada', () =>
      orchestrator.manageWorkflow(defineWorkflow('seen', { tasks: [keeps, after] })),
    );
    await run.settled();

    const all = seen.map((one) => JSON.stringify(one));
    expect([...new Set(all)].sort()).toEqual(
      ['["listener",null]', '["log","ada"]', '["retryOn","ada"]'].sort(),
    );
  });
});
