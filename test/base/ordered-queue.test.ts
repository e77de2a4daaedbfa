import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrderedQueue } from '../../src/base/ordered-queue.ts';

interface Entry {
  key: number;
  id: number;
  live: boolean;
}

const compare = (a: Entry, b: Entry) => a.key - b.key || a.id - b.id;
const isLive = (entry: Entry) => entry.live;

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('push' as const), n: fc.nat(30) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('rising' as const), n: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('pop' as const), n: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('discard' as const), n: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('values' as const), n: fc.nat() }) },
);

describe('OrderedQueue', () => {
  it('behaves as a sorted list under random operations', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 400 }), (operations) => {
        const queue = new OrderedQueue<Entry>(compare, isLive);
        let model: Entry[] = [];
        let next = 0;
        for (const { op, n } of operations) {
          if (op === 'push' || op === 'rising') {
            const entry = { key: op === 'push' ? n : 15, id: next, live: true };
            next += 1;
            queue.push(entry);
            model.push(entry);
            model.sort(compare);
          } else if (op === 'pop') {
            expect(queue.pop()).toBe(model.shift());
          } else if (op === 'discard' && model.length > 0) {
            const entry = model[n % model.length] as Entry;
            entry.live = false;
            model = model.filter(isLive);
            queue.discard();
          } else if (op === 'values') {
            expect([...queue.values()]).toEqual(model);
          }
          expect(queue.size).toBe(model.length);
          if (n % 3 === 0) expect(queue.peek()).toBe(model[0]);
        }
        for (const entry of model) expect(queue.pop()).toBe(entry);
        expect(queue.pop()).toBeUndefined();
      }),
    );
  });

  it('counts right when many die before the first is reported', () => {
    const queue = new OrderedQueue<Entry>(compare, isLive);
    const entries = Array.from({ length: 100 }, (_, id) => ({ key: (id * 37) % 11, id, live: true }));
    for (const entry of entries) queue.push(entry);
    for (const entry of entries.slice(0, 90)) entry.live = false;
    expect(queue.peek()?.live).toBe(true);
    for (let i = 0; i < 90; i += 1) queue.discard();
    expect(queue.size).toBe(10);
    expect([...queue.values()]).toEqual(entries.slice(90).sort(compare));
  });

  it('asks for liveness a bounded number of times per item', () => {
    let asked = 0;
    const queue = new OrderedQueue<Entry>(compare, (entry) => {
      asked += 1;
      return entry.live;
    });
    const total = 20_000;
    const entries = Array.from({ length: total }, (_, id) => ({ key: id % 7, id, live: true }));
    for (const entry of entries) queue.push(entry);
    for (const entry of entries) {
      entry.live = false;
      queue.discard();
    }
    expect(queue.size).toBe(0);
    expect(queue.peek()).toBeUndefined();
    expect(asked).toBeLessThan(4 * total);
  });

  it('keeps working over a long run of pushes and pops', () => {
    const queue = new OrderedQueue<Entry>(compare, isLive);
    let pushed = 0;
    let popped = 0;
    for (let round = 0; round < 3_000; round += 1) {
      for (let i = 0; i < round % 50; i += 1) queue.push({ key: 0, id: pushed++, live: true });
      for (let i = 0; i < (round * 7) % 50 && queue.size > 0; i += 1) expect(queue.pop()?.id).toBe(popped++);
      expect(queue.size).toBe(pushed - popped);
    }
  });

  it('forgets everything on clear', () => {
    const queue = new OrderedQueue<Entry>(compare, isLive);
    for (let id = 0; id < 40; id += 1) queue.push({ key: -id, id, live: true });
    queue.clear();
    expect(queue.size).toBe(0);
    expect(queue.peek()).toBeUndefined();
    expect([...queue.values()]).toEqual([]);
    queue.discard();
    expect(queue.size).toBe(0);
    queue.push({ key: 1, id: 1, live: true });
    expect(queue.pop()?.id).toBe(1);
  });
});
