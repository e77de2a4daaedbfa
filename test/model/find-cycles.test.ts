import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type FlatGraph, findCycles } from '../../src/model/find-cycles.ts';
import { countWork } from '../support/count-work.ts';

vi.hoisted(async () => (await import('../support/count-work.ts')).startCounting());

type Edge = readonly [from: number, to: number];

function graphOf(size: number, edges: readonly Edge[]): FlatGraph {
  const start = new Int32Array(size + 1);
  const sorted = [...edges].sort((a, b) => a[0] - b[0]);
  for (const [from] of sorted) start[from + 1] = (start[from + 1] as number) + 1;
  for (let i = 0; i < size; i++) start[i + 1] = (start[i + 1] as number) + (start[i] as number);
  return { size, start, targets: Int32Array.from(sorted, ([, to]) => to) };
}

/** The number of steps between all pairs, by Floyd (1962) and Warshall (1962); the simplest that can be right. */
function distances(size: number, edges: readonly Edge[]): readonly number[][] {
  const steps = Array.from({ length: size }, () => Array<number>(size).fill(Number.POSITIVE_INFINITY));
  for (const [from, to] of edges) (steps[from] as number[])[to] = 1;
  const at = (i: number, j: number): number => steps[i]?.[j] as number;
  for (let k = 0; k < size; k++)
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) (steps[i] as number[])[j] = Math.min(at(i, j), at(i, k) + at(k, j));
  return steps;
}

/** For each component with a cycle, its first member and the length of its shortest cycle. */
function naive(
  size: number,
  edges: readonly Edge[],
): readonly (readonly [first: number, shortest: number])[] {
  const steps = distances(size, edges);
  const at = (i: number, j: number): number => steps[i]?.[j] as number;
  const done = new Set<number>();
  const found: [number, number][] = [];
  for (let i = 0; i < size; i++) {
    if (done.has(i) || at(i, i) === Number.POSITIVE_INFINITY) continue;
    const members = Array.from({ length: size }, (_, j) => j).filter(
      (j) => at(i, j) + at(j, i) < Number.POSITIVE_INFINITY,
    );
    for (const member of members) done.add(member);
    found.push([i, Math.min(...members.map((j) => at(j, j)))]);
  }
  return found;
}

const graphs = fc.integer({ min: 1, max: 14 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    edges: fc
      .uniqueArray(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 30, selector: String })
      .map((all) => all.filter(([from, to]) => from !== to)),
  }),
);

describe('findCycles', () => {
  it('finds one shortest cycle in each component, as a naive search does', () => {
    fc.assert(
      fc.property(graphs, ({ size, edges }) => {
        const steps = distances(size, edges);
        const cycles = findCycles(graphOf(size, edges));
        const expected = naive(size, edges);
        expect(cycles.map((cycle) => cycle.length)).toEqual(expected.map(([, shortest]) => shortest));
        cycles.forEach((cycle, k) => {
          expect(new Set(cycle).size).toBe(cycle.length);
          cycle.forEach((node, i) => {
            const next = cycle[(i + 1) % cycle.length] as number;
            expect(steps[node]?.[next]).toBe(1);
          });
          const first = expected[k]?.[0] as number;
          expect(
            (steps[first]?.[cycle[0] as number] as number) < Number.POSITIVE_INFINITY || cycle[0] === first,
          ).toBe(true);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same answer every time, also for edges in another order', () => {
    fc.assert(
      fc.property(graphs, ({ size, edges }) => {
        const once = findCycles(graphOf(size, edges));
        expect(findCycles(graphOf(size, edges))).toEqual(once);
        const lengths = findCycles(graphOf(size, [...edges].reverse())).map((cycle) => cycle.length);
        expect(lengths).toEqual(once.map((cycle) => cycle.length));
      }),
      { numRuns: 100 },
    );
  });

  it('finds nothing in a chain of 100,000 nodes, and the whole of a ring of as many', () => {
    const size = 100_000;
    const chain = Array.from({ length: size - 1 }, (_, i): Edge => [i, i + 1]);
    expect(findCycles(graphOf(size, chain))).toEqual([]);
    const [ring, ...others] = findCycles(graphOf(size, [...chain, [size - 1, 0]]));
    expect(others).toEqual([]);
    expect(ring).toHaveLength(size);
  });

  it('does not try every search of a dense component, each of which costs all edges', () => {
    // Everything points forwards, and only the last one back: the cycle is long to find, and there are many ways.
    const searched = (size: number): number => {
      const edges: Edge[] = [];
      for (let i = 0; i < size; i++) for (let j = i + 1; j < Math.min(size, i + 60); j++) edges.push([i, j]);
      edges.push([size - 1, 0]);
      const graph = graphOf(size, edges);
      return countWork(() => expect(findCycles(graph)).toHaveLength(1));
    };
    const [small, large] = [searched(300), searched(1_200)];
    expect(large / small).toBeLessThan(4);
  });

  it('names the components in the order of their first members', () => {
    const edges: Edge[] = [
      ...([
        [5, 3],
        [3, 5],
      ] as const),
      ...([
        [4, 0],
        [0, 4],
      ] as const),
      ...([[1, 2]] as const),
    ];
    expect(findCycles(graphOf(6, edges))).toEqual([
      [0, 4],
      [3, 5],
    ]);
  });
});
