/** Claims, the resource manager and the concurrency controller, used alone: without an orchestrator. */
import { describe, expect, it } from 'vitest';
import { ConcurrencyController } from '../../src/managers/concurrency/concurrency-controller.ts';
import { Claims, type Grant } from '../../src/managers/resources/claims.ts';
import { Holders } from '../../src/managers/resources/holders.ts';
import { Ledger } from '../../src/managers/resources/ledger.ts';
import { ResourceManager } from '../../src/managers/resources/resource-manager.ts';
import { Timers } from '../../src/managers/scheduling/timers.ts';
import { OrchestratorError } from '../../src/model/errors.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { refusal, rejection } from '../support/errors.ts';
import { nextTurn } from '../support/gate.ts';

/** Everything that the two managers need, and nothing else. */
function setUp() {
  const ledger = new Ledger();
  const clock = new VirtualClock({ auto: false });
  const timers = new Timers(clock);
  let order = 0;
  let token = 0;
  let isAwake = false;
  const wake = (): void => {
    if (isAwake) return;
    isAwake = true;
    queueMicrotask(() => {
      isAwake = false;
      ledger.admit(
        () => clock.monotonic(),
        (waiter) => {
          claims.granted(waiter);
          return true;
        },
      );
    });
  };
  const claims = new Claims({
    ledger,
    nextOrder: () => order++,
    nextToken: () => ++token,
    setTimer: (delayMs, callback) => {
      const timer = timers.set(delayMs, callback);
      return () => timers.stop(timer);
    },
    wake,
  });
  const global = ledger.declare({ key: 'concurrency', name: 'all', kind: 'concurrency', capacity: 4 });
  ledger.declare({ key: 'resource:cpu', name: 'cpu', kind: 'resource', capacity: 4 });
  ledger.declare({ key: 'resource:gpu', name: 'gpu', kind: 'resource', capacity: 1 });
  ledger.declare({ key: 'resource:money', name: 'money', kind: 'budget', capacity: 10 });
  const resources = new ResourceManager({
    ledger,
    claims,
    wake,
    holders: new Holders({ tickets: () => [], claims: () => claims.records() }),
    monotonic: () => timers.monotonic(),
    onTurn: () => () => {},
    globalRow: global,
    agentRows: () => [],
    hold: () => () => {},
    applyPriorities: async () => {},
  });
  const concurrency = new ConcurrencyController({
    ledger,
    claims,
    global,
    wake,
    now: () => 0,
    setTimer: () => () => {},
    tickets: () => [],
    nextOrder: () => 0,
    needsBeside: () => [],
    deadlocks: 'resolve',
    onDeadlock: () => {},
  });
  return { ledger, clock, timers, claims, resources, concurrency };
}

/** Notes the names of promises in the order in which they settle. */
function order(): { readonly names: string[]; note(name: string, promise: Promise<unknown>): void } {
  const names: string[] = [];
  return { names, note: (name, promise) => void promise.then(() => names.push(name)) };
}

describe('ResourceManager alone', () => {
  it('takes several amounts together, and gives them back once', async () => {
    const { resources } = setUp();
    const grant = await resources.allocateResource({ cpu: 3, gpu: 1 });
    expect(resources.usage('cpu')).toEqual({ name: 'cpu', kind: 'resource', capacity: 4, used: 3, free: 1 });
    expect(resources.usage('gpu').free).toBe(0);
    resources.releaseResource(grant);
    expect(resources.usage('cpu').used).toBe(0);
    expect(refusal(() => grant.release()).code).toBe('GRANT_RELEASED');
    expect(resources.usage('cpu').used).toBe(0);
  });

  it('serves by priority, then by arrival, and nobody behind one who cannot be served', async () => {
    const { resources } = setUp();
    const { names, note } = order();
    const all = await resources.allocateResource({ cpu: 4 });
    const grants: Grant[] = [];
    const ask = (name: string, cpu: number, priority: number): void =>
      note(
        name,
        resources.allocateResource({ cpu }, { priority }).then((grant) => grants.push(grant)),
      );
    ask('first', 1, 0);
    ask('big', 4, 5);
    ask('second', 1, 0);
    ask('high', 2, 9);
    await nextTurn();
    expect(names).toEqual([]);
    all.release();
    await nextTurn();
    expect(names).toEqual(['high', 'first', 'second']);
    for (const grant of grants.splice(0)) grant.release();
    await nextTurn();
    expect(names).toEqual(['high', 'first', 'second', 'big']);
  });

  it('ends a wait by its signal or its time, and leaves nothing behind', async () => {
    const { ledger, clock, timers, resources } = setUp();
    const all = await resources.allocateResource({ gpu: 1 });
    const controller = new AbortController();
    const aborted = rejection(resources.allocateResource({ gpu: 1 }, { signal: controller.signal }));
    const late = rejection(resources.allocateResource({ gpu: 1 }, { timeout: '1m' }));
    await nextTurn();
    expect(ledger.waiting).toBe(2);
    controller.abort('enough');
    expect(await aborted).toMatchObject({ code: 'WAIT_ABORTED', cause: 'enough' });
    await clock.advance('1m');
    expect(await late).toMatchObject({ code: 'WAIT_TIMEOUT' });
    expect([ledger.waiting, timers.size]).toEqual([0, 0]);
    all.release();
    // Granted in time: its timer goes.
    const grant = await resources.allocateResource(
      { gpu: 1 },
      { timeout: '1h', signal: new AbortController().signal },
    );
    expect(timers.size).toBe(0);
    grant.release();
    expect(
      (await rejection(resources.allocateResource({ gpu: 1 }, { signal: AbortSignal.abort() }))).code,
    ).toBe('WAIT_ABORTED');
  });

  it('refuses what can never be, and names the nearest', async () => {
    const { resources } = setUp();
    expect((await rejection(resources.allocateResource({ cpv: 1 }))).message).toContain('Did you mean "cpu"');
    expect((await rejection(resources.allocateResource({ cpu: 5 }))).code).toBe('RESOURCE_UNSCHEDULABLE');
    expect((await rejection(resources.allocateResource({ cpu: 0 }))).code).toBe('RESOURCE_AMOUNT_INVALID');
    expect((await rejection(resources.allocateResource({ cpu: 1 }, { prio: 1 } as never))).code).toBe(
      'OPTION_UNKNOWN',
    );
    expect(refusal(() => resources.usage('disk')).code).toBe('RESOURCE_UNKNOWN');
    expect(refusal(() => resources.setCapacity('cpu', -1)).code).toBe('OPTION_INVALID');
  });

  it('wakes who waits when the capacity grows, and gives nothing of a budget back', async () => {
    const { resources } = setUp();
    const { names, note } = order();
    (await resources.allocateResource({ money: 10 })).release();
    expect(resources.usage('money').free).toBe(0);
    note('money', resources.allocateResource({ money: 1 }));
    await nextTurn();
    expect(names).toEqual([]);
    resources.setCapacity('money', 11);
    await nextTurn();
    expect(names).toEqual(['money']);
  });

  it('forgets the groups of requests that have passed', async () => {
    const { ledger, resources } = setUp();
    for (let i = 1; i <= 500; i++) (await resources.allocateResource({ cpu: i / 1_000 })).release();
    expect([...ledger.waiters()]).toEqual([]);
    // A request of new amounts makes a group; the one of an old amount must be gone, so it is made anew.
    const row = ledger.row('resource:cpu');
    const group = ledger.group([{ row: row as never, amount: 0.001 }], 'test', false);
    expect(group.holders).toBe(0);
  });
});

describe('ConcurrencyController alone', () => {
  it('lets one writer or many readers in, and gives each a greater token', async () => {
    const { concurrency } = setUp();
    const { names, note } = order();
    const read1 = await concurrency.acquireLock('book', { mode: 'shared' });
    const read2 = await concurrency.acquireLock('book', { mode: 'shared' });
    const writing = concurrency.acquireLock('book');
    note('write', writing);
    await nextTurn();
    expect(names).toEqual([]);
    read1.release();
    await nextTurn();
    expect(names).toEqual([]);
    concurrency.releaseLock(read2);
    const write = await writing;
    expect([read1.token, read2.token, write.token]).toEqual([1, 2, 3]);
    expect(write.names).toEqual(['book']);
    write.release();
    expect(refusal(() => concurrency.releaseLock(write)).code).toBe('GRANT_RELEASED');
  });

  it('takes a set of locks together, so that no order of asking can deadlock', async () => {
    const { concurrency } = setUp();
    const inside = new Set<string>();
    let done = 0;
    const work = async (names: readonly string[]): Promise<void> => {
      const grant = await concurrency.acquireLock(names);
      for (const name of names) expect(inside.has(name)).toBe(false);
      for (const name of names) inside.add(name);
      await nextTurn();
      for (const name of names) inside.delete(name);
      grant.release();
      done++;
    };
    const pairs = [['a', 'b'], ['b', 'a'], ['b', 'c'], ['c', 'a'], ['a']];
    await Promise.all(Array.from({ length: 50 }, (_, i) => work(pairs[i % pairs.length] as string[])));
    expect(done).toBe(50);
  });

  it('says and changes how much runs at once', () => {
    const { concurrency } = setUp();
    expect([concurrency.limit, concurrency.running]).toEqual([4, 0]);
    concurrency.setLimit(9);
    expect(concurrency.limit).toBe(9);
    concurrency.setLimit(undefined);
    expect(concurrency.limit).toBeUndefined();
    expect(refusal(() => concurrency.setLimit(0)).code).toBe('OPTION_INVALID');
  });
});

describe('Claims alone', () => {
  it('ends every wait when it is closed, and takes no more', async () => {
    const { claims, ledger, concurrency, timers } = setUp();
    const held = await concurrency.acquireLock('a');
    const waiting = [
      rejection(concurrency.acquireLock('a')),
      rejection(concurrency.acquireLock('a', { timeout: 5 })),
    ];
    await nextTurn();
    claims.close(new OrchestratorError('ORCHESTRATOR_CLOSED', 'over'));
    for (const error of await Promise.all(waiting)) expect(error.code).toBe('ORCHESTRATOR_CLOSED');
    expect((await rejection(concurrency.acquireLock('b'))).code).toBe('ORCHESTRATOR_CLOSED');
    expect([ledger.waiting, timers.size]).toEqual([0, 0]);
    held.release();
  });
});
