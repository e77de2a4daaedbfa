/**
 * The kinds of work that a soak mixes: everything that leaves something behind if it is not tidied up.
 *
 * Each kind starts one run, uses it as a host would, and says how it has to end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineWorkflow, type Orchestrator, type Run, task } from '@taskmaster-ai/orchestrator';

/** A run, and how it has to end. */
export interface Started {
  readonly run: Run<unknown>;
  readonly expected: 'completed' | 'failed' | 'cancelled';
}

export type Kind = (orchestrator: Orchestrator, number: number) => Promise<Started>;

const completed = (run: Run<unknown>): Started => ({ run, expected: 'completed' });

const chain = (() => {
  const first = task('a', { run: () => new Map([['at', new Date(1)]]) });
  const second = task('b', { dependencies: { first }, run: ({ dependencies }) => dependencies.first.size });
  return defineWorkflow('chain', {
    tasks: [first, second, task('c', { dependencies: { second }, run: () => 1n << 70n })],
  });
})();

const fan = defineWorkflow('fan', {
  failurePolicy: 'continue',
  tasks: Array.from({ length: 12 }, (_, i) =>
    task(`f${i}`, {
      priority: i % 5,
      agentAssigned: `agent-${i % 3}`,
      resourceRequirements: { cpu: 1 },
      locks: i % 4 === 0 ? ['shared'] : [],
      retry: { maxAttempts: 3, delay: 1 },
      run: async ({ attempt, progress }) => {
        progress({ attempt });
        if (i % 3 === 0 && attempt < 2) throw new Error('at first it fails');
        await sleep(1);
        return new Uint8Array(64);
      },
    }),
  ),
});

const failing = defineWorkflow('failing', {
  tasks: [
    task('a', {
      run: () => {
        throw new TypeError('it always fails', { cause: new Error('for a reason') });
      },
    }),
    task('b', { dependencies: ['a'], run: () => 1 }),
  ],
});

const slow = defineWorkflow('slow', {
  tasks: [
    task('wait', {
      timeout: '1m',
      heartbeatTimeout: '1m',
      run: ({ clock, heartbeat, signal }) => {
        heartbeat();
        signal.addEventListener('abort', () => {}, { once: true });
        return clock.sleep(60_000);
      },
    }),
  ],
});

const late = defineWorkflow('late', {
  tasks: [task('late', { timeout: 5, run: ({ clock }) => clock.sleep(60_000) })],
});

const nested = defineWorkflow('nested', {
  tasks: Array.from({ length: 4 }, (_, i) =>
    task(`n${i}`, {
      run: async ({ locks }) => {
        const held = await locks.acquire(`row-${i % 2}`);
        await sleep(1);
        held.release();
        return 'x'.repeat(500);
      },
    }),
  ),
});

/** By name, so that a count of each can be told. */
export const KINDS: Readonly<Record<string, Kind>> = {
  chain: async (o) => completed(await o.manageWorkflow(chain)),
  fan: async (o) => completed(await o.manageWorkflow(fan)),
  failing: async (o) => ({ run: await o.manageWorkflow(failing), expected: 'failed' }),
  nested: async (o) => completed(await o.manageWorkflow(nested)),
  late: async (o) => ({ run: await o.manageWorkflow(late), expected: 'failed' }),
  cancelled: async (o) => {
    const run = await o.manageWorkflow(slow);
    await sleep(2);
    run.explain('wait');
    await run.cancel('enough');
    return { run, expected: 'cancelled' };
  },
  keyed: async (o, number) => {
    const key = `key-${process.pid}-${number}`;
    const [run, same] = await Promise.all([
      o.manageWorkflow(chain, { key }),
      o.manageWorkflow(chain, { key }),
    ]);
    if (run.runId !== same.runId) throw new Error(`two runs under ${key}`);
    return completed(run);
  },
  paused: async (o) => {
    const run = await o.manageWorkflow(fan);
    await run.pause();
    o.scheduler.pause({ runId: run.runId });
    await sleep(1);
    o.scheduler.resume({ runId: run.runId });
    await run.resume();
    return completed(run);
  },
  watched: async (o) => {
    const stop = o.on('TaskCompleted', () => {});
    const run = await o.manageWorkflow(chain, { attributes: { watched: true } });
    let events = 0;
    for await (const _ of run.events()) events++;
    stop();
    if (events < 8) throw new Error(`only ${events} events`);
    return completed(run);
  },
  left: async (o) => {
    // A reader that goes before the end.
    const run = await o.manageWorkflow(fan);
    for await (const event of run.events()) if (event.seq > 3) break;
    return completed(run);
  },
  again: async (o) => {
    const run = await o.manageWorkflow(failing);
    await run.settled();
    return { run: await run.retry(), expected: 'failed' };
  },
  claimed: async (o) => {
    const grant = await o.resources.allocateResource({ cpu: 1 }, { priority: 1 });
    const run = await o.manageWorkflow(fan);
    grant.release();
    return completed(run);
  },
};
