import { GUARD_BYTES } from '../base/values.ts';
import { checkMonitoring, type MonitoringOptions } from '../managers/monitoring/monitoring-options.ts';
import type { AgentLimits } from '../managers/scheduling/needs-book.ts';
import { checkPolicy, type SchedulingPolicy } from '../managers/scheduling/policy.ts';
import { SIZE_OF_INTEREST } from '../managers/workflows/taken-values.ts';
import { checkRegistered } from '../model/check-handler.ts';
import {
  checkChoice,
  checkDuration,
  checkFunction,
  checkInteger,
  checkKeys,
  checkRecord,
  copyList,
  type Duration,
  invalidOption,
  reading,
} from '../model/checks.ts';
import type { AnyHandler, Handler } from '../model/handler.ts';
import { MAX_RESTARTS_MAX } from '../model/task-policies.ts';
import type { TraceSource } from '../model/trace.ts';
import {
  isWorkerModule,
  type WorkerHandler,
  type WorkerModule,
  type WorkerRef,
} from '../model/worker-handlers.ts';
import { type AnyWorkflow, Workflow, workflowFromData } from '../model/workflow.ts';
import type { WorkflowData } from '../model/workflow-data.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { Executor } from '../ports/executor.ts';
import type { IdSource } from '../ports/id-source.ts';
import type { Logger } from '../ports/logger.ts';
import type { Monitor } from '../ports/monitor.ts';
import type { Random } from '../ports/random.ts';
import {
  type AgentOptions,
  COUNT_MAX,
  checkAgents,
  checkResources,
  type ResourceOptions,
  type ResourceSpec,
} from './limit-options.ts';
import { type CheckedRetention, checkRetention, type RetentionOptions } from './prune-options.ts';

/** What an orchestrator is opened with. Everything has a default. */
export interface OrchestratorOptions {
  /** Workflows that are known from the start; recovery needs those of unfinished runs. */
  readonly workflows?: readonly (AnyWorkflow | WorkflowData)[] | undefined;
  /**
   * Handlers that tasks can name: functions, and members of `workerHandlers(…)`. With `...workerHandlers(url)` among them,
   * all functions that the module exports can be named; a function given here comes first.
   */
  readonly handlers?: Readonly<Record<string, Handler<never, never> | WorkerHandler>> | undefined;
  /**
   * What becomes of `workflows` that name handlers which are not among `handlers`: `refuse` (default) refuses to open with
   * `HANDLER_UNKNOWN`; `leave` registers them all the same: their unfinished runs are left (`handler_missing`), and no new ones
   * are started, until `registerHandlers` has given what they lack.
   */
  readonly missingHandlers?: 'refuse' | 'leave' | undefined;
  /** Where events are kept. Default: in memory, until the process ends. */
  readonly store?: EventStore | undefined;
  /**
   * Outputs of tasks that are larger than so many bytes are kept beside the log, if the store can, and are read again only
   * for whoever wants them: 1,024 to 67,108,864. Default 262,144.
   */
  readonly inlineLimit?: number | undefined;
  /**
   * When checkpoints of runs are kept by themselves, in a store that outlives the process and can keep them: when a log has
   * grown by so many events (100 to 1,000,000; default 1,000) and by eight for each task. `false`: never.
   */
  readonly checkpoints?: false | { readonly everyEvents?: number | undefined } | undefined;
  /** Resources by name. */
  readonly resources?: Readonly<Record<string, ResourceOptions>> | undefined;
  /** Agents by name; one that is not named here has no limits. */
  readonly agents?: Readonly<Record<string, AgentOptions>> | undefined;
  /** Tasks in progress at once, over all runs: 1 to 1,000,000. Default: no limit. */
  readonly concurrency?: number | undefined;
  /** The order in which ready tasks start. Default `priority`. */
  readonly policy?: SchedulingPolicy | undefined;
  /** Whether deadlocks of locks are broken when they come about, or only told to the logger. Default `resolve`. */
  readonly deadlocks?: 'resolve' | 'report' | undefined;
  /** How long a handler that was told to stop may take to end, before it is given up on. Default 5 s. */
  readonly cancelGrace?: Duration | undefined;
  /**
   * How often a task is started again after the process ended while it was in progress, unless it says so itself: 0 to
   * 1,000. Once more fails it with `TASK_DEAD_LETTER`. Default 10.
   */
  readonly maxRestarts?: number | undefined;
  /**
   * Removes ended runs from the store by itself, as `pruneRuns` does: `{ olderThan, keepLast, limit, every }`. Default: never;
   * a store in memory keeps what is kept by `retainRuns`.
   */
  readonly retention?: RetentionOptions | undefined;
  /** How many ended runs stay readable: 0 to 1,000,000. Default 100. */
  readonly retainRuns?: number | undefined;
  /** Told of every event. */
  readonly monitors?: readonly Monitor[] | undefined;
  /**
   * Counts, times and raises alerts from the start: `true`, or how. Default: from when `orchestrator.monitoring` is first
   * asked for.
   */
  readonly monitoring?: boolean | MonitoringOptions | undefined;
  /**
   * Remembers what goes wrong, and logs it, from the start: `true`, or how many records are kept (1 to 1,000,000, default
   * 1,000). Default: from the start if there is a `logger`, else from when `orchestrator.errors` is first asked for.
   */
  readonly errors?: boolean | { readonly records?: number | undefined } | undefined;
  /** Where log lines go. Default: nowhere. */
  readonly logger?: Logger | undefined;
  /** Time. Default: that of the machine. */
  readonly clock?: Clock | undefined;
  /** Fresh ids. Default: random UUIDs. */
  readonly idSource?: IdSource | undefined;
  /** Chance. Default: that of the machine. */
  readonly random?: Random | undefined;
  /** What runs the bodies of tasks. Default: this thread. */
  readonly executor?: Executor | undefined;
  /** Says which trace an attempt belongs to (`context.trace`); asked once an attempt, in the async context of its run. */
  readonly trace?: TraceSource | undefined;
}

/** `OrchestratorOptions` checked, with the defaults that need no adapter. */
export interface CheckedOptions {
  readonly workflows: readonly AnyWorkflow[];
  readonly handlers: ReadonlyMap<string, AnyHandler | WorkerRef>;
  /** Modules all of whose exports can be named. */
  readonly modules: readonly WorkerModule[];
  readonly missingHandlers: 'refuse' | 'leave';
  readonly store: EventStore | undefined;
  readonly inlineLimit: number;
  /** `undefined`: never. */
  readonly checkpointEvery: number | undefined;
  readonly resources: readonly ResourceSpec[];
  readonly agents: ReadonlyMap<string, AgentLimits>;
  readonly concurrency: number | undefined;
  readonly policy: SchedulingPolicy;
  readonly deadlocks: 'resolve' | 'report';
  readonly cancelGraceMs: number;
  readonly maxRestarts: number;
  readonly retention: CheckedRetention | undefined;
  readonly retainRuns: number;
  readonly monitors: readonly Monitor[];
  readonly monitoring: MonitoringOptions | undefined;
  /** How many records of errors are kept. */
  readonly errorRecords: number;
  /** Whether errors are remembered before anybody asks for them. */
  readonly keepsErrors: boolean;
  readonly logger: Logger | undefined;
  readonly clock: Clock | undefined;
  readonly idSource: IdSource | undefined;
  readonly random: Random | undefined;
  readonly executor: Executor | undefined;
  readonly trace: TraceSource | undefined;
}

const STORE_METHODS = ['append', 'read', 'list', 'findKey', 'remove', 'claim', 'release'] as const;

const KEYS: ReadonlySet<string> = new Set([
  'workflows',
  'handlers',
  'missingHandlers',
  'store',
  'inlineLimit',
  'checkpoints',
  'resources',
  'agents',
  'concurrency',
  'policy',
  'deadlocks',
  'cancelGrace',
  'maxRestarts',
  'retention',
  'retainRuns',
  'monitors',
  'monitoring',
  'errors',
  'logger',
  'clock',
  'idSource',
  'random',
  'executor',
  'trace',
]);

const CHECKPOINT_KEYS: ReadonlySet<string> = new Set(['everyEvents']);
const CHECKPOINT_EVERY = 1_000;

const ERROR_KEYS: ReadonlySet<string> = new Set(['records']);

/** @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `ID_INVALID`, `DEFINITION_INVALID` … */
export function checkOptions(given: unknown): CheckedOptions {
  return reading('open', 'an object of options', () => readOptions(given, 'open'));
}

function readOptions(given: unknown, at: string): CheckedOptions {
  const options = checkRecord(given, at, 'an object of options') as OrchestratorOptions;
  checkKeys(options, KEYS, at);
  return {
    workflows: checkWorkflows(options.workflows, `${at}/workflows`),
    handlers: checkHandlers(options.handlers, `${at}/handlers`),
    modules: modulesOf(options.handlers),
    missingHandlers:
      options.missingHandlers === undefined
        ? 'refuse'
        : checkChoice(options.missingHandlers, `${at}/missingHandlers`, ['refuse', 'leave'] as const),
    store: checkPort(options.store, `${at}/store`, STORE_METHODS),
    inlineLimit:
      options.inlineLimit === undefined
        ? 262_144
        : checkInteger(options.inlineLimit, `${at}/inlineLimit`, SIZE_OF_INTEREST, GUARD_BYTES),
    checkpointEvery: readCheckpoints(options.checkpoints, `${at}/checkpoints`),
    resources: checkResources(options.resources, `${at}/resources`),
    agents: checkAgents(options.agents, `${at}/agents`),
    concurrency:
      options.concurrency === undefined
        ? undefined
        : checkInteger(options.concurrency, `${at}/concurrency`, 1, COUNT_MAX),
    policy: checkPolicy(options.policy, `${at}/policy`),
    deadlocks:
      options.deadlocks === undefined
        ? 'resolve'
        : checkChoice(options.deadlocks, `${at}/deadlocks`, ['resolve', 'report']),
    cancelGraceMs:
      options.cancelGrace === undefined ? 5_000 : checkDuration(options.cancelGrace, `${at}/cancelGrace`),
    maxRestarts:
      options.maxRestarts === undefined
        ? 10
        : checkInteger(options.maxRestarts, `${at}/maxRestarts`, 0, MAX_RESTARTS_MAX),
    retention: checkRetention(options.retention, `${at}/retention`),
    retainRuns:
      options.retainRuns === undefined
        ? 100
        : checkInteger(options.retainRuns, `${at}/retainRuns`, 0, COUNT_MAX),
    monitors: checkMonitors(options.monitors, `${at}/monitors`),
    monitoring: readMonitoring(options.monitoring, `${at}/monitoring`),
    errorRecords: readErrorRecords(options.errors, `${at}/errors`),
    keepsErrors: options.errors === undefined ? options.logger !== undefined : options.errors !== false,
    logger: checkPort(options.logger, `${at}/logger`, ['debug', 'info', 'warn', 'error']),
    clock: checkPort(options.clock, `${at}/clock`, ['now', 'monotonic', 'setTimer', 'hold']),
    idSource: checkPort(options.idSource, `${at}/idSource`, ['nextRunId']),
    random: checkPort(options.random, `${at}/random`, ['next']),
    executor: checkPort(options.executor, `${at}/executor`, ['submit', 'cancel', 'close']),
    trace:
      options.trace === undefined
        ? undefined
        : (checkFunction(options.trace, `${at}/trace`, 'a function') as TraceSource),
  };
}

/** What the host plugs in has to have its methods; whether they do their job is for its conformance suite. */
function checkPort<Port extends object>(
  value: Port | undefined,
  at: string,
  methods: readonly (keyof Port & string)[],
): Port | undefined {
  if (value === undefined) return undefined;
  const missing = methods.filter(
    (method) => typeof value !== 'object' || value === null || typeof value[method] !== 'function',
  );
  if (missing.length === 0) return value;
  throw invalidOption(
    at,
    value,
    `an object with the methods ${methods.join(', ')}`,
    `Missing: ${missing.join(', ')}.`,
  );
}

/** @throws OrchestratorError `OPTION_INVALID`, `ID_INVALID` … */
export function checkHandlers(value: unknown, at: string): ReadonlyMap<string, AnyHandler | WorkerRef> {
  const handlers = new Map<string, AnyHandler | WorkerRef>();
  if (value === undefined) return handlers;
  const record = checkRecord(value, at, 'an object from name to function');
  for (const name of Object.keys(record)) handlers.set(name, checkRegistered(name, record[name], at));
  return handlers;
}

/** What `workerHandlers(…)` gives has its module under a symbol, which goes along when it is spread. */
export function modulesOf(handlers: object | undefined): readonly WorkerModule[] {
  if (handlers === undefined) return [];
  const record = handlers as Readonly<Record<symbol, unknown>>;
  return Object.getOwnPropertySymbols(handlers)
    .map((key) => record[key])
    .filter(isWorkerModule);
}

/** A workflow, whether it was given as one or as plain data. */
export function asWorkflow(given: unknown): AnyWorkflow {
  return Workflow.is(given) ? given : workflowFromData(given);
}

function checkWorkflows(value: unknown, at: string): readonly AnyWorkflow[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidOption(at, value, 'an array of workflows');
  return copyList(value, at, COUNT_MAX, 'workflows').map(asWorkflow);
}

function checkMonitors(value: unknown, at: string): readonly Monitor[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidOption(at, value, 'an array of monitors');
  return copyList(value, at, COUNT_MAX, 'monitors').map((monitor, i) => {
    if (typeof (monitor as Monitor | undefined)?.observe !== 'function')
      throw invalidOption(`${at}/${i}`, monitor, 'an object with observe(event)');
    return monitor as Monitor;
  });
}

function readMonitoring(value: unknown, at: string): MonitoringOptions | undefined {
  if (value === undefined || value === false) return undefined;
  const options = value === true ? {} : (value as MonitoringOptions);
  checkMonitoring(options, at);
  return { ...options };
}

function readCheckpoints(value: unknown, at: string): number | undefined {
  if (value === false) return undefined;
  if (value === undefined) return CHECKPOINT_EVERY;
  const options = checkRecord(value, at, 'false or { everyEvents }');
  checkKeys(options, CHECKPOINT_KEYS, at);
  const { everyEvents } = options;
  return everyEvents === undefined
    ? CHECKPOINT_EVERY
    : checkInteger(everyEvents, `${at}/everyEvents`, 100, 1_000_000);
}

function readErrorRecords(value: unknown, at: string): number {
  if (value === undefined || typeof value === 'boolean') return 1_000;
  const options = checkRecord(value, at, 'true, false or { records }');
  checkKeys(options, ERROR_KEYS, at);
  const { records } = options;
  return records === undefined ? 1_000 : checkInteger(records, `${at}/records`, 1, 1_000_000);
}
