/** Generated situations in which a task does not run, one kind for each reason, and what ends each of them. */
import { defineWorkflow, type Explanation, task } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import fc from 'fast-check';
import { expect } from 'vitest';
import { LiveRun } from '../../src/managers/workflows/live-run.ts';
import { compile } from '../../src/model/compile.ts';
import { openEngine } from '../../src/orchestrator/engine.ts';
import { globalLimit } from './explain-held.ts';
import { type MakePart, type Part, permutation } from './explain-part.ts';
import { PARTS } from './explain-parts.ts';
import { NOISE, resumesAll, silence, stageParts } from './explain-play.ts';
import { SCENE, Stage, WAITER } from './explain-stage.ts';
import { agentRate } from './explain-used.ts';
import { createGate, type Gate, nextTurn } from './gate.ts';
import { withChildren } from './plan-spec.ts';

export type Reason = Explanation['reason'];

/** A task that does not run, and what can be done about it. */
export interface Situation {
  why(): Explanation;
  /** What the explanation has, apart from the reason. */
  told(): object;
  steps(): readonly object[];
  says(): readonly string[];
  /** Where the task stands in the queue, if it does. */
  position?(why: Explanation): number;
  /** Everybody ends who has nothing to do with it. */
  innocents(): Promise<void>;
  /** Each does some of what is named; nothing but the last of them ends the situation. */
  readonly lifts: readonly (() => Promise<void> | void)[];
  /** What is told after that. */
  readonly after: object;
  close(): Promise<void>;
}

export type MakeSituation = () => Promise<Situation>;

/** One thing holds the task back, and it waits in the queue, aside, for a time or for others. */
function byPart(make: fc.Arbitrary<MakePart>, isQuiet = false): fc.Arbitrary<MakeSituation> {
  return fc.tuple(make, NOISE).map(([makePart, noise]) => async () => {
    const part = makePart();
    const { priority, waiting } = noise;
    const { stage, innocents } = await stageParts([part], { priority }, isQuiet ? undefined : noise);
    let isNoisy = !isQuiet;
    return {
      why: () => stage.why(),
      told: () => ({ runId: stage.run.runId, path: WAITER, ...part.told(stage) }),
      steps: () => part.steps(stage),
      says: () => part.says(stage),
      position: (why) => {
        // Those around have left, unless the queue stands still for all; the idle one came into it with its resume.
        if (!isNoisy && !why.whatWouldStart.some(resumesAll)) return 1;
        const others = isNoisy || !noise.pauses || isQuiet ? waiting : [...waiting, 0];
        return 1 + (isQuiet ? 0 : others.filter((other) => other >= priority).length);
      },
      innocents: async () => {
        await innocents();
        isNoisy = false;
      },
      lifts: part.lifts.map((lift) => async () => {
        await lift(stage);
        await stage.settle();
      }),
      after: { reason: 'running', whatWouldStart: [] },
      close: () => stage.close(),
    };
  });
}

/** What a situation has that does not change. */
function still(
  stage: Stage,
  {
    told,
    says,
    steps = [],
    ...others
  }: Pick<Situation, 'lifts' | 'after'> & {
    readonly innocents?: () => Promise<void>;
    readonly told: object;
    readonly says: readonly string[];
    readonly steps?: readonly object[];
  },
): Situation {
  return {
    why: () => stage.why(),
    told: () => told,
    steps: () => steps,
    says: () => says,
    innocents: silence,
    close: () => stage.close(),
    ...others,
  };
}

const condition: fc.Arbitrary<MakeSituation> = fc
  .record({ answer: fc.boolean(), next: fc.constantFrom('running', 'paused', 'lock') })
  .map(({ answer, next }) => async () => {
    const stage = await Stage.open();
    if (next === 'lock') await stage.hold('writer', { locks: ['report'] });
    if (next === 'paused') stage.orchestrator.scheduler.pause({ agent: 'writer' });
    await stage.start({
      needs: { when: () => answer, agentAssigned: 'writer', locks: ['report'] },
      mates: [{ id: 'first', edge: 'completed' }],
    });
    // The end of the first one is written; what its end brings about is not, until the store answers again.
    stage.store.hold(1);
    const ended = stage.end('first');
    await turns();
    const resumes = next === 'paused' ? [{ step: 'resume', by: { what: 'agent', name: 'writer' } }] : [];
    return still(stage, {
      told: { status: 'ready', attempt: 0 },
      steps: [{ step: 'condition' }, ...resumes],
      says: ['its condition has not been evaluated yet'],
      lifts: [() => release(stage, ended)],
      after: answer ? { reason: next } : { reason: 'finished', status: 'skipped' },
    });
  });

/** Everything is there; only the start is not durable yet. */
const ready: fc.Arbitrary<MakeSituation> = fc
  .oneof(PARTS.resource, PARTS.lock, PARTS.agent, PARTS.concurrency, PARTS.rate, PARTS.budget, PARTS.timer)
  .map((makePart) => async () => {
    const part = makePart();
    const { stage } = await stageParts([part]);
    for (const lift of part.lifts.slice(0, -1)) await lift(stage);
    await stage.settle();
    stage.store.hold();
    const ended = (async () => part.lifts.at(-1)?.(stage))();
    await turns();
    return still(stage, {
      told: { status: 'ready', position: undefined },
      says: ['starts in the next turn'],
      lifts: [() => release(stage, ended)],
      after: { reason: 'running' },
    });
  });

async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await nextTurn();
}

async function release(stage: Stage, ended: Promise<void>): Promise<void> {
  stage.store.letGo();
  await ended;
  await stage.settle();
}

/** Nothing starts any more: whatever ends, it waits for nothing. */
const closing: fc.Arbitrary<MakeSituation> = fc
  .tuple(
    fc.oneof(
      PARTS.resource,
      PARTS.lock,
      PARTS.agent,
      PARTS.concurrency,
      PARTS.dependency,
      PARTS.timer,
      PARTS.paused,
    ),
    NOISE,
  )
  .map(([makePart, noise]) => async () => {
    const part = makePart();
    const { stage, innocents } = await stageParts([part], {}, noise);
    const closed = stage.orchestrator.close({ grace: '1m' });
    return still(stage, {
      told: {},
      says: ['does not start any more'],
      innocents,
      // What waits for a time is no longer waited for.
      lifts: part.reason === 'timer' ? [() => stage.clock.advance('2m')] : endings(part, stage, closed),
      after: { reason: 'closing' },
    });
  });

function endings(part: Part, stage: Stage, closed: Promise<void>): readonly (() => Promise<void>)[] {
  return [
    async () => {
      for (const lift of part.lifts) await tolerant(lift(stage));
      await stage.clock.advance('2m');
      await closed;
    },
  ];
}

/** What is refused because everything ends is none of our concern. */
async function tolerant(lift: Promise<void> | void): Promise<void> {
  await Promise.resolve(lift).catch(() => {});
}

const running: fc.Arbitrary<MakeSituation> = fc
  .record({ isStopped: fc.boolean(), fails: fc.boolean(), noise: NOISE })
  .map(({ isStopped, fails, noise }) => async () => {
    const { stage, innocents } = await stageParts([FREE], {}, noise);
    if (isStopped) await stage.run.cancelTask(WAITER);
    return still(stage, {
      told: { status: 'in_progress', attempt: 1, isStopping: isStopped },
      says: ['is in progress (attempt 1)', isStopped ? 'told to stop' : '.'],
      innocents,
      lifts: [() => stage.end(WAITER, fails)],
      after: { reason: 'finished', status: isStopped ? 'cancelled' : fails ? 'failed' : 'completed' },
    });
  });

/** A part that holds nobody back. */
const FREE: Part = {
  reason: 'running',
  told: () => ({}),
  steps: () => [],
  says: () => [],
  lifts: [],
};

const finished: fc.Arbitrary<MakeSituation> = fc
  .constantFrom('completed', 'failed', 'cancelled', 'skipped', 'condition')
  .map((end) => async () => {
    const stage = await Stage.open();
    if (end === 'cancelled') await stage.hold('writer', { locks: ['report'] });
    await stage.start({
      needs: { locks: ['report'], ...(end === 'condition' ? { when: () => false } : undefined) },
      mates: [{ id: 'first', edge: 'completed' }],
    });
    await stage.end('first', end === 'skipped');
    if (end === 'cancelled') await stage.run.cancelTask(WAITER);
    if (end === 'completed' || end === 'failed') await stage.end(WAITER, end === 'failed');
    const status = end === 'condition' ? 'skipped' : end;
    const why = end === 'failed' ? 'waiter has failed' : end === 'cancelled' ? 'was cancelled' : undefined;
    const failure = why === undefined ? undefined : { message: expect.stringContaining(why) as string };
    return still(stage, {
      told: { status, failure },
      says: [`it is ${status}`, why ?? '.'],
      lifts: [() => stage.end('writer')],
      after: { reason: 'finished', status },
    });
  });

/** Child scopes that are open; no method of the facade opens one yet, so the handler gives the command. */
const child: fc.Arbitrary<MakeSituation> = fc
  .record({
    scopes: fc.integer({ min: 1, max: 4 }),
    tasks: fc.integer({ min: 1, max: 3 }),
    order: fc.array(fc.nat(99), { minLength: 12, maxLength: 12 }),
  })
  .map(({ scopes: count, tasks, order }) => async () => {
    const clock = new VirtualClock({ auto: false });
    const engine = await openEngine({ clock });
    await engine.begin();
    const { parts, starter } = engine;
    const gates = new Map<string, Gate>();
    const wait = ({ path }: { readonly path: string }): Promise<void> => {
      const gate = createGate();
      gates.set(path, gate);
      return gate.promise;
    };
    const ids = Array.from({ length: tasks }, (_, i) => `part-${i}`);
    const inner = compile(defineWorkflow('inner', { tasks: ids.map((id) => task(id, { run: wait })) }));
    const scopes = Array.from({ length: count }, (_, i) => `${WAITER}[doc-${i}]`);
    const opens = task(WAITER, {
      run: () => {
        for (const path of scopes) parts.loop.submit(run, { type: 'OpenScope', at: 0, path });
      },
    });
    const other = task('other', { run: wait });
    const outer = compile(defineWorkflow(SCENE, { tasks: [opens, other] }));
    const plan = withChildren(outer, new Map([[WAITER, inner]]));
    const submission = parts.directory.nextSubmission();
    const run = new LiveRun({ runId: 'run-1', plan, bound: parts.scheduler.bind(plan), submission });
    parts.directory.add(run);
    parts.loop.submit(run, { type: 'StartRun', at: 0, workflowVersion: 1, input: {}, priority: 0 });
    await clock.advance(0);
    const handle = starter.handleOf(run);
    const ended = new Set<string>();
    const open = (): readonly string[] =>
      scopes.filter((scope) => ids.some((id) => !ended.has(`${scope}/${id}`)));
    const paths = scopes.flatMap((scope) => ids.map((id) => `${scope}/${id}`));
    const end = async (path: string): Promise<void> => {
      ended.add(path);
      gates.get(path)?.open();
      await clock.advance(0);
    };
    return {
      why: () => handle.explain(WAITER),
      told: () => ({ status: 'in_progress', open: open().length, scopes: open() }),
      steps: () => [],
      says: () => ['child scope', ...open().map((scope) => JSON.stringify(scope))],
      innocents: () => end('other'),
      lifts: permutation(order, paths.length).map((i) => () => end(paths[i] as string)),
      after: { reason: 'finished', status: 'completed' },
      close: () => engine.close({ grace: 0 }),
    };
  });

/** One for each reason that an explanation can have: without one, this does not compile. */
export const SCENES: { readonly [Each in Reason]: fc.Arbitrary<MakeSituation> } = {
  resource: byPart(PARTS.resource),
  lock: byPart(PARTS.lock),
  agent: byPart(PARTS.agent),
  concurrency: fc.oneof(byPart(PARTS.concurrency), byPart(globalLimit, true)),
  rate: fc.oneof(byPart(PARTS.rate), byPart(agentRate)),
  budget: byPart(PARTS.budget),
  paused: byPart(PARTS.paused),
  dependency: byPart(PARTS.dependency),
  timer: byPart(PARTS.timer),
  condition,
  ready,
  child,
  running,
  finished,
  closing,
};
