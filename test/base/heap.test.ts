import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HeapHandle, IndexedHeap } from '../../src/base/heap.ts';

interface Entry {
  key: number;
  id: number;
}

const byKey = (a: Entry, b: Entry) => a.key - b.key;

describe('IndexedHeap', () => {
  it('hands out equals in the order of insertion', () => {
    const heap = new IndexedHeap<Entry>(byKey);
    for (let id = 0; id < 50; id += 1) heap.push({ key: id % 2, id });
    const ids = Array.from({ length: 50 }, () => heap.pop()?.id);
    const even = Array.from({ length: 25 }, (_, i) => i * 2);
    expect(ids).toEqual([...even, ...even.map((id) => id + 1)]);
    expect(heap.pop()).toBeUndefined();
    expect(heap.peek()).toBeUndefined();
  });

  it('refuses to remove what is gone or belongs elsewhere', () => {
    const heap = new IndexedHeap<Entry>(byKey);
    const other = new IndexedHeap<Entry>(byKey);
    const handle = heap.push({ key: 1, id: 1 });
    other.push({ key: 1, id: 2 });
    expect(other.remove(handle)).toBe(false);
    expect(heap.remove(handle)).toBe(true);
    expect(heap.remove(handle)).toBe(false);
    const popped = heap.push({ key: 1, id: 3 });
    heap.pop();
    expect(heap.remove(popped)).toBe(false);
    expect(other.size).toBe(1);
  });

  it('behaves as a sorted list under random operations', () => {
    const operation = fc.oneof(
      { weight: 3, arbitrary: fc.record({ op: fc.constant('push' as const), n: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('pop' as const), n: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('remove' as const), n: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const heap = new IndexedHeap<Entry>(byKey);
        const model: Entry[] = [];
        const handles: HeapHandle<Entry>[] = [];
        for (const { op, n } of operations) {
          if (op === 'push') {
            const entry = { key: n, id: handles.length };
            handles.push(heap.push(entry));
            model.push(entry);
            model.sort((a, b) => a.key - b.key || a.id - b.id);
          } else if (op === 'pop') {
            expect(heap.pop()).toBe(model.shift());
          } else if (handles.length > 0) {
            const handle = handles[n % handles.length] as HeapHandle<Entry>;
            const at = model.indexOf(handle.item);
            expect(heap.remove(handle)).toBe(at >= 0);
            if (at >= 0) model.splice(at, 1);
          }
          expect(heap.size).toBe(model.length);
          expect(heap.peek()).toBe(model[0]);
        }
        for (const entry of model) expect(heap.pop()).toBe(entry);
      }),
    );
  });
});
