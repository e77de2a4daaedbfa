import {
  defineWorkflow,
  type Explanation,
  MemoryStore,
  type Orchestrator,
  type OrchestratorOptions,
  type Run,
  type StreamAppend,
  settled,
  task,
} from '@taskmaster-ai/orchestrator';
import type { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusal } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { startsOf } from '../support/run-log.ts';
import { openStill } from '../support/virtual-orchestrator.ts';

type Reason = Explanation['reason'];

/** A way to bring a reason about: what makes `waiter` wait, what of it is told, and what is said to start it. */
interface Scene {
  readonly reason: Reason;
  readonly open?: OrchestratorOptions;
  /** The needs of the task that waits. */
  readonly waiter: object;
  /** Brings the wait about; returns what the explanation says would start the waiter. */
  readonly before?: (stage: Stage) => Promise<void> | void;
  readonly after?: (stage: Stage) => Promise<void> | void;
  /** What of the explanation is checked. */
  readonly told: (stage: Stage) => object;
  /** Does what `whatWouldStart` names; returns after that. */
  readonly act: (stage: Stage, explanation: Explanation) => Promise<void> | void;
}

/** What the scenes play on. */
interface Stage {
  readonly orchestrator: Orchestrator;
  readonly clock: VirtualClock;
  /** How the tasks that hold something are let go, by path. */
  readonly letGo: Map<string, () => void>;
  /** Starts a run of one task that holds what it needs until it is let go. */
  hold(id: string, needs: object): Promise<Run>;
  run?: Run;
}

async function stageOf(options: OrchestratorOptions = {}): Promise<Stage> {
  const { orchestrator, clock } = await openStill(options);
  const letGo = new Map<string, () => void>();
  const hold = async (id: string, needs: object): Promise<Run> => {
    const gate = createGate();
    letGo.set(id, () => gate.open());
    const holder = task(id, { ...needs, run: () => gate.promise });
    const run = await orchestrator.manageWorkflow(defineWorkflow(`of-${id}`, { tasks: [holder] }));
    await clock.advance(0);
    return run;
  };
  return { orchestrator, clock, letGo, hold };
}

/** Lets those go that the explanation names as holders, and nobody else. */
function releaseHolders({ letGo }: Stage, { whatWouldStart }: Explanation): void {
  let released = 0;
  for (const step of whatWouldStart) {
    if (step.step !== 'release') continue;
    for (const { holder } of step.holders) {
      if (holder.kind !== 'task') continue;
      letGo.get(holder.path)?.();
      released++;
    }
  }
  expect(released).toBeGreaterThan(0);
}

/** Lets just as much time pass as the explanation names, and checks that a moment less is not enough. */
async function passTime({ clock, run }: Stage, { whatWouldStart }: Explanation): Promise<void> {
  const step = whatWouldStart.find((each) => each.step === 'time');
  if (step?.step !== 'time') throw new Error('no time is named');
  await clock.advance(step.inMs - 1);
  expect(run?.explain('waiter').reason).not.toBe('running');
  await clock.advance(1);
}

async function resumeAll({ orchestrator, run }: Stage, { whatWouldStart }: Explanation): Promise<void> {
  for (const step of whatWouldStart) {
    if (step.step !== 'resume') continue;
    const { what, name } = step.by;
    if (what === 'orchestrator') orchestrator.resume();
    else if (what === 'agent') orchestrator.scheduler.resume({ agent: name });
    else if (what === 'workflow') orchestrator.scheduler.resume({ workflowId: name });
    else {
      orchestrator.scheduler.resume({ runId: name });
      await run?.resume();
    }
  }
}

const heldBy = (path: string) => [{ holder: { kind: 'task', path }, amount: expect.any(Number) }];

const SCENES: Readonly<Record<string, Scene>> = {
  'a resource that is held': {
    reason: 'resource',
    open: { resources: { cpu: 3 } },
    waiter: { resourceRequirements: { cpu: 2 } },
    before: async ({ hold }) => void (await hold('hog', { resourceRequirements: { cpu: 2 } })),
    told: () => ({
      lacks: [{ kind: 'resource', name: 'cpu', needed: 2, free: 1, capacity: 3, holders: heldBy('hog') }],
    }),
    act: releaseHolders,
  },
  'two resources, held by two': {
    reason: 'resource',
    open: { resources: { cpu: 1, gpu: 1 } },
    waiter: { resourceRequirements: { cpu: 1, gpu: 1 } },
    before: async ({ hold }) => {
      await hold('one', { resourceRequirements: { cpu: 1 } });
      await hold('two', { resourceRequirements: { gpu: 1 } });
    },
    told: () => ({
      lacks: [
        { name: 'cpu', holders: heldBy('one') },
        { name: 'gpu', holders: heldBy('two') },
      ],
    }),
    act: releaseHolders,
  },
  'a lock': {
    reason: 'lock',
    waiter: { locks: ['report'] },
    before: async ({ hold }) => void (await hold('writer', { locks: ['report'] })),
    told: () => ({
      lacks: [{ kind: 'lock', name: 'report', mode: 'exclusive', needed: 1, holders: heldBy('writer') }],
    }),
    act: releaseHolders,
  },
  'a lock that others share': {
    reason: 'lock',
    waiter: { locks: ['report'] },
    before: async ({ hold }) => {
      await hold('reader-1', { locks: [{ name: 'report', mode: 'shared' }] });
      await hold('reader-2', { locks: [{ name: 'report', mode: 'shared' }] });
    },
    told: () => ({ lacks: [{ name: 'report', holders: [...heldBy('reader-1'), ...heldBy('reader-2')] }] }),
    act: releaseHolders,
  },
  'a slot of an agent': {
    reason: 'agent',
    open: { agents: { writer: { concurrency: 1 } } },
    waiter: { agentAssigned: 'writer' },
    before: async ({ hold }) => void (await hold('busy', { agentAssigned: 'writer' })),
    told: () => ({ lacks: [{ kind: 'agent', name: 'writer', capacity: 1, holders: heldBy('busy') }] }),
    act: releaseHolders,
  },
  'a place among all': {
    reason: 'concurrency',
    open: { concurrency: 1 },
    waiter: {},
    before: async ({ hold }) => void (await hold('first', {})),
    told: () => ({
      position: 1,
      ahead: 0,
      lacks: [{ kind: 'concurrency', name: 'all tasks', holders: heldBy('first') }],
    }),
    act: releaseHolders,
  },
  'the rate of an agent': {
    reason: 'rate',
    open: { agents: { writer: { rate: { limit: 1, per: '1m' } } } },
    waiter: { agentAssigned: 'writer' },
    before: async ({ hold, clock, letGo }) => {
      await hold('early', { agentAssigned: 'writer' });
      letGo.get('early')?.();
      await clock.advance('20s');
    },
    told: () => ({ lacks: [{ kind: 'rate', name: 'writer', free: 0, holders: [], freeInMs: 40_000 }] }),
    act: passTime,
  },
  'a replenishing resource, after two takings': {
    reason: 'rate',
    open: { resources: { tokens: { capacity: 10, per: '1m' } } },
    waiter: { resourceRequirements: { tokens: 8 } },
    before: async ({ hold, clock }) => {
      await hold('some', { resourceRequirements: { tokens: 4 } });
      await clock.advance('10s');
      await hold('more', { resourceRequirements: { tokens: 3 } });
    },
    // After a minute the first four are back, which makes seven; the three of the second make it ten.
    told: () => ({ lacks: [{ kind: 'rate', name: 'tokens', needed: 8, free: 3, freeInMs: 60_000 }] }),
    act: passTime,
  },
  'a budget that is used up': {
    reason: 'budget',
    open: { resources: { money: { budget: 10 } } },
    waiter: { resourceRequirements: { money: 4 } },
    before: async ({ hold }) => void (await hold('spender', { resourceRequirements: { money: 8 } })),
    told: () => ({
      lacks: [{ kind: 'budget', needed: 4, free: 2, capacity: 10, holders: [] }],
      whatWouldStart: [{ step: 'capacity', name: 'money', atLeast: 12 }],
    }),
    act: ({ orchestrator }, { whatWouldStart }) => {
      const [step] = whatWouldStart;
      if (step?.step === 'capacity') orchestrator.resources.setCapacity(step.name, step.atLeast);
    },
  },
  'a budget that was cut below what is spent': {
    reason: 'budget',
    open: { resources: { money: { budget: 10 } } },
    waiter: { resourceRequirements: { money: 4 } },
    before: async ({ hold, orchestrator }) => {
      await hold('spender', { resourceRequirements: { money: 8 } });
      orchestrator.resources.setCapacity('money', 5);
    },
    told: () => ({
      lacks: [{ kind: 'budget', needed: 4, used: 8, free: 0, capacity: 5 }],
      whatWouldStart: [{ step: 'capacity', name: 'money', atLeast: 12 }],
    }),
    act: ({ orchestrator }, { whatWouldStart }) => {
      const [step] = whatWouldStart;
      if (step?.step === 'capacity') orchestrator.resources.setCapacity(step.name, step.atLeast);
    },
  },
  'the orchestrator is paused': {
    reason: 'paused',
    waiter: {},
    before: ({ orchestrator }) => orchestrator.pause(),
    told: () => ({ pausedBy: [{ what: 'orchestrator' }], lacks: [] }),
    act: resumeAll,
  },
  'its agent is paused': {
    reason: 'paused',
    waiter: { agentAssigned: 'writer' },
    before: ({ orchestrator }) => orchestrator.scheduler.pause({ agent: 'writer' }),
    told: () => ({ pausedBy: [{ what: 'agent', name: 'writer' }], lacks: [] }),
    act: resumeAll,
  },
  'its workflow is paused': {
    reason: 'paused',
    waiter: {},
    before: ({ orchestrator }) => orchestrator.scheduler.pause({ workflowId: 'scene' }),
    told: () => ({ pausedBy: [{ what: 'workflow', name: 'scene' }] }),
    act: resumeAll,
  },
  'its run is paused': {
    reason: 'paused',
    open: { concurrency: 1 },
    waiter: {},
    before: async ({ hold }) => void (await hold('first', {})),
    after: async ({ run, letGo, clock }) => {
      await run?.pause();
      letGo.get('first')?.();
      await clock.advance(0);
    },
    told: ({ run }) => ({ pausedBy: [{ what: 'run', name: run?.runId }] }),
    act: resumeAll,
  },
  'everything is paused, and it lacks something': {
    reason: 'paused',
    open: { resources: { cpu: 1 } },
    waiter: { resourceRequirements: { cpu: 1 }, agentAssigned: 'writer' },
    before: async ({ orchestrator, hold }) => {
      await hold('hog', { resourceRequirements: { cpu: 1 } });
      orchestrator.pause();
      orchestrator.scheduler.pause({ agent: 'writer' });
      orchestrator.scheduler.pause({ workflowId: 'scene' });
    },
    told: () => ({
      pausedBy: [{ what: 'orchestrator' }, { what: 'workflow' }, { what: 'agent' }],
      lacks: [{ name: 'cpu', holders: heldBy('hog') }],
    }),
    act: async (stage, explanation) => {
      await resumeAll(stage, explanation);
      await stage.clock.advance(0);
      expect(stage.run?.explain('waiter').reason).toBe('resource');
      releaseHolders(stage, explanation);
    },
  },
};

/** Plays a scene up to the wait, and returns what is told of it. */
async function play(scene: Scene): Promise<{ readonly stage: Stage; readonly explanation: Explanation }> {
  const stage = await stageOf(scene.open);
  await scene.before?.(stage);
  const waiter = task('waiter', { ...scene.waiter, run: () => createGate().promise });
  stage.run = await stage.orchestrator.manageWorkflow(defineWorkflow('scene', { tasks: [waiter] }));
  await stage.clock.advance(0);
  await scene.after?.(stage);
  return { stage, explanation: stage.run.explain('waiter') };
}

describe('explain', () => {
  it.each(Object.entries(SCENES))('says what holds a task back, and that starts it: %s', async (_, scene) => {
    const { stage, explanation } = await play(scene);
    expect(explanation).toMatchObject({ reason: scene.reason, status: 'waiting', ...scene.told(stage) });
    expect(explanation.text).toContain('task "waiter"');
    expect(stage.run?.tasks()[0]).toMatchObject({ status: 'waiting', reason: scene.reason });

    await scene.act(stage, explanation);
    await stage.clock.advance(0);
    expect(stage.run?.explain('waiter')).toMatchObject({ reason: 'running', whatWouldStart: [] });
  });

  it('holds for generated needs and holders: what is named is lacking, and giving it back starts the task', async () => {
    const amounts = fc.record({ cpu: fc.integer({ min: 0, max: 4 }), gpu: fc.integer({ min: 0, max: 3 }) });
    const holder = fc.record({
      amounts,
      locks: fc.subarray(['a', 'b']),
      agent: fc.option(fc.constantFrom('x', 'y')),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(holder, { maxLength: 4 }), holder, async (holders, wanted) => {
        const stage = await stageOf({
          resources: { cpu: 4, gpu: 3 },
          agents: { x: { concurrency: 1 }, y: { concurrency: 2 } },
        });
        for (const [i, each] of holders.entries()) await stage.hold(`holder-${i}`, needsOf(each));
        const waiter = task('waiter', { ...needsOf(wanted), priority: 9, run: () => createGate().promise });
        const run = await stage.orchestrator.manageWorkflow(defineWorkflow('scene', { tasks: [waiter] }));
        await stage.clock.advance(0);
        for (let round = 0; run.explain('waiter').reason !== 'running'; round++) {
          expect(round).toBeLessThan(20);
          const explanation = run.explain('waiter');
          const steps = explanation.whatWouldStart.filter((step) => step.step === 'release');
          expect(steps.length).toBeGreaterThan(0);
          for (const step of steps) expect(step.needed).toBeGreaterThan(step.free);
          releaseHolders(stage, explanation);
          await stage.clock.advance(0);
          // Holders that waited themselves may have come in between only if they came first; the waiter is the most urgent.
          expect(run.explain('waiter').reason).toBe('running');
        }
        await stage.orchestrator.close({ grace: 0 });
      }),
      { numRuns: 60 },
    );
  });

  it('names dependencies that have not ended, and each of them', async () => {
    const { orchestrator, clock } = await openStill();
    const gates = { a: createGate(), b: createGate() };
    const a = task('a', { run: () => gates.a.promise });
    const b = task('b', { run: () => gates.b.promise });
    const last = task('last', { dependencies: { a, b: settled(b) }, run: () => createGate().promise });
    const run = await orchestrator.manageWorkflow(defineWorkflow('dependencies', { tasks: [a, b, last] }));
    await clock.advance(0);
    const unmet = [
      { path: 'a', status: 'in_progress', anyOutcome: false },
      { path: 'b', status: 'in_progress', anyOutcome: true },
    ];
    expect(run.explain('last')).toMatchObject({
      reason: 'dependency',
      status: 'created',
      unmet,
      whatWouldStart: unmet.map((each) => ({ step: 'dependency', ...each })),
      text: 'task "last" waits for "a" to complete (it is in progress), "b" to end (it is in progress).',
    });

    gates.b.fail(new Error('no'));
    await clock.advance(0);
    expect(run.explain('last')).toMatchObject({ reason: 'dependency', unmet: [unmet[0]] });
    gates.a.open();
    await clock.advance(0);
    expect(run.explain('last').reason).toBe('running');
  });

  it('names the time until the next attempt, and what went wrong', async () => {
    const { orchestrator, clock } = await openStill();
    const flaky = task('waiter', {
      retry: { maxAttempts: 2, delay: '30s' },
      run: ({ attempt }) => {
        if (attempt === 1) throw new Error('not yet');
        return createGate().promise;
      },
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('timer', { tasks: [flaky] }));
    await clock.advance('10s');
    const explanation = run.explain('waiter');
    expect(explanation).toMatchObject({
      reason: 'timer',
      status: 'retrying',
      attempt: 1,
      dueAt: 30_000,
      inMs: 20_000,
      failure: { message: 'not yet' },
      whatWouldStart: [{ step: 'time', inMs: 20_000 }],
    });
    await clock.advance(19_999);
    expect(run.explain('waiter')).toMatchObject({ reason: 'timer', inMs: 1 });
    await clock.advance(1);
    expect(run.explain('waiter')).toMatchObject({ reason: 'running', attempt: 2 });
  });

  it('says that a condition has not been evaluated', async () => {
    const { orchestrator, clock } = await openStill();
    const seen: Explanation[] = [];
    const asks = task('asks', {
      when: () => {
        const [run] = orchestrator.runs();
        if (run !== undefined) seen.push(run.explain('asks'));
        return true;
      },
      run: () => 1,
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('condition', { tasks: [asks] }));
    await clock.advance(0);
    expect(seen).toMatchObject([{ reason: 'condition', whatWouldStart: [{ step: 'condition' }] }]);
    expect(run.explain('asks')).toMatchObject({
      reason: 'finished',
      status: 'completed',
      whatWouldStart: [],
    });
  });

  it('tells the position, and how many come first for the same', async () => {
    const { orchestrator, clock, hold, letGo } = await stageOf({ resources: { gpu: 1 } });
    await hold('hog', { resourceRequirements: { gpu: 1 } });
    const gpu = (id: string, priority: number) =>
      task(id, { priority, resourceRequirements: { gpu: 1 }, run: () => createGate().promise });
    const tasks = [gpu('low', 1), gpu('high', 3), gpu('middle', 2)];
    const run = await orchestrator.manageWorkflow(defineWorkflow('order', { tasks }));
    await clock.advance(0);
    expect(run.explain('low')).toMatchObject({ reason: 'resource', position: 3, ahead: 2 });
    expect(run.explain('low').whatWouldStart).toMatchObject([
      { step: 'release', holders: [{ holder: { kind: 'task', path: 'hog', attempt: 1 } }] },
      { step: 'queue', ahead: 2 },
    ]);
    expect(run.explain('high')).toMatchObject({ position: 1, ahead: 0 });
    letGo.get('hog')?.();
    await clock.advance(0);
    expect(startsOf((await stopAndRead(run)).slice())).toEqual(['high']);
  });

  it('names a request of the host that holds a lock', async () => {
    const { orchestrator, clock } = await stageOf();
    const grant = await orchestrator.concurrency.acquireLock('report');
    const waiter = task('waiter', { locks: ['report'], run: () => createGate().promise });
    const run = await orchestrator.manageWorkflow(defineWorkflow('claim', { tasks: [waiter] }));
    await clock.advance(0);
    expect(run.explain('waiter')).toMatchObject({
      reason: 'lock',
      lacks: [{ name: 'report', holders: [{ holder: { kind: 'claim' } }] }],
    });
    grant.release();
    await clock.advance(0);
    expect(run.explain('waiter').reason).toBe('running');
  });

  it('says that nothing starts any more while the orchestrator closes, and how ended tasks have ended', async () => {
    const { orchestrator, clock, hold, letGo } = await stageOf({ concurrency: 1 });
    await hold('first', {});
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('closing', { tasks: [task('late', { run: () => 1 })] }),
    );
    await clock.advance(0);
    const closing = orchestrator.close({ grace: '1m' });
    expect(run.explain('late')).toMatchObject({ reason: 'closing', whatWouldStart: [] });
    letGo.get('first')?.();
    await closing;
    expect(run.explain('late')).toMatchObject({ reason: 'closing' });
  });

  it('tells nothing that is not durable', async () => {
    const store = new SlowStore();
    const { orchestrator, clock } = await openStill({ store });
    const gate = createGate();
    const a = task('a', { run: () => gate.promise });
    const b = task('b', { dependencies: { a }, run: () => createGate().promise });
    const run = await orchestrator.manageWorkflow(defineWorkflow('slow', { tasks: [a, b] }));
    await clock.advance(0);
    const monitor = orchestrator.monitorTask(run.runId, 'b');
    const write = store.hold();
    gate.open();
    await nextTurn();
    const before = {
      reason: 'dependency',
      status: 'created',
      attempt: 0,
      unmet: [{ path: 'a', status: 'in_progress' }],
    };
    expect(run.explain('b')).toMatchObject(before);
    expect(run.explain('a')).toMatchObject({ reason: 'running' });
    expect(orchestrator.scheduler.handleTaskDependencies({ runId: run.runId, path: 'b' }).met).toEqual([]);
    expect([monitor.status, monitor.reason, monitor.attempts]).toEqual(['created', 'dependency', 0]);
    write();
    await nextTurn();
    await nextTurn();
    expect(run.explain('b').reason).toBe('running');
    expect([monitor.status, monitor.attempts]).toEqual(['in_progress', 1]);
  });

  it('refuses a task that is not there, and names the nearest', async () => {
    const { orchestrator } = await stageOf();
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('few', { tasks: [task('parse', { run: () => 1 })] }),
    );
    const error = refusal(() => run.explain('prase'));
    expect(error).toMatchObject({ code: 'TASK_NOT_FOUND', details: { path: 'prase' } });
    expect(error.message).toContain('Did you mean "parse"?');
    expect(refusal(() => run.explain(7 as never)).code).toBe('TASK_NOT_FOUND');
  });
});

/** A store whose appends wait while it is held. */
class SlowStore extends MemoryStore {
  #held: Promise<void> | undefined;

  /** Returns how to let it go on. */
  hold(): () => void {
    const gate = createGate();
    this.#held = gate.promise;
    return () => {
      this.#held = undefined;
      gate.open();
    };
  }

  override append(batch: readonly StreamAppend[]): undefined {
    const append = super.append.bind(this);
    // A store may answer with a promise; only the type of the memory store says that this one does not.
    return (this.#held === undefined ? append(batch) : this.#held.then(() => append(batch))) as undefined;
  }
}

interface Wanted {
  readonly amounts: Readonly<Record<'cpu' | 'gpu', number>>;
  readonly locks: readonly string[];
  readonly agent: string | null;
}

function needsOf({ amounts, locks, agent }: Wanted): object {
  const resourceRequirements = Object.fromEntries(Object.entries(amounts).filter(([, amount]) => amount > 0));
  return { resourceRequirements, locks, ...(agent === null ? undefined : { agentAssigned: agent }) };
}

async function stopAndRead(run: Run) {
  await run.cancel();
  const events = [];
  for await (const event of run.events({ follow: false })) events.push(event);
  return events;
}
