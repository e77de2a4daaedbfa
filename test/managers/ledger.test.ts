import { describe, expect, it } from 'vitest';
import { type Group, Ledger } from '../../src/managers/resources/ledger.ts';
import { lockNeed } from '../../src/managers/resources/lock-row.ts';
import type { Waiter } from '../../src/managers/resources/need-group.ts';
import type { Row } from '../../src/managers/resources/row.ts';
import { refusal } from '../support/errors.ts';
import { countingComparator, waiterOf } from '../support/waiters.ts';

function resource(ledger: Ledger, name: string, capacity: number): Row {
  return ledger.declare({ key: `resource:${name}`, name, kind: 'resource', capacity });
}

/** Serves everybody who can be served; returns the groups in the order in which they were. */
function admitAll(ledger: Ledger, now = 0): Group[] {
  const served: Group[] = [];
  ledger.admit(
    () => now,
    (_, group) => {
      served.push(group);
      return true;
    },
  );
  return served;
}

describe('Ledger', () => {
  it('takes all needs or none', () => {
    const ledger = new Ledger();
    const cpu = resource(ledger, 'cpu', 2);
    const gpu = resource(ledger, 'gpu', 1);
    const both = ledger.group(
      [
        { row: cpu, amount: 1 },
        { row: gpu, amount: 1 },
      ],
      'test',
    );
    for (let i = 0; i < 3; i++) ledger.enqueue(waiterOf(both), both);
    expect(admitAll(ledger)).toEqual([both]);
    expect([cpu.used / cpu.scale, gpu.used / gpu.scale]).toEqual([1, 1]);
    ledger.release(both);
    expect([cpu.used, gpu.used]).toEqual([0, 0]);
    expect(admitAll(ledger)).toEqual([both]);
  });

  it('holds nobody back for somebody who cannot be served', () => {
    const ledger = new Ledger();
    const cpu = resource(ledger, 'cpu', 4);
    const big = ledger.group([{ row: cpu, amount: 4 }], 'test');
    const small = ledger.group([{ row: cpu, amount: 1 }], 'test');
    ledger.enqueue(waiterOf(small), small);
    admitAll(ledger);
    ledger.enqueue(waiterOf(big, { rank: 9 }), big);
    ledger.enqueue(waiterOf(small), small);
    expect(admitAll(ledger)).toEqual([small]);
    ledger.release(small);
    ledger.release(small);
    expect(admitAll(ledger)).toEqual([big]);
  });

  it('lets whoever was enqueued by a grant compete in the same round', () => {
    const ledger = new Ledger();
    const cpu = resource(ledger, 'cpu', 3);
    const group = ledger.group([{ row: cpu, amount: 1 }], 'test');
    const ranks: number[] = [];
    for (const rank of [1, 5]) ledger.enqueue(waiterOf(group, { rank }), group);
    ledger.admit(
      () => 0,
      (waiter) => {
        ranks.push(waiter.rank);
        if (waiter.rank === 5) ledger.enqueue(waiterOf(group, { rank: 3 }), group);
        return true;
      },
    );
    expect(ranks).toEqual([5, 3, 1]);
  });

  it('knows exclusive and shared locks, and sets of them', () => {
    const ledger = new Ledger();
    const write = ledger.group([lockNeed(ledger, { name: 'a', mode: 'exclusive' })], 'test');
    const read = ledger.group([lockNeed(ledger, { name: 'a', mode: 'shared' })], 'test');
    const pair = ledger.group(
      [
        lockNeed(ledger, { name: 'a', mode: 'exclusive' }),
        lockNeed(ledger, { name: 'b', mode: 'exclusive' }),
      ],
      'test',
    );
    for (const group of [read, read, write, pair]) ledger.enqueue(waiterOf(group), group);
    expect(admitAll(ledger)).toEqual([read, read]);
    ledger.release(read);
    expect(admitAll(ledger)).toEqual([]);
    ledger.release(read);
    expect(admitAll(ledger)).toEqual([write]);
    ledger.enqueue(waiterOf(read), read);
    expect(admitAll(ledger)).toEqual([]);
    ledger.release(write);
    expect(admitAll(ledger)).toEqual([pair]);
  });

  it('takes nothing after a cut of the capacity until what is used fits', () => {
    const ledger = new Ledger();
    const cpu = resource(ledger, 'cpu', 4);
    const one = ledger.group([{ row: cpu, amount: 1 }], 'test');
    for (let i = 0; i < 8; i++) ledger.enqueue(waiterOf(one), one);
    expect(admitAll(ledger)).toHaveLength(4);
    ledger.setCapacity(cpu, 2);
    ledger.release(one);
    ledger.release(one);
    expect(admitAll(ledger)).toHaveLength(0);
    ledger.release(one);
    expect(admitAll(ledger)).toHaveLength(1);
    ledger.setCapacity(cpu, 0);
    ledger.release(one);
    expect(admitAll(ledger)).toHaveLength(0);
    ledger.setCapacity(cpu, 10);
    expect(admitAll(ledger)).toHaveLength(3);
    expect(ledger.waiting).toBe(0);
  });

  it('gives nothing of a budget back, and of a rate only by time', () => {
    const ledger = new Ledger();
    const money = ledger.declare({ key: 'resource:money', name: 'money', kind: 'budget', capacity: 2 });
    const calls = ledger.declare({ key: 'rate:x', name: 'x', kind: 'rate', capacity: 2, perMs: 1_000 });
    const spend = ledger.group([{ row: money, amount: 1 }], 'test');
    const call = ledger.group([{ row: calls, amount: 1 }], 'test');
    const due: number[] = [];
    ledger.onTimed((row, dueAt) => row === calls && dueAt !== undefined && due.push(dueAt));
    for (const group of [spend, spend, spend, call, call, call]) ledger.enqueue(waiterOf(group), group);
    expect(admitAll(ledger, 100)).toEqual([spend, spend, call, call]);
    for (const group of [spend, call]) ledger.release(group);
    expect(admitAll(ledger, 100)).toEqual([]);
    expect(due).toEqual([1_100]);
    ledger.replenish(calls, 1_099);
    expect(admitAll(ledger, 1_099)).toEqual([]);
    ledger.replenish(calls, 1_100);
    expect(admitAll(ledger, 1_100)).toEqual([call]);
  });

  it('gives what comes free together with what time has given back to the best, though no timer has rung', () => {
    const ledger = new Ledger();
    const slot = ledger.declare({ key: 'resource:slot', name: 'slot', kind: 'resource', capacity: 1 });
    const calls = ledger.declare({ key: 'rate:x', name: 'x', kind: 'rate', capacity: 1, perMs: 1_000 });
    const call = ledger.group([{ row: calls, amount: 1 }], 'test');
    const both = ledger.group(
      [
        { row: calls, amount: 1 },
        { row: slot, amount: 1 },
      ],
      'test',
    );
    const plain = ledger.group([{ row: slot, amount: 1 }], 'test');
    // Given a slot that is held, and whoever comes first waiting for the rate.
    for (const group of [call, plain]) ledger.enqueue(waiterOf(group), group);
    expect(admitAll(ledger, 0)).toEqual([call, plain]);
    for (const group of [both, plain]) ledger.enqueue(waiterOf(group), group);
    expect(admitAll(ledger, 0)).toEqual([]);
    // When the slot comes free in the moment in which the rate gives back, then the first has it.
    ledger.release(plain);
    expect(admitAll(ledger, 1_000)).toEqual([both]);
  });

  it('never lets a span see more of a rate than its capacity', () => {
    const ledger = new Ledger();
    const calls = ledger.declare({ key: 'rate:x', name: 'x', kind: 'rate', capacity: 5, perMs: 100 });
    const call = ledger.group([{ row: calls, amount: 1 }], 'test');
    for (let i = 0; i < 500; i++) ledger.enqueue(waiterOf(call), call);
    const served: number[] = [];
    for (let now = 0; served.length < 500; now += 7) {
      ledger.replenish(calls, now);
      for (const _ of admitAll(ledger, now)) served.push(now);
    }
    for (let i = 5; i < served.length; i++)
      expect((served[i] as number) - (served[i - 5] as number)).toBeGreaterThanOrEqual(100);
    // And hardly less than that either: no more than one step is lost in each span.
    expect(served[499]).toBeLessThanOrEqual(99 * 107);
  });

  it('forgets a group that nobody needs', () => {
    const ledger = new Ledger();
    const cpu = resource(ledger, 'cpu', 1);
    const group = ledger.group([{ row: cpu, amount: 0.25 }], 'test');
    expect(ledger.group([{ row: cpu, amount: 0.25 }], 'test')).toBe(group);
    expect(ledger.group([{ row: cpu, amount: 0.25 }], 'test', false)).not.toBe(group);
    ledger.dropGroup(group);
    expect(ledger.group([{ row: cpu, amount: 0.25 }], 'test')).not.toBe(group);
  });

  it('holds tasks back while it is paused, and nobody else', () => {
    const ledger = new Ledger();
    const cpu = resource(ledger, 'cpu', 3);
    const tasks = ledger.group([{ row: cpu, amount: 1 }], 'test');
    const host = ledger.group([{ row: cpu, amount: 1 }], 'test', false);
    ledger.pause();
    const first = waiterOf(tasks, { rank: 3 });
    for (const waiter of [first, waiterOf(tasks), waiterOf(host)]) ledger.enqueue(waiter, waiter.group);
    expect(admitAll(ledger)).toEqual([host]);
    ledger.withdraw(first, tasks);
    ledger.resume();
    expect(admitAll(ledger)).toEqual([tasks]);
    expect(ledger.waiting).toBe(0);
  });
});

describe('Ledger: exact amounts', () => {
  it('fills 1 with ten times 0.1, over and over', () => {
    const ledger = new Ledger();
    const cpu = resource(ledger, 'cpu', 1);
    const tenth = ledger.group([{ row: cpu, amount: 0.1 }], 'test');
    for (let round = 0; round < 1_000; round++) {
      for (let i = 0; i < 11; i++) ledger.enqueue(waiterOf(tenth), tenth);
      expect(admitAll(ledger)).toHaveLength(10);
      expect(cpu.free).toBe(0);
      for (let i = 0; i < 10; i++) ledger.release(tenth);
      expect(admitAll(ledger)).toHaveLength(1);
      ledger.release(tenth);
      expect(cpu.used).toBe(0);
    }
  });

  it('counts bytes of a large capacity one by one', () => {
    const ledger = new Ledger();
    const memory = resource(ledger, 'memory', 9_392_000_000);
    const amounts = [9_000_001, 1_135_000_003, 8_247_999_996];
    const groups = amounts.map((amount) => ledger.group([{ row: memory, amount }], 'test'));
    const byte = ledger.group([{ row: memory, amount: 1 }], 'test');
    for (const group of [...groups, byte]) ledger.enqueue(waiterOf(group), group);
    expect(admitAll(ledger)).toEqual(groups);
    expect(memory.free).toBe(0);
    ledger.release(groups[0] as Group);
    expect(admitAll(ledger)).toEqual([byte]);
    expect(memory.free / memory.scale).toBe(9_000_000);
  });

  it('refuses an amount finer than it can count', () => {
    const ledger = new Ledger();
    expect(
      refusal(() => ledger.group([{ row: resource(ledger, 'cpu', 1), amount: 1e-7 }], 'test')).code,
    ).toBe('RESOURCE_AMOUNT_INVALID');
    const memory = resource(ledger, 'memory', 9_392_000_000);
    expect(refusal(() => ledger.group([{ row: memory, amount: 1.5 }], 'test')).code).toBe(
      'RESOURCE_AMOUNT_INVALID',
    );
  });
});

describe('Ledger: work', () => {
  /** A thousand groups of distinct amounts and ten thousand waiters in one group, all waiting for one row. */
  function crowd(): { ledger: Ledger; row: Row; full: Group; take: () => number } {
    const ledger = new Ledger();
    const row = resource(ledger, 'cpu', 10_000);
    const { by, take } = countingComparator();
    const full = ledger.group([{ row, amount: 10_000 }], 'test');
    ledger.enqueue(waiterOf(full, { by }), full);
    admitAll(ledger);
    const same = ledger.group([{ row, amount: 1 }], 'test');
    for (let i = 0; i < 10_000; i++) ledger.enqueue(waiterOf(same, { by }), same);
    for (let i = 0; i < 1_000; i++) {
      const group = ledger.group([{ row, amount: 2 + ((i * 7_919) % 1_000) }], 'test');
      ledger.enqueue(waiterOf(group, { rank: i % 10, by }), group);
    }
    expect(admitAll(ledger)).toHaveLength(0);
    take();
    return { ledger, row, full, take };
  }

  it('looks at few when something small is given back to a crowd', () => {
    const { ledger, row, full, take } = crowd();
    ledger.release(full);
    // The biggest first: everything is taken again, and all others are parked.
    const held = admitAll(ledger);
    take();
    let most = 0;
    for (const group of held.slice(0, 400)) {
      ledger.release(group);
      const served = admitAll(ledger);
      // The binary logarithm of a thousand is ten: some walks down a tree for each one who is served.
      most = Math.max(most, take() / (served.length + 1));
      expect(row.free).toBeLessThan(row.capacity / 10);
    }
    expect(most).toBeLessThan(80);
  });

  it('looks at nobody when nothing was given back', () => {
    const { ledger, take } = crowd();
    for (let i = 0; i < 1_000; i++) admitAll(ledger);
    expect(take()).toBe(0);
  });

  it('serves one row although ten thousand better ones wait for another', () => {
    const ledger = new Ledger();
    const { by, take } = countingComparator();
    const busy = resource(ledger, 'busy', 1);
    const idle = resource(ledger, 'idle', 1);
    const onBusy = ledger.group([{ row: busy, amount: 1 }], 'test');
    const onIdle = ledger.group([{ row: idle, amount: 1 }], 'test');
    for (let i = 0; i < 10_001; i++) ledger.enqueue(waiterOf(onBusy, { rank: 100, by }), onBusy);
    expect(admitAll(ledger)).toHaveLength(1);
    take();
    ledger.enqueue(waiterOf(onIdle, { by }), onIdle);
    expect(admitAll(ledger)).toEqual([onIdle]);
    expect(take()).toBeLessThan(10);
  });

  it('costs no more for each of a hundred thousand waiters than for each of a thousand', () => {
    const asked = [1_000, 100_000].map((count) => {
      const ledger = new Ledger();
      const { by, take } = countingComparator();
      const row = resource(ledger, 'cpu', 3);
      const group = ledger.group([{ row, amount: 1 }], 'test');
      for (let i = 0; i < count; i++) ledger.enqueue(waiterOf(group, { by }), group);
      let served = admitAll(ledger).length;
      while (served < count) {
        ledger.release(group);
        served += admitAll(ledger).length;
      }
      return take() / count;
    });
    expect(asked[1]).toBeLessThan((asked[0] as number) * 1.5 + 1);
  });

  it('finds the waiters that it has, and none that left', () => {
    const { ledger } = crowd();
    const waiters: Waiter[] = [...ledger.waiters()].map(({ waiter }) => waiter);
    expect(waiters).toHaveLength(11_000);
    for (const { waiter, group } of [...ledger.waiters()]) ledger.withdraw(waiter, group);
    expect([...ledger.waiters()]).toHaveLength(0);
    expect(ledger.waiting).toBe(0);
  });
});
