/** ConcurrencyController: each method by its effect on a real run, and by one refusal. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { ConcurrencyController } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

const locked = (name: string) => task(name, { locks: ['page'], run: () => name });

// A lane loads it when it is first used, and a cold import takes as long as it likes.
beforeAll(() => import('p-queue'));

/** Waits until promises that p-queue makes have settled. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
}

describe('ConcurrencyController', () => {
  it('acquireLock holds back a task that needs the lock, until the grant is released', async () => {
    const { orchestrator } = await openVirtual();
    const grant = await orchestrator.concurrency.acquireLock('page');
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [locked('a')] }));
    expect(run.explain('a').reason).toBe('lock');

    grant.release();

    expect((await run.result()).outputs).toEqual({ a: 'a' });
    expect(orchestrator.concurrency.locks()).toEqual([]);
  });

  it('acquireLock with a lease loses the lock when it is not renewed, and the next holder has a greater token', async () => {
    const { orchestrator, clock } = await openStill();
    const { concurrency } = orchestrator;
    const first = await concurrency.acquireLock('page', { lease: '30s' });
    const next = concurrency.acquireLock('page');
    await clock.advance('20s');
    first.renew();
    await clock.advance('20s');
    expect(first.isHeld).toBe(true);
    await clock.advance('10s');

    const second = await next;

    expect(first.isHeld).toBe(false);
    expect(second.token).toBeGreaterThan(first.token);
    expect(refusal(() => first.renew()).code).toBe('LOCK_STALE');
    expect(refusal(() => first.release()).code).toBe('LOCK_STALE');
    second.release();
    expect(clock.pending).toBe(0);
  });

  it('acquireLock with a heartbeat keeps the lock until its signal is aborted', async () => {
    const { orchestrator, clock } = await openStill();
    const life = new AbortController();
    const grant = await orchestrator.concurrency.acquireLock('page', {
      lease: '30s',
      heartbeat: '10s',
      signal: life.signal,
    });
    await clock.advance('5m');
    expect(grant.isHeld).toBe(true);
    life.abort();
    await clock.advance('31s');
    expect(grant.isHeld).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('acquireLock refuses a lease that two late heartbeats outlast, and names both', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    for (const bad of [
      { lease: 0 },
      { lease: -5 },
      { lease: '20s', heartbeat: '10s' },
      { lease: '1s', heartbeat: '2s' },
      { heartbeat: '1s' },
    ]) {
      const error = await rejection(concurrency.acquireLock('page', bad as never));
      expect(error.code).toBe('OPTION_INVALID');
      expect(error.message).toMatch(/lease .*heartbeat/);
    }
    expect(concurrency.locks()).toEqual([]);
  });

  it('acquireLock ends its wait by its time or its signal, and leaves nothing behind', async () => {
    const { orchestrator, clock } = await openStill();
    const { concurrency } = orchestrator;
    const grant = await concurrency.acquireLock('page');
    const stop = new AbortController();
    const late = rejection(concurrency.acquireLock('page', { timeout: '5s' }));
    const stopped = rejection(concurrency.acquireLock('page', { signal: stop.signal }));
    await clock.advance('5s');
    stop.abort(new Error('enough'));
    expect([(await late).code, (await stopped).code]).toEqual(['WAIT_TIMEOUT', 'WAIT_ABORTED']);
    grant.release();
    expect([concurrency.locks(), clock.pending]).toEqual([[], 0]);
  });

  it('releaseLock by name and token lets the next one in', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const first = await concurrency.acquireLock('page');
    const next = concurrency.acquireLock('page');
    concurrency.releaseLock('page', first.token);
    concurrency.releaseLock(await next);
    expect(concurrency.locks()).toEqual([]);
  });

  it('releaseLock refuses a lock that is not held, a stale token and a second release', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const grant = await concurrency.acquireLock('page');
    expect(refusal(() => concurrency.releaseLock('other', grant.token)).code).toBe('LOCK_STALE');
    expect(refusal(() => concurrency.releaseLock('page', grant.token - 1)).code).toBe('LOCK_STALE');
    expect(grant.isHeld).toBe(true);
    concurrency.releaseLock(grant);
    expect(refusal(() => concurrency.releaseLock(grant)).code).toBe('GRANT_RELEASED');
    expect(refusal(() => concurrency.releaseLock('page', grant.token)).code).toBe('LOCK_STALE');
  });

  it('executeTask holds locks while a function runs, and gives them back when it throws', async () => {
    const { orchestrator } = await openVirtual();
    const { concurrency } = orchestrator;
    const door = createGate();
    const work = rejection(
      concurrency.executeTask(
        async () => {
          await door.promise;
          throw refusal(() => concurrency.setLimit(0));
        },
        { locks: ['page', 'index'] },
      ),
    );
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [locked('a')] }));
    expect(run.status).toBe('in_progress');
    expect(concurrency.locks().map(({ name }) => name)).toEqual(['index', 'page']);

    door.open();

    expect((await work).code).toBe('OPTION_INVALID');
    expect((await run.result()).status).toBe('completed');
    expect(concurrency.locks()).toEqual([]);
  });

  it('executeTask takes everything that a task needs: resources, locks, a slot of its agent, a place under the limit', async () => {
    const { orchestrator, clock } = await openStill({
      resources: { cpu: 2 },
      agents: { writer: { concurrency: 1 } },
      concurrency: 3,
    });
    const { concurrency, resources } = orchestrator;
    const needy = (id: string) =>
      task(id, {
        agentAssigned: 'writer',
        resourceRequirements: { cpu: 2 },
        locks: ['page'],
        priority: 3,
        run: () => id,
      });
    const door = createGate();
    const work = concurrency.executeTask(needy('host'), async ({ token, signal }) => {
      await door.promise;
      return [token, signal.aborted];
    });
    await clock.advance(0);
    expect(resources.usage('cpu').used).toBe(2);
    expect([concurrency.running, concurrency.locks().map(({ name }) => name)]).toEqual([1, ['page']]);
    const run = await orchestrator.scheduleTask(needy('own'));
    expect(run.tasks()).toMatchObject([{ status: 'waiting' }]);
    const { lacks } = run.explain('own') as { readonly lacks?: readonly { readonly kind: string }[] };
    expect(lacks?.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['agent', 'resource', 'lock']));

    door.open();

    const [token, aborted] = await work;
    expect(token).toBeGreaterThan(0);
    expect(aborted).toBe(false);
    expect((await run.result()).outputs).toEqual({ own: 'own' });
    expect([concurrency.running, concurrency.locks(), resources.usage('cpu').used]).toEqual([0, [], 0]);
  });

  it('executeTask ends its wait by its signal, its time and the end of everything, and holds nothing then', async () => {
    const { orchestrator, clock } = await openStill({ resources: { cpu: 1 } });
    const { concurrency } = orchestrator;
    const needy = task('needy', { resourceRequirements: { cpu: 1 }, locks: ['page'], run: () => 1 });
    const cpu = await orchestrator.resources.allocateResource({ cpu: 1 });
    const stop = new AbortController();
    let calls = 0;
    const run = (options: object) => rejection(concurrency.executeTask(needy, () => ++calls, options));
    const stopped = run({ signal: stop.signal });
    const late = run({ timeout: '1s' });
    const closed = run({});
    await clock.advance('1s');
    stop.abort();
    expect([(await stopped).code, (await late).code]).toEqual(['WAIT_ABORTED', 'WAIT_TIMEOUT']);
    expect(concurrency.locks()).toMatchObject([{ name: 'page', mode: undefined, waiters: [{}] }]);
    await orchestrator.close({ grace: 0 });
    expect((await closed).code).toBe('ORCHESTRATOR_CLOSED');
    cpu.release();
    expect([calls, concurrency.locks(), concurrency.running]).toEqual([0, [], 0]);
  });

  it('executeTask whose locks were taken back tells its function, and does not complete (I27)', async () => {
    const { orchestrator, clock } = await openStill();
    const { concurrency } = orchestrator;
    const door = createGate();
    let reason: unknown;
    const slow = rejection(
      concurrency.executeTask(
        async ({ signal }) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason;
          });
          await door.promise;
          return 'too late';
        },
        { locks: 'page', lease: '1m' },
      ),
    );
    await clock.advance('1m');
    expect(reason).toMatchObject({ code: 'LOCK_STALE' });
    const next = await concurrency.acquireLock('page');
    door.open();
    expect((await slow).code).toBe('LOCK_STALE');
    expect(next.isHeld).toBe(true);
    next.release();
    expect(clock.pending).toBe(0);
  });

  it('executeTask refuses a task whose needs can never be met, and what is no task', async () => {
    const { orchestrator } = await openStill({ resources: { cpu: 1 } });
    const { concurrency } = orchestrator;
    const refused = async (...given: unknown[]) =>
      (await rejection((concurrency.executeTask as (...all: unknown[]) => Promise<unknown>)(...given))).code;
    const needing = (resourceRequirements: Record<string, number>) =>
      task('needing', { resourceRequirements, locks: ['page'], run: () => 1 });
    const work = () => 1;
    expect(
      await Promise.all([
        refused(needing({ cpu: 2 }), work),
        refused(needing({ gpu: 1 }), work),
        refused({ taskId: 'a' }, work),
        refused(needing({ cpu: 1 })),
        refused(needing({ cpu: 1 }), work, { mode: 'shared' }),
        refused(needing({ cpu: 1 }), work, { priority: Number.NaN }),
        refused(needing({ cpu: 1 }), work, { timeout: -1 }),
        refused(needing({ cpu: 1 }), work, null),
      ]),
    ).toEqual([
      'RESOURCE_UNSCHEDULABLE',
      'RESOURCE_UNKNOWN',
      'DEFINITION_INVALID',
      'OPTION_INVALID',
      'OPTION_UNKNOWN',
      'OPTION_INVALID',
      'OPTION_INVALID',
      'OPTION_INVALID',
    ]);
    expect([concurrency.locks(), concurrency.running]).toEqual([[], 0]);
  });

  it('executeTask refuses what is no function, and to run without locks', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const noWork = await rejection(concurrency.executeTask('work' as never, { locks: 'page' }));
    const noLocks = await rejection(concurrency.executeTask(() => 1, undefined as never));
    expect([noWork.code, noLocks.code]).toEqual(['OPTION_INVALID', 'OPTION_INVALID']);
    expect(concurrency.locks()).toEqual([]);
  });

  it('manageConcurrency runs so many of a lane at once, the highest priority first, in the context of each caller', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const caller = new AsyncLocalStorage<string>();
    const doors = [createGate(), createGate(), createGate(), createGate()];
    const order: string[] = [];
    const lane = { lane: 'api', concurrency: 2 };
    const call = (i: number, priority: number) =>
      caller.run(`c${i}`, () =>
        concurrency.manageConcurrency(
          async () => {
            order.push(`${i} ${caller.getStore()}`);
            await doors[i]?.promise;
            return i;
          },
          { ...lane, priority },
        ),
      );
    const calls = [call(0, 0), call(1, 0), call(2, 0), call(3, 5)];
    await settle();
    expect(concurrency.lanes()).toEqual([{ lane: 'api', concurrency: 2, running: 2, waiting: 2 }]);
    expect(order).toEqual(['0 c0', '1 c1']);
    for (const door of doors) {
      door.open();
      await settle();
    }
    expect(await Promise.all(calls)).toEqual([0, 1, 2, 3]);
    expect(order).toEqual(['0 c0', '1 c1', '3 c3', '2 c2']);
  });

  it('manageConcurrency keeps the rate of a lane on the clock of the orchestrator', async () => {
    const { orchestrator, clock } = await openStill();
    const times: number[] = [];
    const lane = { lane: 'api', concurrency: 10, rate: { limit: 2, per: '1m' } };
    const calls = [1, 2, 3, 4, 5].map(() =>
      orchestrator.concurrency.manageConcurrency(() => times.push(clock.now()), lane),
    );
    for (let minute = 0; minute < 3; minute++) {
      await settle();
      await clock.advance('1m');
    }
    await Promise.all(calls);
    expect(times).toEqual([0, 0, 60_000, 60_000, 120_000]);
    await clock.advance('1m');
    expect(clock.pending).toBe(0);
  });

  it('manageConcurrency takes an aborted call out of its lane, passes on what a function throws, and ends waits at close', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const door = createGate();
    const lane = { lane: 'api' };
    const first = concurrency.manageConcurrency(() => door.promise, lane);
    const stop = new AbortController();
    const stopped = rejection(concurrency.manageConcurrency(() => 1, { ...lane, signal: stop.signal }));
    const waits = rejection(concurrency.manageConcurrency(() => 2, lane));
    await settle();
    stop.abort();
    expect((await stopped).code).toBe('WAIT_ABORTED');
    expect(concurrency.lanes()[0]).toMatchObject({ running: 1, waiting: 1 });
    const throws = concurrency.manageConcurrency(
      () => {
        throw new RangeError('own');
      },
      { lane: 'other' },
    );
    await expect(throws).rejects.toThrow(RangeError);

    await orchestrator.close({ grace: 0 });

    expect((await waits).code).toBe('ORCHESTRATOR_CLOSED');
    expect((await rejection(concurrency.manageConcurrency(() => 3, lane))).code).toBe('ORCHESTRATOR_CLOSED');
    door.open();
    await first;
  });

  it('manageConcurrency refuses other limits for a lane that has some, and what is no lane', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    expect(await concurrency.manageConcurrency(() => 1, { lane: 'api', concurrency: 2 })).toBe(1);
    const codes = [
      concurrency.manageConcurrency(() => 1, { lane: 'api', concurrency: 3 }),
      concurrency.manageConcurrency(() => 1, { lane: 'a/b' }),
      concurrency.manageConcurrency(1 as never, { lane: 'api' }),
      concurrency.manageConcurrency(() => 1, { lane: 'api', concurrency: Number.NaN }),
    ].map(async (call) => (await rejection(call)).code);
    expect(await Promise.all(codes)).toEqual([
      'OPTION_CONFLICT',
      'ID_INVALID',
      'OPTION_INVALID',
      'OPTION_INVALID',
    ]);
  });

  it('detectDeadlocks names members, what each holds and wants, and draws the circle', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    concurrency.setDeadlockPolicy('report');
    await concurrency.acquireLock('x', { owner: 'a' });
    await concurrency.acquireLock('y', { owner: 'b' });
    expect(concurrency.detectDeadlocks()).toEqual([]);
    void rejection(concurrency.acquireLock('y', { owner: 'a' }));
    void rejection(concurrency.acquireLock('x', { owner: 'b' }));
    await nextTurn();

    const [deadlock] = concurrency.detectDeadlocks();

    expect(deadlock?.members.map(({ name, holds, wants }) => [name, holds[0]?.name, wants[0]?.name])).toEqual(
      [
        ['a', 'x', 'y'],
        ['b', 'y', 'x'],
      ],
    );
    expect(deadlock?.drawing).toContain('flowchart');
  });

  it('resolveConflicts ends the member of lowest priority, and its locks go in the same turn', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    concurrency.setDeadlockPolicy('report');
    await concurrency.acquireLock('x', { owner: 'low', priority: 1 });
    await concurrency.acquireLock('y', { owner: 'high', priority: 2 });
    const lost = rejection(concurrency.acquireLock('y', { owner: 'low', priority: 1 }));
    const won = concurrency.acquireLock('x', { owner: 'high', priority: 2 });
    await nextTurn();

    expect(concurrency.resolveConflicts()).toMatchObject([{ victim: { name: 'low' } }]);

    expect((await lost).code).toBe('DEADLOCK_VICTIM');
    expect((await won).isHeld).toBe(true);
    expect(concurrency.detectDeadlocks()).toEqual([]);
  });

  it('detectDeadlocks and resolveConflicts: a policy that is none is refused, and without a deadlock nobody is ended', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    expect(refusal(() => concurrency.setDeadlockPolicy('ignore' as never)).code).toBe('OPTION_INVALID');
    const grant = await concurrency.acquireLock('x', { owner: 'a' });
    expect([concurrency.detectDeadlocks(), concurrency.resolveConflicts()]).toEqual([[], []]);
    expect(grant.isHeld).toBe(true);
  });

  it('detectDeadlocks refuses to blame who only waits in line', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    const grant = await concurrency.acquireLock('x', { owner: 'a' });
    const waits = concurrency.acquireLock('x', { owner: 'b' });
    await nextTurn();
    expect(concurrency.detectDeadlocks()).toEqual([]);
    grant.release();
    expect((await waits).isHeld).toBe(true);
  });

  it('setDeadlockPolicy to resolve breaks what was left standing; locks names the owners', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    concurrency.setDeadlockPolicy('report');
    await concurrency.acquireLock('x', { owner: 'a' });
    await concurrency.acquireLock('y', { owner: 'b' });
    const won = concurrency.acquireLock('y', { owner: 'a' });
    const lost = rejection(concurrency.acquireLock('x', { owner: 'b' }));
    expect(concurrency.locks().map(({ holders, waiters }) => [holders[0]?.owner, waiters[0]?.owner])).toEqual(
      [
        ['a', 'b'],
        ['b', 'a'],
      ],
    );
    concurrency.setDeadlockPolicy('resolve');
    expect((await lost).code).toBe('DEADLOCK_VICTIM');
    expect((await won).isHeld).toBe(true);
  });

  it('resolveConflicts: the wait of its victim is refused, and a later ask of the same owner is served', async () => {
    const { orchestrator } = await openStill();
    const { concurrency } = orchestrator;
    await concurrency.acquireLock('x', { owner: 'a' });
    const held = await concurrency.acquireLock('y', { owner: 'b' });
    const won = concurrency.acquireLock('y', { owner: 'a' });
    const lost = await rejection(concurrency.acquireLock('x', { owner: 'b' }));
    expect(lost.code).toBe('DEADLOCK_VICTIM');
    expect(held.isHeld).toBe(false);
    const again = concurrency.acquireLock('y', { owner: 'b' });
    (await won).release();
    expect((await again).isHeld).toBe(true);
  });
});

describe('the option deadlocks', () => {
  it('tells the logger of a deadlock, and leaves it to the host under report', async () => {
    const told: string[] = [];
    const logger = {
      debug() {},
      info() {},
      error() {},
      warn: (_: object, message: string) => told.push(message),
    };
    const { orchestrator } = await openStill({ deadlocks: 'report', logger });
    const { concurrency } = orchestrator;
    await concurrency.acquireLock('x', { owner: 'a' });
    await concurrency.acquireLock('y', { owner: 'b' });
    const waits = [
      concurrency.acquireLock('y', { owner: 'a' }).catch(() => 'ended'),
      concurrency.acquireLock('x', { owner: 'b' }).catch(() => 'ended'),
    ];
    await nextTurn();
    expect(told).toEqual(['a deadlock of locks was found']);
    expect(concurrency.resolveConflicts()).toHaveLength(1);
    expect(await waits[1]).toBe('ended');
  });

  it('refuses anything else', async () => {
    expect((await rejection(openStill({ deadlocks: 'ignore' } as never))).code).toBe('OPTION_INVALID');
  });
});

describe('ConcurrencyController alone', () => {
  it('takes locks with leases, breaks deadlocks and tells of them', async () => {
    const clock = new VirtualClock({ auto: false });
    const told: unknown[] = [];
    const concurrency = ConcurrencyController.create({
      clock,
      onDeadlock: (deadlock) => {
        told.push(deadlock);
        throw new Error('of the listener');
      },
    });
    await concurrency.acquireLock('x', { owner: 'a' });
    await concurrency.acquireLock('y', { owner: 'b' });
    const won = concurrency.acquireLock('y', { owner: 'a', lease: '1m' });
    expect((await rejection(concurrency.acquireLock('x', { owner: 'b' }))).code).toBe('DEADLOCK_VICTIM');
    expect(told).toMatchObject([{ victim: { name: 'b' } }]);
    const grant = await won;
    await clock.advance('1m');
    expect(grant.isHeld).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('executeTask takes the locks of a task and a place under the limit; it knows no resources', async () => {
    const concurrency = ConcurrencyController.create({ clock: new VirtualClock() });
    concurrency.setLimit(1);
    const running = await concurrency.executeTask(task('a', { locks: ['x'], run: () => 1 }), () => [
      concurrency.running,
      concurrency.locks()[0]?.name,
    ]);
    expect(running).toEqual([1, 'x']);
    const greedy = task('b', { resourceRequirements: { cpu: 1 }, run: () => 1 });
    expect((await rejection(concurrency.executeTask(greedy, () => 1))).code).toBe('RESOURCE_UNKNOWN');
    expect([concurrency.running, concurrency.locks()]).toEqual([0, []]);
  });

  it('refuses a clock that is none, and unknown options', () => {
    expect(refusal(() => ConcurrencyController.create({ clock: {} } as never)).code).toBe('OPTION_INVALID');
    expect(
      refusal(() => ConcurrencyController.create({ clock: new VirtualClock(), dead: 1 } as never)).code,
    ).toBe('OPTION_UNKNOWN');
  });
});
