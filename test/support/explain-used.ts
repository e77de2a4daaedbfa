/** What was used up, generated: what only time gives back, and budgets, which nothing gives back. */
import type { OrchestratorOptions } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { crowded, type MakePart, type Part } from './explain-part.ts';
import type { Stage } from './explain-stage.ts';

interface Rated {
  readonly name: string;
  readonly options: OrchestratorOptions;
  readonly capacity: number;
  readonly perMs: number;
  readonly needed: number;
  readonly takes: readonly { readonly amount: number; readonly gap: number }[];
  readonly needs: (amount: number) => object;
  readonly cutTo?: number | undefined;
}

/** Something that only time gives back. */
function rated({ name, options, capacity, perMs, needed, takes, needs, cutTo }: Rated): Part {
  const taken: { readonly amount: number; readonly at: number }[] = [];
  let there = capacity;
  const usedAt = (now: number): number =>
    taken.reduce((sum, { amount, at }) => (at + perMs > now ? sum + amount : sum), 0);
  const left = (stage: Stage): number => {
    const now = stage.clock.monotonic();
    const dues = taken.map(({ at }) => at + perMs).filter((due) => due > now);
    const due = dues.find((time) => usedAt(time) + needed <= Math.max(there, needed));
    return (due ?? now) - now;
  };
  const lifts: ((stage: Stage) => Promise<void> | void)[] = [
    (stage) => stage.clock.advance(left(stage) - 1),
    ({ clock }) => clock.advance(1),
  ];
  if (cutTo !== undefined)
    lifts.unshift(({ orchestrator }) => {
      there = needed;
      orchestrator.resources.setCapacity(name, needed);
    });
  const lack = ({ clock }: Stage): object => {
    const used = usedAt(clock.monotonic());
    return {
      kind: 'rate',
      name,
      needed,
      used,
      free: Math.max(0, there - used),
      capacity: there,
      holders: [],
    };
  };
  return {
    reason: 'rate',
    options,
    needs: needs(needed),
    before: async (stage) => {
      for (const [i, { amount, gap }] of takes.entries()) {
        taken.push({ amount, at: stage.clock.monotonic() });
        await stage.pass(`rate-${i}`, needs(amount));
        await stage.clock.advance(gap);
      }
    },
    after: ({ orchestrator }) => {
      if (cutTo === undefined) return;
      there = cutTo;
      orchestrator.resources.setCapacity(name, cutTo);
    },
    told: (stage) => ({ status: 'waiting', lacks: [{ ...lack(stage), freeInMs: left(stage) }] }),
    steps: (stage) => [
      ...(needed > there ? [{ step: 'capacity', kind: 'rate', name, atLeast: needed }] : []),
      { step: 'time', inMs: left(stage) },
    ],
    says: () => [JSON.stringify(name), needed > there ? 'its capacity is too small' : 'enough comes back in'],
    lifts,
  };
}

/** Gaps that add up to less than the span, so that nothing has come back when the task begins to wait. */
const gaps = fc.array(fc.integer({ min: 0, max: 150 }), { minLength: 6, maxLength: 6 });
const PER_MS = 1_000;

export const tokens: fc.Arbitrary<MakePart> = fc
  .record({
    capacity: fc.integer({ min: 1, max: 12 }),
    takes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }),
    wanted: fc.integer({ min: 1, max: 12 }),
    isCut: fc.boolean(),
    gaps,
  })
  .map(({ capacity: whole, takes, wanted, isCut, gaps }) => {
    const capacity = whole / 2;
    const { fitting, needed } = crowded(
      capacity,
      takes.map((take) => Math.min(take / 2, capacity)),
      wanted / 2,
    );
    return () =>
      rated({
        ...{ name: 'tokens', capacity, perMs: PER_MS, needed },
        options: { resources: { tokens: { capacity, per: PER_MS } } },
        takes: fitting.map((amount, i) => ({ amount, gap: gaps[i] as number })),
        needs: (amount) => ({ resourceRequirements: { tokens: amount } }),
        cutTo: isCut ? Math.max(0, needed - 0.5) : undefined,
      });
  });

/** The starts of an agent; not to be combined with other needs of the same agent. */
export const agentRate: fc.Arbitrary<MakePart> = fc
  .record({ limit: fc.integer({ min: 1, max: 5 }), gaps })
  .map(
    ({ limit, gaps }) =>
      () =>
        rated({
          ...{ name: 'writer', capacity: limit, perMs: PER_MS, needed: 1 },
          options: { agents: { writer: { rate: { limit, per: PER_MS } } } },
          takes: gaps.slice(0, limit).map((gap) => ({ amount: 1, gap })),
          needs: () => ({ agentAssigned: 'writer' }),
        }),
  );

export const budget: fc.Arbitrary<MakePart> = fc
  .record({
    capacity: fc.integer({ min: 1, max: 12 }),
    takes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 }),
    wanted: fc.integer({ min: 1, max: 12 }),
    runs: fc.boolean(),
    cutBy: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
  })
  .map(({ capacity: whole, takes, wanted, runs, cutBy }) => {
    const capacity = whole / 2;
    const { fitting, needed } = crowded(
      capacity,
      takes.map((take) => Math.min(take / 2, capacity)),
      wanted / 2,
    );
    const used = fitting.reduce((sum, amount) => sum + amount, 0);
    const atLeast = used + needed;
    const spend = (amount: number) => ({ resourceRequirements: { money: amount } });
    return () => {
      let there = capacity;
      const set = ({ orchestrator }: Stage, size: number): void => {
        there = size;
        orchestrator.resources.setCapacity('money', size);
      };
      return {
        reason: 'budget',
        options: { resources: { money: { budget: capacity } } },
        needs: spend(needed),
        before: async (stage) => {
          for (const [i, amount] of fitting.entries())
            await (runs
              ? stage.hold(`budget-${i}`, spend(amount))
              : stage.pass(`budget-${i}`, spend(amount)));
        },
        after: (stage) => {
          if (cutBy !== undefined) set(stage, Math.max(0, capacity - cutBy / 2));
        },
        told: () => ({
          status: 'waiting',
          lacks: [
            {
              ...{ kind: 'budget', name: 'money', needed, used, free: Math.max(0, there - used) },
              ...{ capacity: there, holders: [], freeInMs: undefined },
            },
          ],
        }),
        steps: () => [{ step: 'capacity', kind: 'budget', name: 'money', atLeast }],
        says: () => [`${needed} of the budget "money"`, `of ${there} is left`],
        lifts: [
          // That those who have spent it end gives nothing back.
          async (stage) => {
            for (const i of fitting.keys()) await stage.end(`budget-${i}`);
          },
          (stage) => set(stage, atLeast - 0.5),
          (stage) => set(stage, atLeast),
        ],
      } satisfies Part;
    };
  });
