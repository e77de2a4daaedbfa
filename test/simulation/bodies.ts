/**
 * Makes workflows of their descriptions. Their handlers do what the scenario says, and write into the ledger when they
 * begin and end: what they write is what the world outside of the orchestrator has seen.
 *
 * Who may call it: the host of a process.
 *
 * BO1  A dead process writes nothing.
 * BO2  What a handler returns follows from its task, its attempt and what it was given: so everybody can tell.
 */

import type { AnyTask, AnyWorkflow, HandlerContext } from '@taskmaster-ai/orchestrator';
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { behaviourOf } from './behaviour.ts';
import type { Behaviour, LockSpec, Scenario, TaskSpec, WorkflowSpec } from './scenario.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

type Context = HandlerContext<unknown, Readonly<Record<string, unknown>>>;

/** One for each who waits: a promise keeps all that wait for it. */
function never(): Promise<never> {
  return new Promise(() => {});
}

/** Who runs bodies. */
interface Stage {
  readonly world: World;
  readonly process: SimulatedProcess;
}

/** So long is what a body adds that is to return something large. */
const LARGE_CHARS = 1_500;

/** The same definition each time, so that it is made and judged once for all processes and plays. */
const defined = new WeakMap<WorkflowSpec, readonly AnyWorkflow[]>();

/** All versions of a workflow, the first one first. */
export function workflowsOf(spec: WorkflowSpec): readonly AnyWorkflow[] {
  const known = defined.get(spec);
  if (known !== undefined) return known;
  const workflows = spec.versions.map(
    (tasks) =>
      defineWorkflow(spec.name, {
        tasks: tasks.map((one) => taskOf(one, spec.name)) as never[],
        failurePolicy: spec.failurePolicy,
        ...(spec.concurrency === undefined ? undefined : { concurrency: spec.concurrency }),
      }) as AnyWorkflow,
  );
  defined.set(spec, workflows);
  return workflows;
}

/** The handlers of one process. */
export function handlersOf(
  { workflows }: Scenario,
  stage: Stage,
): Readonly<Record<string, (context: Context) => unknown>> {
  const handlers: Record<string, (context: Context) => unknown> = {};
  for (const { name, versions } of workflows)
    for (const spec of versions.flat())
      handlers[`${name}.${spec.id}`] ??= (context) => body(context, spec, stage);
  return handlers;
}

function taskOf(spec: TaskSpec, workflow: string): AnyTask {
  const { id, dependencies, priority, agent, resources, locks, retry, maxRestarts, when } = spec;
  return task(id, {
    dependencies: dependencies.map(({ id: taskId, settled }) => {
      return { taskId, on: settled ? 'settled' : 'completed' } as const;
    }),
    handler: `${workflow}.${id}`,
    priority,
    agentAssigned: agent,
    resourceRequirements: resources,
    locks,
    retry,
    timeout: spec.timeout,
    totalTimeout: spec.totalTimeout,
    heartbeatTimeout: spec.heartbeatTimeout,
    maxRestarts,
    ...(when === undefined ? undefined : { when: () => conditionOf(when) }),
  }) as AnyTask;
}

function conditionOf(when: boolean | 'throws'): boolean {
  if (when === 'throws') throw new Error('the condition does not know');
  return when;
}

function body(context: Context, spec: TaskSpec, stage: Stage): unknown {
  const { world, process } = stage;
  if (!process.isAlive) return never();
  const { runId: run, path, attempt, restart, dependencies, locks, idempotencyKey } = context;
  world.note({
    kind: 'start',
    process: process.number,
    t: world.now,
    run,
    path,
    attempt,
    restart,
    dependencies,
    tokens: Object.fromEntries((spec.locks ?? []).map(({ name }) => [name, locks.token(name)])),
    idempotencyKey,
  });
  const behaviour = behaviourOf(spec, attempt);
  if (behaviour.waits.length === 0 && behaviour.locks === undefined && behaviour.end !== 'hang')
    return conclude(context, behaviour, stage);
  return act(context, behaviour, stage);
}

async function act(context: Context, behaviour: Behaviour, stage: Stage): Promise<unknown> {
  const { world, process } = stage;
  const nested: { release(): void }[] = [];
  const release = (): void => {
    if (behaviour.keepsLocks) return;
    for (const one of nested.splice(0)) one.release();
  };
  try {
    for (const [i, ms] of behaviour.waits.entries()) {
      await sleep(ms, context, behaviour, stage);
      if (!process.isAlive) return never();
      if (behaviour.tells === 'progress') context.progress({ step: i });
      if (behaviour.tells === 'heartbeat') context.heartbeat();
      const lock = behaviour.locks?.[i];
      if (lock !== undefined) nested.push(await takeLock(context, lock, behaviour, stage));
    }
    if (behaviour.end === 'hang') await sleep(1e9, context, behaviour, stage);
    if (!process.isAlive) return never();
  } catch (error) {
    if (!process.isAlive) return never();
    release();
    noteEnd(context, stage, 'threw');
    throw error;
  }
  release();
  const given = conclude(context, behaviour, stage);
  if (behaviour.changesOutput)
    world.after(1, () => {
      // Whoever gave it out may have frozen it.
      Reflect.set((given as { list: unknown[] }).list, 0, 'changed later');
    });
  return given;
}

function sleep(ms: number, { clock }: Context, { deaf }: Behaviour, stage: Stage): Promise<void> {
  if (deaf !== true) return clock.sleep(ms);
  return new Promise((resolve) => stage.world.after(ms, resolve, stage.process));
}

async function takeLock(
  context: Context,
  { name, mode }: LockSpec,
  { lockTimeout }: Behaviour,
  stage: Stage,
): Promise<{ release(): void }> {
  const { world, process } = stage;
  const { runId: run, path, attempt } = context;
  const note = (kind: 'locked' | 'unlocked'): void =>
    world.note({ kind, process: process.number, t: world.now, run, path, attempt, name, mode });
  const held = await context.locks.acquire(name, { mode, timeout: lockTimeout });
  if (!process.isAlive) return never();
  note('locked');
  return {
    release: () => {
      note('unlocked');
      if (held.isHeld) held.release();
    },
  };
}

/** Ends as it should: returns what it gives, or throws. */
function conclude(context: Context, { end, isLarge }: Behaviour, stage: Stage): unknown {
  if (end === 'return') {
    const output = outputOf(context, isLarge === true);
    noteEnd(context, stage, 'returned', JSON.parse(JSON.stringify(output)));
    return output;
  }
  noteEnd(context, stage, 'threw');
  if (end === 'throw_null') throw null;
  const error = new Error(`${context.taskId} fails in attempt ${context.attempt}`);
  throw end === 'fatal' ? Object.assign(error, { retryable: false }) : error;
}

function outputOf({ taskId, attempt, dependencies }: Context, isLarge: boolean): unknown {
  const output = { by: taskId, attempt, list: [textSum(JSON.stringify(dependencies))] };
  return isLarge ? { ...output, text: taskId.padEnd(LARGE_CHARS, '.') } : output;
}

/** A number that stands for a text (FNV-1a, 32 bits). */
export function textSum(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}

function noteEnd(context: Context, stage: Stage, how: 'returned' | 'threw', output?: unknown): void {
  const { runId: run, path, attempt, restart } = context;
  stage.world.note({
    kind: 'end',
    process: stage.process.number,
    t: stage.world.now,
    run,
    path,
    attempt,
    restart,
    how,
    ...(output === undefined ? undefined : { output }),
  });
}
