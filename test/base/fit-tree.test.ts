import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FitNode, FitTree } from '../../src/base/fit-tree.ts';

interface Entry {
  key: number;
  id: number;
}

const byKey = (a: Entry, b: Entry) => a.key - b.key;

interface Row {
  item: Entry;
  amount: number;
}

const operation = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constant('insert' as const), fc.nat(50), fc.nat(20)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), fc.nat(), fc.nat()) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('fit' as const), fc.nat(22), fc.nat()) },
);

describe('FitTree', () => {
  it('behaves as a sorted list under random operations', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const tree = new FitTree<Entry>(byKey);
        const model: Row[] = [];
        const nodes: FitNode<Entry>[] = [];
        let id = 0;
        for (const [op, n, amount] of operations) {
          if (op === 'insert') {
            const item = { key: n, id };
            id += 1;
            nodes.push(tree.insert(item, amount));
            model.push({ item, amount });
            model.sort((a, b) => byKey(a.item, b.item) || a.item.id - b.item.id);
          } else if (op === 'delete' && nodes.length > 0) {
            const [node] = nodes.splice(n % nodes.length, 1) as [FitNode<Entry>];
            tree.delete(node);
            model.splice(
              model.findIndex((row) => row.item === node.item),
              1,
            );
            expect(() => tree.delete(node)).toThrow(/not in this fit tree/);
          } else if (op === 'fit') {
            expect(tree.firstFitting(n - 1)).toBe(model.find((row) => row.amount <= n - 1)?.item);
          }
          expect(tree.size).toBe(model.length);
          expect(tree.first()).toBe(model[0]?.item);
        }
        expect([...tree.values()]).toEqual(model.map((row) => row.item));
        for (let free = -1; free <= 21; free += 1) {
          expect(tree.firstFitting(free)).toBe(model.find((row) => row.amount <= free)?.item);
        }
      }),
    );
  });

  it('stays shallow for sorted input', () => {
    let compared = 0;
    const tree = new FitTree<number>((a, b) => {
      compared += 1;
      return a - b;
    });
    const total = 50_000;
    const nodes = Array.from({ length: total }, (_, i) => tree.insert(i, total - i));
    // An ideal tree takes about log2(n) = 15.6 comparisons; a random one about 1.4 times as many.
    expect(compared / total).toBeLessThan(40);
    expect(tree.firstFitting(1)).toBe(total - 1);
    expect(tree.firstFitting(total / 2)).toBe(total / 2);
    for (const node of nodes) tree.delete(node);
    expect(tree.size).toBe(0);
    expect(tree.first()).toBeUndefined();
    expect(tree.firstFitting(Number.POSITIVE_INFINITY)).toBeUndefined();
  });

  it('refuses foreign nodes and amounts that are no amounts', () => {
    const tree = new FitTree<number>((a, b) => a - b);
    const other = new FitTree<number>((a, b) => a - b);
    const node = tree.insert(1, 1);
    expect(() => other.delete(node)).toThrow(/another tree/);
    expect(() => tree.insert(2, -1)).toThrow(RangeError);
    expect(() => tree.insert(2, Number.NaN)).toThrow(RangeError);
    expect(tree.firstFitting(Number.NaN)).toBeUndefined();
    expect([...tree.values()]).toEqual([1]);
  });
});
