/** What others hold too much of, generated: resources, locks, slots of agents, limits. */
import type { OrchestratorOptions } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { crowded, type MakePart, ORDER, type Part, permutation } from './explain-part.ts';
import { SCENE, type Stage } from './explain-stage.ts';

interface HeldRow {
  readonly reason: 'resource' | 'lock' | 'agent' | 'concurrency';
  readonly name: string;
  readonly options?: OrchestratorOptions;
  readonly capacity: number;
  readonly needed: number;
  readonly takes: readonly { readonly amount: number; readonly byHost: boolean }[];
  readonly order: readonly number[];
  /** The needs of somebody who takes or wants so much. */
  readonly needs: (amount: number) => object;
  /** Takes so much for the host itself. */
  readonly claim?: (stage: Stage, amount: number) => Promise<{ release(): void }>;
  /** Whether the holders are mates of the task that waits. */
  readonly areMates?: boolean;
  readonly cutTo?: number | undefined;
}

/** Something of which others hold too much. */
function held(row: HeldRow): Part {
  const { reason, name, capacity, needed, takes, needs, claim, areMates = false, cutTo } = row;
  const ids = takes.map((_, i) => `${reason}-${i}`);
  const gone = new Set<number>();
  const grants = new Map<number, { release(): void }>();
  const isLock = reason === 'lock';
  const show = (amount: number): number => (isLock ? Math.min(1, amount) : amount);
  let there = capacity;
  const used = (): number => takes.reduce((sum, { amount }, i) => (gone.has(i) ? sum : sum + amount), 0);
  const lack = (stage: Stage): object => ({
    ...{ kind: reason, name, needed: show(needed), used: show(used()), capacity: show(there) },
    free: isLock ? 0 : Math.max(0, there - used()),
    mode: isLock ? (needed === capacity ? 'exclusive' : 'shared') : undefined,
    freeInMs: undefined,
    holders: [
      ...takes.flatMap(({ amount, byHost }, i) =>
        byHost || gone.has(i) ? [] : [{ holder: stage.holder(ids[i] as string), amount: show(amount) }],
      ),
      ...[...grants.keys()].map((i) => ({
        holder: { kind: 'claim', claimId: expectClaim },
        amount: show(takes[i]?.amount ?? 0),
      })),
    ],
  });
  const end = async (stage: Stage, i: number): Promise<void> => {
    gone.add(i);
    const grant = grants.get(i);
    grants.delete(i);
    if (grant === undefined) await stage.end(ids[i] as string);
    else grant.release();
  };
  const lifts: ((stage: Stage) => Promise<void> | void)[] = [];
  let left = used();
  if (cutTo !== undefined) {
    for (const size of [needed - 0.5, needed])
      lifts.push(({ orchestrator }) => {
        there = size;
        orchestrator.resources.setCapacity(name, size);
      });
  }
  for (const i of permutation(row.order, takes.length)) {
    if (left + needed <= (cutTo === undefined ? capacity : needed)) break;
    left -= takes[i]?.amount ?? 0;
    lifts.push((stage) => end(stage, i));
  }
  return {
    reason,
    ...(row.options === undefined ? undefined : { options: row.options }),
    needs: needs(needed),
    ...(areMates
      ? { concurrency: capacity, mates: ids.map((id) => ({ id, needs: { priority: 9 } })) }
      : undefined),
    before: async (stage) => {
      for (const [i, { amount, byHost }] of takes.entries()) {
        if (byHost && claim !== undefined) grants.set(i, await claim(stage, amount));
        else if (!areMates) await stage.hold(ids[i] as string, needs(amount));
      }
    },
    after: ({ orchestrator }) => {
      if (cutTo === undefined) return;
      there = cutTo;
      orchestrator.resources.setCapacity(name, cutTo);
    },
    told: (stage) => ({ status: 'waiting', lacks: [lack(stage)] }),
    steps: (stage) => [
      ...(needed > there ? [{ step: 'capacity', kind: reason, name, atLeast: needed }] : []),
      ...(gone.size < takes.length ? [{ step: 'release', ...lack(stage) }] : []),
    ],
    says: (stage) => [JSON.stringify(name), ...holderTexts(stage, ids, gone, grants)],
    lifts,
  };
}

const expectClaim = { asymmetricMatch: (found: unknown): boolean => /^claim-\d+$/.test(String(found)) };

function holderTexts(
  stage: Stage,
  ids: readonly string[],
  gone: ReadonlySet<number>,
  grants: ReadonlyMap<number, unknown>,
): readonly string[] {
  // A text lists a few names, and counts the others.
  if (ids.length - gone.size > 4) return [];
  return ids.flatMap((id, i) =>
    gone.has(i)
      ? []
      : [grants.has(i) ? 'request claim-' : `${JSON.stringify(id)} of run ${runIdOf(stage, id)}`],
  );
}

function runIdOf(stage: Stage, id: string): string {
  return (stage.holder(id) as { runId: string }).runId;
}

export const resource: fc.Arbitrary<MakePart> = fc
  .record({
    capacity: fc.integer({ min: 1, max: 12 }),
    takes: fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.boolean()), { minLength: 1, maxLength: 5 }),
    wanted: fc.integer({ min: 1, max: 12 }),
    isCut: fc.boolean(),
    order: ORDER,
  })
  .map(({ capacity: whole, takes, wanted, isCut, order }) => {
    const capacity = whole / 2;
    const { fitting, needed } = crowded(
      capacity,
      takes.map(([take]) => Math.min(take / 2, capacity)),
      wanted / 2,
    );
    return () =>
      held({
        ...{
          reason: 'resource',
          name: 'cpu',
          options: { resources: { cpu: capacity } },
          capacity,
          needed,
          order,
        },
        takes: fitting.map((amount, i) => ({ amount, byHost: takes[i]?.[1] ?? false })),
        needs: (cpu) => ({ resourceRequirements: { cpu } }),
        claim: ({ orchestrator }, cpu) => orchestrator.resources.allocateResource({ cpu }),
        cutTo: isCut ? Math.max(0, needed - 1) : undefined,
      });
  });

/** All of a lock, as the model counts; who shares it takes 1. */
const WHOLE = 100;

export const lock: fc.Arbitrary<MakePart> = fc
  .record({
    sharers: fc.array(fc.boolean(), { maxLength: 4 }),
    owner: fc.boolean(),
    mode: fc.constantFrom(1, WHOLE),
    order: ORDER,
  })
  .map(({ sharers, owner, mode, order }) => {
    const request = (amount: number) => ({
      name: 'report',
      mode: amount === WHOLE ? ('exclusive' as const) : ('shared' as const),
    });
    return () =>
      held({
        ...{ reason: 'lock', name: 'report', capacity: WHOLE, order },
        needed: sharers.length === 0 ? mode : WHOLE,
        takes:
          sharers.length === 0
            ? [{ amount: WHOLE, byHost: owner }]
            : sharers.map((byHost) => ({ amount: 1, byHost })),
        needs: (amount) => ({ locks: [request(amount)] }),
        claim: ({ orchestrator }, amount) => orchestrator.concurrency.acquireLock([request(amount)]),
      });
  });

const slots = fc.record({ capacity: fc.integer({ min: 1, max: 4 }), order: ORDER });
const singles = (count: number) => Array.from({ length: count }, () => ({ amount: 1, byHost: false }));

export const agent: fc.Arbitrary<MakePart> = slots.map(
  ({ capacity, order }) =>
    () =>
      held({
        ...{ reason: 'agent', name: 'writer', capacity, needed: 1, order, takes: singles(capacity) },
        options: { agents: { writer: { concurrency: capacity } } },
        needs: () => ({ agentAssigned: 'writer' }),
      }),
);

export const workflowLimit: fc.Arbitrary<MakePart> = slots.map(
  ({ capacity, order }) =>
    () =>
      held({
        ...{ reason: 'concurrency', name: SCENE, capacity, needed: 1, order, takes: singles(capacity) },
        needs: () => ({}),
        areMates: true,
      }),
);

/** The limit over all tasks: everybody who runs holds some of it. */
export const globalLimit: fc.Arbitrary<MakePart> = slots.map(
  ({ capacity, order }) =>
    () =>
      held({
        ...{ reason: 'concurrency', name: 'all tasks', capacity, needed: 1, order, takes: singles(capacity) },
        options: { concurrency: capacity },
        needs: () => ({}),
      }),
);
