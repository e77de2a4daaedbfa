/**
 * What the log of a run says, folded by the documents alone: a small model, written apart from the machine, to which the
 * rules compare everything else.
 *
 * Owns: the model of each run. Who may call it: the rules on logs, which judge an event before it is folded here.
 */
import type { LogEvent } from '../rows.ts';
import type { Scenario, TaskSpec, WorkflowSpec } from '../scenario.ts';

export type TaskState =
  | 'created'
  | 'in_progress'
  | 'retrying'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'skipped';

export interface TaskModel {
  state: TaskState;
  attempt: number;
  /** Attempts that belong to another version of the task, before it began anew. */
  earlier: number;
  restarts: number;
  /** The process under which its body was started last. */
  process: number;
  stop: string | undefined;
  startedAt: number;
  /** What it was when its body was started last: a move changes that for the next start. */
  startedUnder: TaskSpec | undefined;
  deadlineAt: number | undefined;
  dueAt: number | undefined;
  output: unknown;
  condition: unknown;
  /** Skipped by its own condition, which holds nobody back. */
  isPassedOver: boolean;
}

export interface RunModel {
  readonly runId: string;
  readonly spec: WorkflowSpec;
  version: number;
  readonly tasks: Map<string, TaskModel>;
  /** Attempts of tasks that a move has taken away. */
  readonly gone: Map<string, number>;
  readonly events: LogEvent[];
  /** Events up to this one are those of another run, with which this one began. */
  readonly history: number;
  seq: number;
  isPaused: boolean;
  isCancelled: boolean;
  /** A failure that is not tolerated has ended the start of tasks. */
  isHalted: boolean;
  end: 'completed' | 'failed' | 'cancelled' | undefined;
}

const ENDED: ReadonlySet<TaskState> = new Set(['completed', 'failed', 'cancelled', 'skipped']);

export function isEnded({ state }: TaskModel): boolean {
  return ENDED.has(state);
}

/** The tasks of the version that a run has now. */
export function specsOf({ spec, version }: RunModel): readonly TaskSpec[] {
  return spec.versions[version - 1] ?? [];
}

export function specOf(run: RunModel, path: string): TaskSpec | undefined {
  return specsOf(run).find(({ id }) => id === path);
}

/** Whether a task that has ended lets those start that need it to complete. */
export function letsOn({ state, isPassedOver }: TaskModel): boolean {
  return state === 'completed' || isPassedOver;
}

/** Whether the failure of a task fails nobody: it has dependents, and all of them take it as it is. */
export function isTolerated(run: RunModel, path: string): boolean {
  const edges = specsOf(run).flatMap(({ dependencies }) => dependencies.filter(({ id }) => id === path));
  return edges.length > 0 && edges.every(({ settled }) => settled);
}

/** The model of a run that begins with this event. */
export function beginRun(scenario: Scenario, event: LogEvent): RunModel | undefined {
  const spec = scenario.workflows.find(({ name }) => name === event.workflowId);
  if (event.type !== 'RunCreated' || spec === undefined) return undefined;
  const forked = event.forkedFrom as { readonly seq: number; readonly kept?: number } | undefined;
  const run: RunModel = {
    runId: event.runId,
    spec,
    version: event.workflowVersion as number,
    tasks: new Map(),
    gone: new Map(),
    events: [event],
    history: forked === undefined ? 0 : (forked.kept ?? forked.seq),
    seq: 1,
    isPaused: false,
    isCancelled: false,
    isHalted: false,
    end: undefined,
  };
  for (const { id } of specsOf(run)) run.tasks.set(id, freshTask());
  return run;
}

function freshTask(attempt = 0): TaskModel {
  return {
    state: 'created',
    attempt,
    earlier: attempt,
    restarts: 0,
    process: 0,
    stop: undefined,
    startedAt: 0,
    startedUnder: undefined,
    deadlineAt: undefined,
    dueAt: undefined,
    output: undefined,
    condition: undefined,
    isPassedOver: false,
  };
}

/** Folds an event. */
export function foldEvent(run: RunModel, event: LogEvent, process: number): void {
  run.seq = event.seq;
  run.events.push(event);
  const task = event.path === undefined ? undefined : run.tasks.get(event.path);
  if (task === undefined || event.type.startsWith('Run')) foldRun(run, event);
  else foldTask(run, event, task, process);
}

function foldRun(run: RunModel, event: LogEvent): void {
  switch (event.type) {
    case 'RunPaused':
      run.isPaused = true;
      return;
    case 'RunResumed':
      run.isPaused = false;
      return;
    case 'RunCancelRequested':
      run.isCancelled = true;
      return;
    case 'RunCompleted':
      run.end = 'completed';
      return;
    case 'RunFailed':
      run.end = 'failed';
      return;
    case 'RunCancelled':
      run.end = 'cancelled';
      return;
    case 'RunMoved':
      foldMove(run, event);
  }
}

function foldMove(run: RunModel, event: LogEvent): void {
  run.version = event.workflowVersion as number;
  for (const path of event.removed as readonly string[]) {
    run.gone.set(path, run.tasks.get(path)?.attempt ?? 0);
    run.tasks.delete(path);
  }
  for (const path of event.again as readonly string[])
    run.tasks.set(path, freshTask(run.tasks.get(path)?.attempt ?? 0));
  // What comes back goes on counting, whether the event says so or not.
  for (const path of event.added as readonly string[])
    run.tasks.set(path, freshTask(run.gone.get(path) ?? 0));
}

function foldTask(run: RunModel, event: LogEvent, task: TaskModel, process: number): void {
  switch (event.type) {
    case 'ConditionEvaluated':
      task.condition = event.failure === undefined ? event.result : 'throws';
      return;
    case 'TaskStarted':
      task.state = 'in_progress';
      task.attempt = event.attempt as number;
      task.stop = undefined;
      task.startedAt = event.at;
      task.startedUnder = specOf(run, event.path as string);
      task.deadlineAt = event.deadlineAt as number | undefined;
      task.process = process;
      return;
    case 'TaskRestarted':
      task.restarts = event.restart as number;
      task.startedAt = event.at;
      task.startedUnder = specOf(run, event.path as string);
      task.process = process;
      return;
    case 'TaskStopRequested':
      task.stop = event.cause as string;
      return;
    case 'TaskRetryScheduled':
      task.state = 'retrying';
      task.dueAt = event.dueAt as number;
      return;
    case 'TaskCompleted':
      task.state = 'completed';
      task.output = event.output;
      return;
    case 'TaskFailed':
      task.state = 'failed';
      if (run.spec.failurePolicy !== 'continue' && !isTolerated(run, event.path as string))
        run.isHalted = true;
      return;
    case 'TaskCancelled':
      task.state = 'cancelled';
      return;
    case 'TaskSkipped':
      task.state = 'skipped';
      task.isPassedOver = (event.cause as { readonly kind: string }).kind === 'condition';
  }
}
