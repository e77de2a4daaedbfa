/**
 * Generated things that hold a task back, each with a model of its own: what is told of it, and who has to do what
 * before it is over. Several of them can hold back one task.
 */
import type { Explanation, OrchestratorOptions } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { agent, lock, resource, workflowLimit } from './explain-held.ts';
import { type MakePart, ORDER, type Part, permutation } from './explain-part.ts';
import { SCENE, type Stage } from './explain-stage.ts';
import { budget, tokens } from './explain-used.ts';

type Pause = 'orchestrator' | 'workflow' | 'run' | 'logged' | 'agent';
const PAUSES: readonly Pause[] = ['orchestrator', 'workflow', 'run', 'logged', 'agent'];

function pauseOrResume(
  { orchestrator, run }: Stage,
  pause: Pause,
  isPause: boolean,
): Promise<unknown> | undefined {
  const { scheduler } = orchestrator;
  const target =
    pause === 'workflow'
      ? { workflowId: SCENE }
      : pause === 'run'
        ? { runId: run.runId }
        : pause === 'agent'
          ? { agent: 'writer' }
          : undefined;
  if (pause === 'logged') return isPause ? run.pause() : run.resume();
  if (isPause) scheduler.pause(target);
  else scheduler.resume(target);
  return undefined;
}

const paused: fc.Arbitrary<MakePart> = fc
  .record({ which: fc.subarray([...PAUSES], { minLength: 1 }), order: ORDER })
  .map(({ which, order }) => () => {
    const open = new Set(which);
    const by = ({ run }: Stage): readonly object[] =>
      PAUSES.filter((pause) => open.has(pause)).map((pause) => {
        if (pause === 'orchestrator') return { what: 'orchestrator', name: '' };
        if (pause === 'workflow') return { what: 'workflow', name: SCENE };
        if (pause === 'agent') return { what: 'agent', name: 'writer' };
        return { what: 'run', name: run.runId, ...(pause === 'logged' ? { isLogged: true } : undefined) };
      });
    return {
      reason: 'paused',
      ...(which.includes('agent') ? { needs: { agentAssigned: 'writer' } } : undefined),
      after: async (stage) => {
        for (const pause of which) await pauseOrResume(stage, pause, true);
      },
      told: (stage) => ({ status: 'waiting', pausedBy: by(stage), lacks: [] }),
      steps: (stage) => by(stage).map((each) => ({ step: 'resume', by: each })),
      says: () => ['is paused'],
      lifts: permutation(order, which.length).map((i) => async (stage: Stage) => {
        const pause = which[i] as Pause;
        open.delete(pause);
        await pauseOrResume(stage, pause, false);
      }),
    } satisfies Part;
  });

const dependency: fc.Arbitrary<MakePart> = fc
  .record({
    mates: fc.array(
      fc.record({
        edge: fc.constantFrom('completed' as const, 'settled' as const),
        isMet: fc.boolean(),
        isChained: fc.boolean(),
        fails: fc.boolean(),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    order: ORDER,
  })
  .map(({ mates, order }) => {
    // The last one is never met; only who is not waited for by another one may fail.
    const all = mates.map((mate, i) => ({
      ...mate,
      id: `before-${i}`,
      isMet: mate.isMet && i < mates.length - 1,
      isChained: mate.isChained && i > 0 && !mate.isMet && mates[i - 1]?.isMet === false,
      fails: mate.fails && mate.edge === 'settled' && !(mates[i + 1]?.isChained === true),
    }));
    return () => {
      const ended = new Set(all.filter(({ isMet }) => isMet).map(({ id }) => id));
      const unmet = (): readonly object[] =>
        all
          .filter(({ id }) => !ended.has(id))
          .map(({ id, edge, isChained }) => {
            const before = all[all.findIndex((each) => each.id === id) - 1]?.id ?? '';
            return {
              path: id,
              status: isChained && !ended.has(before) ? 'created' : 'in_progress',
              anyOutcome: edge === 'settled',
            };
          });
      const turn: number[] = [];
      const add = (i: number): void => {
        const mate = all[i];
        if (mate === undefined || mate.isMet || turn.includes(i)) return;
        if (mate.isChained) add(i - 1);
        turn.push(i);
      };
      for (const i of permutation(order, all.length)) add(i);
      return {
        reason: 'dependency',
        mates: all.map(({ id, edge, isChained }, i) => ({
          ...{ id, edge, needs: { priority: 9 } },
          ...(isChained ? { after: `before-${i - 1}` } : undefined),
        })),
        after: async (stage) => {
          for (const { id, isMet } of all) if (isMet) await stage.end(id);
        },
        told: () => ({ status: 'created', attempt: 0, unmet: unmet() }),
        steps: () => unmet().map((each) => ({ step: 'dependency', ...each })),
        says: () => unmet().map((each) => JSON.stringify((each as { path: string }).path)),
        lifts: turn.map((i) => async (stage: Stage) => {
          const { id, fails } = all[i] as (typeof all)[number];
          ended.add(id);
          await stage.end(id, fails);
        }),
      } satisfies Part;
    };
  });

const timer: fc.Arbitrary<MakePart> = fc
  .record({
    delay: fc.integer({ min: 2, max: 10_000 }),
    fails: fc.integer({ min: 1, max: 3 }),
    waited: fc.double({ min: 0, max: 0.9, noNaN: true }),
    skew: fc.integer({ min: -20_000, max: 20_000 }),
  })
  .map(({ delay, fails, waited, skew }) => () => {
    let monotonicDue = 0;
    let dueAt = 0;
    const left = ({ clock }: Stage): number => monotonicDue - clock.monotonic();
    return {
      reason: 'timer',
      needs: { retry: { maxAttempts: fails + 1, delay, factor: 1 } },
      attempt: (attempt) => {
        if (attempt <= fails) throw new Error(`not yet ${attempt}`);
      },
      after: async ({ clock }) => {
        for (let attempt = 1; attempt < fails; attempt++) await clock.advance(delay);
        monotonicDue = clock.monotonic() + delay;
        dueAt = clock.now() + delay;
        await clock.advance(Math.floor((delay - 1) * waited));
        // Somebody sets the clock of the machine.
        clock.skew(skew);
      },
      told: (stage) => ({
        ...{ status: 'retrying', attempt: fails, dueAt, inMs: left(stage) },
        failure: { message: `not yet ${fails}` },
      }),
      steps: (stage) => [{ step: 'time', inMs: left(stage) }],
      says: () => [`until its next attempt, after not yet ${fails}`],
      lifts: [
        async (stage) => stage.clock.advance(Math.max(0, left(stage) - 1)),
        async (stage) => stage.clock.advance(left(stage)),
      ],
    } satisfies Part;
  });

/** The parts of which several can hold back one task. */
export const PARTS = {
  resource,
  lock,
  agent,
  concurrency: workflowLimit,
  rate: tokens,
  budget,
  paused,
  dependency,
  timer,
} satisfies Partial<Record<Explanation['reason'], fc.Arbitrary<MakePart>>>;

/** What a task that waits has, of all its parts together. */
export function castOf(parts: readonly Part[], needs: object = {}) {
  const attempts = parts.flatMap(({ attempt }) => attempt ?? []);
  return {
    needs: parts.reduce<Record<string, unknown>>((all, part) => merge(all, part.needs ?? {}), { ...needs }),
    mates: parts.flatMap(({ mates }) => mates ?? []),
    concurrency: parts.find(({ concurrency }) => concurrency !== undefined)?.concurrency,
    attempt: (attempt: number): void => {
      for (const each of attempts) each(attempt);
    },
  };
}

/** The options of an orchestrator for several parts. */
export function optionsOf(parts: readonly Part[], others: OrchestratorOptions = {}): OrchestratorOptions {
  return parts.reduce<Record<string, unknown>>((all, part) => merge(all, part.options ?? {}), {
    ...others,
  }) as OrchestratorOptions;
}

function merge(a: Record<string, unknown>, b: object): Record<string, unknown> {
  const both = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const known = both[key];
    if (Array.isArray(known) && Array.isArray(value)) both[key] = [...known, ...value];
    else if (typeof known === 'object' && known !== null && typeof value === 'object')
      both[key] = merge(known as Record<string, unknown>, value as object);
    else both[key] = value;
  }
  return both;
}
