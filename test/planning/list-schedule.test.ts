/** The planner: every schedule is a possible one, none beats a bound, and a real run takes as long as was said. */
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dispatch } from '../../src/planning/dispatch.ts';
import { latestFinishOrder } from '../../src/planning/latest-finish.ts';
import { listSchedule } from '../../src/planning/list-schedule.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';
import { checkSchedule, type ProblemSpec, problemOf } from './schedules.ts';

const CAPACITIES = [3, 5];

const specs: fc.Arbitrary<ProblemSpec> = fc.integer({ min: 1, max: 14 }).chain((size) =>
  fc.record({
    capacities: fc.constant(CAPACITIES),
    tasks: fc.array(
      fc.record({
        duration: fc.integer({ min: 0, max: 9 }),
        demand: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 5 })),
      }),
      { minLength: size, maxLength: size },
    ),
    edges: fc
      .array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 2 * size })
      .map((pairs) => pairs.filter(([a, b]) => a < b)),
  }),
);

describe('list scheduling by latest finish time', () => {
  it('keeps to precedence and capacity, and never beats the critical path or the work over the capacity', () => {
    fc.assert(
      fc.property(specs, fc.integer({ min: 1, max: 20 }), fc.integer(), (spec, tries, seed) => {
        const problem = problemOf(spec);
        const { schedule, bounds, order } = listSchedule(problem, tries, seededRandom(seed));
        checkSchedule(problem, schedule);
        expect(schedule.makespan).toBeGreaterThanOrEqual(bounds.criticalPath);
        expect(schedule.makespan).toBeGreaterThanOrEqual(bounds.work);
        expect(schedule.makespan).toBeLessThanOrEqual(dispatch(problem, latestFinishOrder(problem)).makespan);
        const place = new Map([...order].map((one, i) => [one, i]));
        for (const [from, to] of spec.edges) expect(place.get(from)).toBeLessThan(place.get(to) as number);
      }),
      { numRuns: 400 },
    );
  });

  it('starts what comes first in the order, and passes over what does not fit', () => {
    const none = { duration: 2, demand: [1] };
    const problem = problemOf({
      capacities: [2],
      tasks: [{ duration: 4, demand: [1] }, { duration: 3, demand: [2] }, none, none],
      edges: [],
    });
    expect([...dispatch(problem, Int32Array.of(0, 1, 2, 3)).start]).toEqual([0, 4, 0, 2]);
    expect([...dispatch(problem, Int32Array.of(1, 0, 2, 3)).start]).toEqual([3, 0, 3, 5]);
  });

  it('gives back by time what a rate has given, and never what a budget has', () => {
    const base = problemOf({
      capacities: [2, 4],
      tasks: Array.from({ length: 5 }, () => ({ duration: 1, demand: [1, 1] })),
      edges: [],
    });
    const order = Int32Array.of(0, 1, 2, 3, 4);
    const rate = dispatch(
      {
        ...base,
        rows: [
          { capacity: 2, comesBack: 10 },
          { capacity: 9, comesBack: 'end' },
        ],
      },
      order,
    );
    expect([...rate.start]).toEqual([0, 0, 10, 10, 20]);
    const budget = dispatch(
      {
        ...base,
        rows: [
          { capacity: 2, comesBack: 'end' },
          { capacity: 4, comesBack: 'never' },
        ],
      },
      order,
    );
    expect(budget.started).toBe(4);
  });

  it('takes time in proportion to the tasks: 100,000 of them in a plain graph', () => {
    const size = 100_000;
    const dependentStart = new Int32Array(size + 1);
    const nobody: never[] = [];
    const one = [{ row: 0, units: 1 }];
    for (let i = 0; i < size; i++) dependentStart[i + 1] = Math.min(i + 1, size - 1);
    const order = Int32Array.from({ length: size }, (_, i) => i);
    const chain = {
      size,
      order,
      dependentStart,
      dependents: Int32Array.from({ length: size - 1 }, (_, i) => i + 1),
      unmet: Int32Array.from({ length: size }, (_, i) => (i === 0 ? 0 : 1)),
      durations: new Float64Array(size).fill(1),
      rows: [{ capacity: 4, comesBack: 'end' as const }],
      needs: Array.from({ length: size }, () => one),
    };
    expect(listSchedule(chain, 1, Math.random).schedule.makespan).toBe(size);
    const wide = {
      ...chain,
      dependentStart: new Int32Array(size + 1),
      dependents: Int32Array.from(nobody),
      unmet: new Int32Array(size),
    };
    expect(listSchedule(wide, 1, Math.random).schedule.makespan).toBe(size / 4);
  });
});

describe('a plan that was applied', () => {
  it('is what the run does: the makespan of the real scheduler is the predicted one', async () => {
    await fc.assert(
      fc.asyncProperty(specs, fc.integer({ min: 1, max: 5 }), async ({ tasks, edges }, tries) => {
        const workflow = defineWorkflow('w', {
          tasks: tasks.map(({ duration, demand }, i) =>
            task(`t${i}`, {
              estimatedDuration: duration,
              dependencies: [...new Set(edges.filter(([, to]) => to === i).map(([from]) => `t${from}`))],
              resourceRequirements: Object.fromEntries(
                demand.flatMap((units, r) => (units > 0 ? [[`r${r}`, units]] : [])),
              ),
              locks: i % 5 === 4 ? ['file'] : [],
              agentAssigned: i % 4 === 3 ? 'writer' : undefined,
              run: ({ clock }: { clock: { sleep(ms: number): Promise<void> } }) =>
                duration === 0 ? undefined : clock.sleep(duration),
            } as never),
          ) as never,
        });
        const { orchestrator, clock } = await openVirtual({
          resources: { r0: 3, r1: 5 },
          agents: { writer: { concurrency: 1 } },
        });
        orchestrator.pause();
        const run = await orchestrator.manageWorkflow(workflow as never);
        const plan = await orchestrator.resources.optimizeResourceAllocation(workflow as never, {
          apply: run,
          tries,
        });
        const begin = clock.monotonic();
        orchestrator.resume();
        await run.result();
        const took = clock.monotonic() - begin;
        await orchestrator.close();
        expect(took).toBe(plan.makespan);
        expect(took).toBeGreaterThanOrEqual(plan.lowerBound);
      }),
      { numRuns: 100 },
    );
  });
});
