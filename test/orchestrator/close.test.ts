import {
  defineWorkflow,
  MemoryStore,
  Orchestrator,
  OrchestratorError,
  task,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { canRunPrograms, runProgram } from '../support/child-program.ts';
import { rejection } from '../support/errors.ts';
import { nextTurn } from '../support/gate.ts';
import { logOf } from '../support/run-log.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

/** A workflow of one task that sleeps. */
function sleeping(ms: number) {
  return defineWorkflow('sleeping', {
    tasks: [task('sleep', { run: ({ clock }) => clock.sleep(ms).then(() => 'slept') })],
  });
}

describe('the event loop of the host', () => {
  it('gets its turns although a wave of handlers that return at once is long', async () => {
    const orchestrator = await Orchestrator.open();
    let turns = 0;
    let turn: NodeJS.Immediate | undefined;
    const count = (): void => {
      turns++;
      turn = setImmediate(count);
    };
    const busy = (): void => {
      const until = performance.now() + 2;
      while (performance.now() < until);
    };
    const tasks = Array.from({ length: 100 }, (_, i) => task(`t${i}`, { run: busy }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('wave', { tasks }));
    turn = setImmediate(count);
    await run.result();
    clearImmediate(turn);
    await orchestrator.close();

    // 200 ms of work: a turn at least every 50 ms, whatever the speed of the machine.
    expect(turns).toBeGreaterThanOrEqual(4);
  });
});

describe('close', () => {
  it('of an idle orchestrator takes no time', async () => {
    const { orchestrator, clock } = await openStill();
    await (await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [] }))).result();

    await orchestrator.close();

    expect(clock.now()).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('lets running handlers end within the grace, and their results count', async () => {
    const { orchestrator, clock } = await openVirtual();
    const run = await orchestrator.manageWorkflow(sleeping(4_000));

    await orchestrator.close({ grace: '5s' });

    expect(clock.now()).toBe(4_000);
    expect((await run.result()).outputs.sleep).toBe('slept');
    expect(clock.pending).toBe(0);
  });

  it('starts nothing new, not even what a finished task made ready', async () => {
    const { orchestrator } = await openVirtual();
    let started = false;
    const first = task('first', { run: ({ clock }) => clock.sleep(100) });
    const second = task('second', {
      dependencies: { first },
      run: () => {
        started = true;
      },
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('two', { tasks: [first, second] }));

    const closing = orchestrator.close();
    // Whoever asks for more meanwhile is refused, and cannot let tasks start again.
    expect((await rejection(orchestrator.manageWorkflow(sleeping(1)))).code).toBe('ORCHESTRATOR_CLOSED');
    orchestrator.resume();
    await closing;

    expect(started).toBe(false);
    expect((await rejection(run.result())).code).toBe('ORCHESTRATOR_CLOSED');
    const settled = await run.settled();
    expect([settled.status, settled.outputs]).toEqual(['lost', { first: undefined }]);
  });

  it('does not wait when the last thing was a command that changed nothing', async () => {
    const { orchestrator, clock } = await openStill({ resources: { cpu: 1 } });
    const blocked = task('blocked', { resourceRequirements: { cpu: 1 }, run: () => undefined });
    orchestrator.pause();
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [blocked] }));

    const resumed = run.resume();
    await orchestrator.close({ grace: '10s' });

    expect(await resumed).toBe(true);
    expect(clock.now()).toBe(0);
  });

  it('tells whoever waits for a store that never answers', async () => {
    const store = new MemoryStore();
    store.append = () => new Promise<void>(() => {});
    const orchestrator = await Orchestrator.open({ store });
    const started = rejection(orchestrator.manageWorkflow(sleeping(1)));

    await orchestrator.close({ grace: 0 });

    expect((await started).code).toBe('ORCHESTRATOR_CLOSED');
  });

  it('tells handlers that take longer than the grace to stop, and ends', async () => {
    const { orchestrator, clock } = await openVirtual();
    let reason: unknown;
    const long = task('long', {
      run: async ({ clock: time, signal }) => {
        try {
          await time.sleep('10h');
        } finally {
          reason = signal.reason;
        }
      },
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('long', { tasks: [long] }));
    const result = rejection(run.result());

    await orchestrator.close({ grace: '2s' });

    expect(OrchestratorError.is(reason, 'ORCHESTRATOR_CLOSED')).toBe(true);
    expect((await result).code).toBe('ORCHESTRATOR_CLOSED');
    expect(clock.now()).toBeLessThanOrEqual(3_000);
    expect(clock.pending).toBe(0);
  });

  it('does not wait for a handler that ignores its signal', async () => {
    const { orchestrator, clock } = await openVirtual();
    const deaf = task('deaf', { run: () => new Promise(() => {}) });
    const run = await orchestrator.manageWorkflow(defineWorkflow('deaf', { tasks: [deaf] }));

    await orchestrator.close({ grace: '2s' });

    expect(clock.now()).toBeLessThanOrEqual(3_000);
    expect((await rejection(run.result())).code).toBe('ORCHESTRATOR_CLOSED');
  });

  it('with no grace waits for nobody, also when time stands still', async () => {
    const { orchestrator, clock } = await openStill();
    const run = await orchestrator.manageWorkflow(sleeping(1_000));

    await orchestrator.close({ grace: 0 });

    expect(clock.now()).toBe(0);
    expect((await rejection(run.result())).code).toBe('ORCHESTRATOR_CLOSED');
    // Nothing is left that could ring later.
    expect(clock.pending).toBe(0);
  });

  it('leaves an attempt that it cut off as it was: not failed, not recorded', async () => {
    const store = new MemoryStore();
    const clock = new VirtualClock();
    const first = await Orchestrator.open({ store, clock });
    const run = await first.manageWorkflow(sleeping(100));
    await first.close({ grace: 0 });
    await nextTurn();

    const types = await store.read({ stream: `run:${run.runId}`, fromSeq: 1, limit: 100 });
    expect(types.map((record) => record.type)).toEqual(['RunCreated', 'RunStarted', 'TaskStarted']);

    // The next owner of the store goes on where it was.
    const second = await Orchestrator.open({ store, clock, workflows: [sleeping(100)] });
    expect((await second.getRun(run.runId).result()).outputs).toEqual({ sleep: 'slept' });
    await second.close();
  });

  it('gives the same promise to everybody who asks', async () => {
    const { orchestrator } = await openVirtual();
    await orchestrator.manageWorkflow(sleeping(100));

    const first = orchestrator.close();
    const second = orchestrator.close({ grace: 0 });
    await Promise.all([first, second]);

    expect(second).toBe(first);
    expect(orchestrator.close()).toBe(first);
  });

  it('from a handler is refused with SELF_WAIT, and the orchestrator stays open', async () => {
    const { orchestrator } = await openVirtual();
    const selfish = task('selfish', { run: async () => (await rejection(orchestrator.close())).code });

    const run = await orchestrator.manageWorkflow(defineWorkflow('selfish', { tasks: [selfish] }));

    expect((await run.result()).outputs.selfish).toBe('SELF_WAIT');
    expect((await (await orchestrator.manageWorkflow(sleeping(1))).result()).status).toBe('completed');
  });

  it('of another orchestrator may be called from a handler', async () => {
    const { orchestrator } = await openVirtual();
    const nested = task('nested', {
      run: async () => {
        const inner = await Orchestrator.open({ clock: new VirtualClock() });
        try {
          return (await (await inner.manageWorkflow(sleeping(10))).result()).outputs.sleep;
        } finally {
          await inner.close();
        }
      },
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('nested', { tasks: [nested] }));

    expect((await run.result()).outputs.nested).toBe('slept');
  });

  it('ends the waits of the host for locks and resources, and refuses new ones', async () => {
    const { orchestrator } = await openVirtual({ resources: { gpu: 1 } });
    const lock = await orchestrator.concurrency.acquireLock('door');
    const gpu = await orchestrator.resources.allocateResource({ gpu: 1 });
    const waits = [
      rejection(orchestrator.concurrency.acquireLock('door')),
      rejection(orchestrator.concurrency.acquireLock('door', { timeout: '1h' })),
      rejection(orchestrator.resources.allocateResource({ gpu: 1 })),
    ];

    await orchestrator.close();

    for (const wait of waits) expect((await wait).code).toBe('ORCHESTRATOR_CLOSED');
    const late = await rejection(orchestrator.concurrency.acquireLock('window', { timeout: '1h' }));
    expect(late.code).toBe('ORCHESTRATOR_CLOSED');
    // What was granted can be given back all the same.
    lock.release();
    gpu.release();
  });

  it('ends readers of events: with an error where the run goes on, quietly where it has ended', async () => {
    const { orchestrator, clock } = await openStill();
    const ended = await orchestrator.manageWorkflow(sleeping(1));
    await clock.advance(1);
    const open = await orchestrator.manageWorkflow(sleeping(3_600_000));
    const types: string[] = [];
    const reading = (async () => {
      for await (const event of open.events()) types.push(event.type);
    })();
    const outcome = rejection(reading);
    await nextTurn();

    await orchestrator.close({ grace: 0 });

    expect((await outcome).code).toBe('ORCHESTRATOR_CLOSED');
    expect(types).toEqual(['RunCreated', 'RunStarted', 'TaskStarted']);
    expect((await logOf(ended)).at(-1)?.type).toBe('RunCompleted');
  });

  it('leaves handles that answer: nothing can be asked of a lost run', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(sleeping(3_600_000));
    await orchestrator.close({ grace: 0 });

    expect((await rejection(run.cancel())).code).toBe('ORCHESTRATOR_CLOSED');
    expect((await rejection(run.pause())).code).toBe('ORCHESTRATOR_CLOSED');
    expect((await rejection(run.setPriority('sleep', 1))).code).toBe('ORCHESTRATOR_CLOSED');
    expect(run.tasks()).toHaveLength(1);
  });

  it('tells a handler that asks for its signal only afterwards', async () => {
    const { orchestrator, clock } = await openStill();
    const late = task('late', {
      run: async (context) => {
        await new Promise<void>((resolve) => {
          clock.setTimer(100, resolve);
        });
        await context.clock.sleep('1h');
      },
    });
    await orchestrator.manageWorkflow(defineWorkflow('late', { tasks: [late] }));

    await orchestrator.close({ grace: 0 });
    await clock.advance(100);

    // Its sleep ended at once, so no timer keeps the process alive.
    expect(clock.pending).toBe(0);
  });

  it('refuses options that do not exist, and can be called again', async () => {
    const orchestrator = await Orchestrator.open({ clock: new VirtualClock() });

    expect((await rejection(orchestrator.close({ grce: 1 } as never))).code).toBe('OPTION_UNKNOWN');
    expect((await rejection(orchestrator.close({ grace: -1 }))).code).toBe('OPTION_INVALID');
    await orchestrator.close();
  });

  it('happens at the end of a block by itself, with await using', async () => {
    const orchestrator = await Orchestrator.open({ clock: new VirtualClock() });
    const run = await orchestrator.manageWorkflow(sleeping(100));

    await orchestrator[Symbol.asyncDispose]();

    expect((await run.result()).outputs.sleep).toBe('slept');
    expect((await rejection(orchestrator.manageWorkflow(sleeping(1)))).code).toBe('ORCHESTRATOR_CLOSED');
  });
});

describe.runIf(canRunPrograms)('the process', () => {
  it('exits by itself after close, with nothing left behind', { timeout: 30_000 }, async () => {
    const { code, stdout, stderr } = await runProgram(`
      const orchestrator = await Orchestrator.open({ resources: { api: { capacity: 1, per: '1h' } } });
      const workflow = defineWorkflow('w', {
        tasks: [
          task('deaf', { run: () => new Promise(() => {}) }),
          task('sleeping', { timeout: '1h', heartbeatTimeout: '1h', run: ({ clock }) => clock.sleep('1h') }),
          task('retrying', { retry: { delay: '1h', maxDelay: '1h' }, run: () => Promise.reject(new Error('no')) }),
          task('used', { resourceRequirements: { api: 1 }, run: () => 1 }),
          task('waiting', { resourceRequirements: { api: 1 }, run: () => 1 }),
        ],
      });
      const run = await orchestrator.manageWorkflow(workflow);
      await orchestrator.close({ grace: 50 });
      const { status } = await run.settled();
      console.log(status, process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length);
    `);

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'lost 0\n', stderr: '' });
  });

  it('exits by itself without close when the orchestrator is idle', { timeout: 30_000 }, async () => {
    const { code, stdout, stderr } = await runProgram(`
      const orchestrator = await Orchestrator.open({ agents: { a: { rate: { limit: 1, per: '1h' } } } });
      const workflow = defineWorkflow('w', {
        tasks: [task('t', { agentAssigned: 'a', timeout: '1h', run: ({ clock }) => clock.sleep(5) })],
      });
      const run = await orchestrator.manageWorkflow(workflow);
      console.log((await run.result()).status);
    `);

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'completed\n', stderr: '' });
  });
});
