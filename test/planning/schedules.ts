/** Problems for the planner, and a check of schedules that shares nothing with it. */
import { expect } from 'vitest';
import type { Schedule, ScheduleProblem } from '../../src/planning/schedule-problem.ts';

export interface ProblemSpec {
  readonly capacities: readonly number[];
  readonly tasks: readonly { readonly duration: number; readonly demand: readonly number[] }[];
  readonly edges: readonly (readonly [from: number, to: number])[];
}

/** Edges point from lower to higher numbers. */
export function problemOf({ capacities, tasks, edges }: ProblemSpec): ScheduleProblem {
  const size = tasks.length;
  const known = new Set<string>();
  const unique = edges.filter(([from, to]) => {
    const key = `${from} ${to}`;
    return !known.has(key) && known.add(key);
  });
  const dependents: number[] = [];
  const dependentStart = new Int32Array(size + 1);
  const unmet = new Int32Array(size);
  for (let i = 0; i < size; i++) {
    for (const [from, to] of unique) {
      if (from !== i) continue;
      dependents.push(to);
      unmet[to] = (unmet[to] as number) + 1;
    }
    dependentStart[i + 1] = dependents.length;
  }
  return {
    size,
    order: topological(size, unique),
    dependentStart,
    dependents: Int32Array.from(dependents),
    unmet,
    durations: Float64Array.from(tasks, ({ duration }) => duration),
    rows: capacities.map((capacity) => ({ capacity, comesBack: 'end' })),
    needs: tasks.map(({ demand }) => demand.flatMap((units, row) => (units > 0 ? [{ row, units }] : []))),
  };
}

function topological(size: number, edges: readonly (readonly [number, number])[]): Int32Array {
  const open = new Set(Array.from({ length: size }, (_, i) => i));
  const order: number[] = [];
  while (open.size > 0) {
    const before = order.length;
    for (const i of open) {
      if (edges.some(([from, to]) => to === i && open.has(from))) continue;
      open.delete(i);
      order.push(i);
    }
    if (order.length === before) throw new Error('a cycle');
  }
  return Int32Array.from(order);
}

/** Every task once, none before its dependencies, at no time more than there is. */
export function checkSchedule(
  problem: ScheduleProblem,
  { start, finish, makespan, started }: Schedule,
): void {
  const { size, dependentStart, dependents, durations, rows, needs } = problem;
  const breaches: string[] = [];
  for (let i = 0; i < size; i++) {
    if (finish[i] !== (start[i] as number) + (durations[i] as number)) breaches.push(`the length of ${i}`);
    for (let e = dependentStart[i] as number; e < (dependentStart[i + 1] as number); e++)
      if (!((start[dependents[e] as number] as number) >= (finish[i] as number)))
        breaches.push(`edge from ${i}`);
  }
  for (let at = 0; at < size; at++) {
    const now = start[at] as number;
    const used = rows.map(() => 0);
    for (let i = 0; i < size; i++)
      if ((start[i] as number) <= now && now < (finish[i] as number))
        for (const { row, units } of needs[i] ?? []) used[row] = (used[row] ?? 0) + units;
    rows.forEach(({ capacity }, row) => {
      if ((used[row] ?? 0) > capacity) breaches.push(`row ${row} at ${now}`);
    });
  }
  expect(breaches).toEqual([]);
  expect(started).toBe(size);
  expect(makespan).toBe(Math.max(0, ...finish));
}
