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

/** Every task once, none before its dependencies, at no time (for rates: in no span of time) more than there is. */
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
      for (const { row, units } of needs[i] ?? []) {
        const back = rows[row]?.comesBack ?? 'end';
        const from = start[i] as number;
        const until = back === 'end' ? (finish[i] as number) : back === 'never' ? Infinity : from + back;
        if (from <= now && now < until) used[row] = (used[row] ?? 0) + units;
      }
    rows.forEach(({ capacity }, row) => {
      if ((used[row] ?? 0) > capacity) breaches.push(`row ${row} at ${now}`);
    });
  }
  expect(breaches).toEqual([]);
  expect(started).toBe(size);
  expect(makespan).toBe(Math.max(0, ...finish));
}

/** What a dispatcher does, moment by moment, asking everybody each time. For problems in whole numbers. */
export function naiveStarts(
  { size, durations, rows, needs, dependentStart, dependents }: ScheduleProblem,
  order: Int32Array,
): readonly number[] {
  const start: number[] = new Array(size).fill(Number.NaN);
  const isMet = (task: number, now: number): boolean => {
    for (let from = 0; from < size; from++)
      for (let e = dependentStart[from] as number; e < (dependentStart[from + 1] as number); e++)
        if (dependents[e] === task && !((start[from] as number) + (durations[from] as number) <= now))
          return false;
    return true;
  };
  const usedAt = (row: number, now: number): number => {
    let used = 0;
    for (let i = 0; i < size; i++)
      for (const need of needs[i] ?? []) {
        if (need.row !== row || Number.isNaN(start[i])) continue;
        const back = rows[row]?.comesBack ?? 'end';
        const span = back === 'end' ? (durations[i] as number) : back === 'never' ? Infinity : back;
        // Who takes no time has it at that time all the same, until the next look.
        if ((start[i] as number) + span > now || (span === 0 && pending.has(i))) used += need.units;
      }
    return used;
  };
  const pending = new Set<number>();
  const end = durations.reduce((sum, one) => sum + one, 0) + size * 50;
  for (let now = 0; now <= end; ) {
    pending.clear();
    for (const task of order) {
      if (!Number.isNaN(start[task]) || !isMet(task, now) || isNew(task, now)) continue;
      const fits = (needs[task] ?? []).every(
        ({ row, units }) => usedAt(row, now) + units <= (rows[row]?.capacity ?? 0),
      );
      if (!fits) continue;
      start[task] = now;
      if (durations[task] === 0) pending.add(task);
    }
    if (pending.size === 0) now++;
  }
  return start;

  /** Whether what it waits for has only just started, and takes no time: it is ready at the next look. */
  function isNew(task: number, now: number): boolean {
    for (const from of pending) {
      if (start[from] !== now) continue;
      for (let e = dependentStart[from] as number; e < (dependentStart[from + 1] as number); e++)
        if (dependents[e] === task) return true;
    }
    return false;
  }
}
