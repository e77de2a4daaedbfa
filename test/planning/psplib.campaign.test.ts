/** The planner against published instances (PSPLIB: Kolisch and Sprecher, EJOR 96, 1997); skipped where they are not. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listSchedule, type Scheme } from '../../src/planning/list-schedule.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { checkSchedule, problemOf } from './schedules.ts';

interface Instance {
  readonly name: string;
  readonly capacity: readonly number[];
  readonly best: { readonly lb: number; readonly ub: number };
  readonly tasks: readonly {
    readonly id: number;
    readonly duration: number;
    readonly demand: readonly number[];
    readonly successors: readonly number[];
  }[];
}

const folder = new URL('../../../shared/workloads/rcpsp/', import.meta.url);

function read(set: string): readonly Instance[] {
  const lines = readFileSync(new URL(`${set}.jsonl`, folder), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as Instance);
}

/** The mean of how much longer than the best known makespan, in percent. */
function deviation(instances: readonly Instance[], scheme: Scheme, tries: number): number {
  let sum = 0;
  for (const { capacity, tasks, best } of instances) {
    const problem = problemOf({
      capacities: capacity,
      tasks: tasks.map(({ duration, demand }) => ({ duration, demand })),
      edges: tasks.flatMap(({ id, successors }) => successors.map((to) => [id - 1, to - 1] as const)),
    });
    const { schedule, tries: built } = listSchedule(problem, { scheme, tries, random: seededRandom(7) });
    expect(built).toBeLessThanOrEqual(tries);
    checkSchedule(problem, schedule);
    expect(schedule.makespan).toBeGreaterThanOrEqual(best.lb);
    sum += schedule.makespan / best.ub - 1;
  }
  return (100 * sum) / instances.length;
}

const isHere = existsSync(folder);

describe.skipIf(!isHere)(
  isHere
    ? 'the published instances'
    : 'the published instances (skipped: they are not beside this repository)',
  () => {
    // One pass is what is published for this rule and scheme on these instances: 5.91, 6.75, 9.17. A dispatcher, which
    // never keeps anything free, cannot come near the best known of j30, however many orders are tried.
    it.each([
      ['j30', 5.92, 2.3],
      ['j60', 6.76, 3.4],
      ['j120', 9.18, 5.9],
    ] as const)('%s: a dispatcher with an order of one try, and of a hundred', (set, once, hundred) => {
      const instances = read(set);
      const found = [deviation(instances, 'parallel', 1), deviation(instances, 'parallel', 100)] as const;
      console.log(`${set}: ${found[0].toFixed(2)} % in one try, ${found[1].toFixed(2)} % in a hundred`);

      expect(found[0]).toBeLessThanOrEqual(once);
      expect(found[1]).toBeLessThanOrEqual(hundred);
    });

    it.each([
      ['j30', 1],
      ['j60', 3],
      ['j120', 6],
    ] as const)('%s: an optimiser that may build a hundred schedules is within %d percent', (set, aim) => {
      const found = deviation(read(set), 'serial', 100);
      console.log(`${set}: ${found.toFixed(2)} % with a hundred serial schedules`);

      expect(found).toBeLessThan(aim);
    });
  },
);
