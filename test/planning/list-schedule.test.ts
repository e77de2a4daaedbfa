/** The planner: every schedule is a possible one, none beats a bound, and a real run takes as long as was said. */
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dispatch } from '../../src/planning/dispatch.ts';
import { latestFinishes, latestFinishOrder } from '../../src/planning/latest-finish.ts';
import { listSchedule, type Scheme } from '../../src/planning/list-schedule.ts';
import { sampleOrder } from '../../src/planning/sample-order.ts';
import type { PlannedRow, ScheduleProblem } from '../../src/planning/schedule-problem.ts';
import { serialSchedule } from '../../src/planning/serial-schedule.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';
import { checkSchedule, naiveStarts, type ProblemSpec, problemOf } from './schedules.ts';

const CAPACITIES = [3, 5];

/** The rule alone. */
const rule = { scheme: 'parallel', tries: 1, random: () => 0 } as const;

/** What the rows of a problem are: both renewable, or a rate and a budget that is enough. */
const kinds = fc.constantFrom('renewable', 'rate and budget');

function withKinds(problem: ScheduleProblem, kind: string): ScheduleProblem {
  if (kind === 'renewable') return problem;
  return {
    ...problem,
    rows: [
      { capacity: 3, comesBack: 7 },
      { capacity: 1_000, comesBack: 'never' },
    ],
  };
}

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

const searches = fc.record({
  scheme: fc.constantFrom<Scheme>('parallel', 'serial'),
  tries: fc.integer({ min: 1, max: 30 }),
  seed: fc.integer(),
});

/** All orders in which each task stands behind its dependencies. */
function* ordersOf(problem: ScheduleProblem, before: readonly number[] = []): IterableIterator<Int32Array> {
  if (before.length === problem.size) yield Int32Array.from(before);
  const unmet = problem.unmet.slice();
  for (const task of before)
    for (let e = problem.dependentStart[task] ?? 0; e < (problem.dependentStart[task + 1] ?? 0); e++) {
      const next = problem.dependents[e] as number;
      unmet[next] = (unmet[next] as number) - 1;
    }
  for (let i = 0; i < problem.size; i++)
    if (unmet[i] === 0 && !before.includes(i)) yield* ordersOf(problem, [...before, i]);
}

describe('list scheduling by latest finish time', () => {
  it('keeps to precedence and capacity, and never beats the critical path or the work over the capacity', () => {
    fc.assert(
      fc.property(specs, searches, kinds, (spec, { seed, ...search }, kind) => {
        const problem = withKinds(problemOf(spec), kind);
        const { schedule, bounds, order, tries } = listSchedule(problem, {
          ...search,
          random: seededRandom(seed),
        });
        expect(tries).toBeLessThanOrEqual(search.tries);
        checkSchedule(problem, schedule);
        expect(schedule.makespan).toBeGreaterThanOrEqual(bounds.criticalPath);
        expect(schedule.makespan).toBeGreaterThanOrEqual(bounds.work);
        expect(schedule.makespan).toBeLessThanOrEqual(dispatch(problem, latestFinishOrder(problem)).makespan);
        const place = new Map([...order].map((one, i) => [one, i]));
        for (const [from, to] of spec.edges) expect(place.get(from)).toBeLessThan(place.get(to) as number);
        // What a dispatcher is to do, it does.
        if (search.scheme === 'parallel') expect(dispatch(problem, order)).toEqual(schedule);
      }),
      { numRuns: 400 },
    );
  });

  it('says the same for the same seed, and never gets worse by more tries', () => {
    fc.assert(
      fc.property(specs, searches, (spec, { seed, ...search }) => {
        const problem = problemOf(spec);
        const find = (tries: number) =>
          listSchedule(problem, { ...search, tries, random: seededRandom(seed) }).schedule;
        expect(find(search.tries)).toEqual(find(search.tries));
        expect(find(search.tries).makespan).toBeLessThanOrEqual(find(1).makespan);
      }),
      { numRuns: 50 },
    );
  });

  it('keeps something free for what comes later, when that ends earlier: only the serial scheme', () => {
    // The long one needs all, after the first; a dispatcher starts the middle one at once, which is then in its way.
    const problem = problemOf({
      capacities: [2],
      tasks: [
        { duration: 1, demand: [1] },
        { duration: 10, demand: [2] },
        { duration: 5, demand: [1] },
        { duration: 8, demand: [0] },
      ],
      edges: [
        [0, 1],
        [1, 3],
      ],
    });
    const find = (scheme: Scheme) =>
      listSchedule(problem, { scheme, tries: 100, random: seededRandom(1) }).schedule;
    expect([...find('parallel').start]).toEqual([0, 5, 0, 15]);
    expect([...find('serial').start]).toEqual([0, 1, 11, 11]);
  });

  it('finds the shortest of all serial schedules of a few tasks', () => {
    const few = specs.filter(({ tasks }) => tasks.length <= 5);
    fc.assert(
      fc.property(few, fc.integer(), (spec, seed) => {
        const problem = problemOf(spec);
        let shortest = Number.POSITIVE_INFINITY;
        for (const order of ordersOf(problem)) {
          const schedule = serialSchedule(problem, order);
          checkSchedule(problem, schedule);
          shortest = Math.min(shortest, schedule.makespan);
        }
        const found = listSchedule(problem, { scheme: 'serial', tries: 300, random: seededRandom(seed) });
        expect(found.schedule.makespan).toBe(shortest);
        expect(found.bounds.work).toBeLessThanOrEqual(shortest);
      }),
      { numRuns: 150 },
    );
  });

  it('starts what a naive dispatcher starts, who asks everybody at every moment', () => {
    fc.assert(
      fc.property(specs, kinds, fc.integer(), (spec, kind, seed) => {
        const problem = withKinds(problemOf(spec), kind);
        const random = seededRandom(seed);
        const order = sampleOrder(problem, { keys: latestFinishes(problem), keep: 0, least: 100, random });
        expect([...dispatch(problem, order).start]).toEqual(naiveStarts(problem, order));
      }),
      { numRuns: 200 },
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
    expect(listSchedule(chain, rule).schedule.makespan).toBe(size);
    const wide = {
      ...chain,
      dependentStart: new Int32Array(size + 1),
      dependents: Int32Array.from(nobody),
      unmet: new Int32Array(size),
    };
    expect(listSchedule(wide, rule).schedule.makespan).toBe(size / 4);
    // Nobody needs what another one needs: 1 to 3 units of one row, and something of its own.
    const own = {
      ...wide,
      rows: [wide.rows[0] as PlannedRow, { capacity: size, comesBack: 'end' as const }],
      needs: Array.from({ length: size }, (_, i) => [
        { row: 0, units: 1 + (i % 3) },
        { row: 1, units: 1 + i / size },
      ]),
    };
    expect(listSchedule(own, rule).schedule.makespan).toBeLessThan(size);
  });
});

/** What an orchestrator and a workflow may be limited by beside the resources of a problem. */
const limits = fc.record({
  all: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  workflow: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  rate: fc.boolean(),
  policy: fc.constantFrom('priority' as const, 'critical-path' as const),
});

function workflowOf({ tasks, edges }: ProblemSpec, concurrency: number | undefined, isRated: boolean) {
  return defineWorkflow('w', {
    concurrency,
    tasks: tasks.map(({ duration, demand }, i) =>
      task(`t${i}`, {
        estimatedDuration: duration,
        dependencies: [...new Set(edges.filter(([, to]) => to === i).map(([from]) => `t${from}`))],
        resourceRequirements: Object.fromEntries([
          ...demand.flatMap((units, r) => (units > 0 ? [[`r${r}`, units]] : [])),
          ...(isRated && i % 3 === 0 ? [['calls', 1]] : []),
        ]),
        locks: i % 5 === 4 ? ['file'] : i % 5 === 2 ? [{ name: 'file', mode: 'shared' }] : [],
        agentAssigned: i % 4 === 3 ? 'writer' : undefined,
        run: ({ clock }: { clock: { sleep(ms: number): Promise<void> } }) =>
          duration === 0 ? undefined : clock.sleep(duration),
      } as never),
    ) as never,
  });
}

/** A rate gives back in the very moment in which a task ends; whoever waits for both comes first. */
const rateAndEndAtOnce: [
  ProblemSpec,
  { workflow: number; rate: boolean; policy: 'priority'; all: undefined },
  number,
] = [
  {
    capacities: CAPACITIES,
    tasks: [
      [0, 4],
      [3, 2],
      [2, 5],
      [3, 1],
      [0, 0],
      [2, 0],
      [0, 0],
      [0, 0],
      [0, 0],
      [2, 2],
      [0, 0],
      [0, 0],
      [0, 0],
      [1, 0],
    ].map(([duration = 0, units = 0]) => ({ duration, demand: [0, units] })),
    edges: [[9, 13]],
  },
  { all: undefined, workflow: 2, rate: true, policy: 'priority' },
  1,
];

describe('a plan that was applied', () => {
  it('is what the run does: every task of the real scheduler starts when it was said', async () => {
    await fc.assert(
      fc.asyncProperty(specs, limits, fc.integer({ min: 1, max: 20 }), async (spec, given, tries) => {
        const workflow = workflowOf(spec, given.workflow, given.rate);
        const { orchestrator, clock } = await openVirtual({
          resources: { r0: 3, r1: 5, calls: { capacity: 2, per: 7 } },
          agents: { writer: { concurrency: 1 } },
          concurrency: given.all,
          policy: given.policy,
        });
        orchestrator.pause();
        const run = await orchestrator.manageWorkflow(workflow);
        const plan = await orchestrator.resources.optimizeResourceAllocation(workflow, { apply: run, tries });
        const begin = clock.monotonic();
        orchestrator.resume();
        await run.result();
        const took = clock.monotonic() - begin;
        const starts = new Map<string, number>();
        for await (const event of run.events())
          if (event.type === 'TaskStarted') starts.set(event.path, event.at - begin);
        await orchestrator.close();
        for (const { taskId, start } of plan.tasks)
          expect([taskId, starts.get(taskId)]).toEqual([taskId, start]);
        expect(took).toBe(plan.makespan);
        expect(took).toBeGreaterThanOrEqual(plan.lowerBound);
      }),
      { numRuns: 150, examples: [rateAndEndAtOnce] },
    );
  });
});
