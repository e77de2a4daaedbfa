import { checkMonitoring, type MonitoringOptions } from '../managers/monitoring/monitoring-options.ts';
import { CAPACITY_MAX } from '../managers/resources/row.ts';
import type { AgentLimits } from '../managers/scheduling/needs-book.ts';
import { checkPolicy, type SchedulingPolicy } from '../managers/scheduling/policy.ts';
import { checkRegistered } from '../model/check-handler.ts';
import {
  checkChoice,
  checkDuration,
  checkInteger,
  checkKeys,
  checkNumber,
  checkRecord,
  checkTimeLimit,
  copyList,
  type Duration,
  invalidOption,
  reading,
} from '../model/checks.ts';
import { refuse } from '../model/errors.ts';
import type { AnyHandler, Handler } from '../model/handler.ts';
import { checkId } from '../model/ids.ts';
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

/**
 * How much there is of a resource:
 * - a number: that much at once (`cpu: 4`);
 * - `{ capacity, per }`: that much in any span of that length (`{ capacity: 90_000, per: '1m' }`);
 * - `{ budget }`: that much in all.
 */
export type ResourceOptions =
  | number
  | { readonly capacity: number; readonly per?: Duration }
  | { readonly budget: number };

/** What an agent may do. */
export interface AgentOptions {
  /** Tasks of this agent in progress at once. Default: no limit. */
  readonly concurrency?: number | undefined;
  /** Starts of tasks of this agent in any span of that length. */
  readonly rate?: { readonly limit: number | undefined; readonly per: Duration };
}

/** What an orchestrator is opened with. Everything has a default. */
export interface OrchestratorOptions {
  /** Workflows that are known from the start; recovery needs those of unfinished runs. */
  readonly workflows?: readonly (AnyWorkflow | WorkflowData)[] | undefined;
  /**
   * Handlers that tasks can name: functions, and members of `workerHandlers(…)`. With `...workerHandlers(url)` among them,
   * all functions that the module exports can be named; a function given here comes first.
   */
  readonly handlers?: Readonly<Record<string, Handler<never, never> | WorkerHandler>> | undefined;
  /** Where events are kept. Default: in memory, until the process ends. */
  readonly store?: EventStore | undefined;
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
  /** How many ended runs stay readable: 0 to 1,000,000. Default 100. */
  readonly retainRuns?: number | undefined;
  /** Told of every event. */
  readonly monitors?: readonly Monitor[] | undefined;
  /**
   * Counts, times and raises alerts from the start: `true`, or how. Default: from when `orchestrator.monitoring` is first
   * asked for.
   */
  readonly monitoring?: boolean | MonitoringOptions | undefined;
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
}

/** A resource, checked. */
export interface ResourceSpec {
  readonly name: string;
  readonly kind: 'resource' | 'rate' | 'budget';
  readonly capacity: number;
  readonly perMs: number | undefined;
}

/** `OrchestratorOptions` checked, with the defaults that need no adapter. */
export interface CheckedOptions {
  readonly workflows: readonly AnyWorkflow[];
  readonly handlers: ReadonlyMap<string, AnyHandler | WorkerRef>;
  /** Modules all of whose exports can be named. */
  readonly modules: readonly WorkerModule[];
  readonly store: EventStore | undefined;
  readonly resources: readonly ResourceSpec[];
  readonly agents: ReadonlyMap<string, AgentLimits>;
  readonly concurrency: number | undefined;
  readonly policy: SchedulingPolicy;
  readonly deadlocks: 'resolve' | 'report';
  readonly cancelGraceMs: number;
  readonly retainRuns: number;
  readonly monitors: readonly Monitor[];
  readonly monitoring: MonitoringOptions | undefined;
  readonly logger: Logger | undefined;
  readonly clock: Clock | undefined;
  readonly idSource: IdSource | undefined;
  readonly random: Random | undefined;
  readonly executor: Executor | undefined;
}

const STORE_METHODS = ['append', 'read', 'list', 'findKey', 'remove', 'claim', 'release'] as const;

const KEYS: ReadonlySet<string> = new Set([
  'workflows',
  'handlers',
  'store',
  'resources',
  'agents',
  'concurrency',
  'policy',
  'deadlocks',
  'cancelGrace',
  'retainRuns',
  'monitors',
  'monitoring',
  'logger',
  'clock',
  'idSource',
  'random',
  'executor',
]);

/** The greatest number of tasks at once, and of ended runs that are kept. */
export const COUNT_MAX = 1_000_000;

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
    store: checkPort(options.store, `${at}/store`, STORE_METHODS),
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
    retainRuns:
      options.retainRuns === undefined
        ? 100
        : checkInteger(options.retainRuns, `${at}/retainRuns`, 0, COUNT_MAX),
    monitors: checkMonitors(options.monitors, `${at}/monitors`),
    monitoring: readMonitoring(options.monitoring, `${at}/monitoring`),
    logger: checkPort(options.logger, `${at}/logger`, ['debug', 'info', 'warn', 'error']),
    clock: checkPort(options.clock, `${at}/clock`, ['now', 'monotonic', 'setTimer', 'hold']),
    idSource: checkPort(options.idSource, `${at}/idSource`, ['nextRunId']),
    random: checkPort(options.random, `${at}/random`, ['next']),
    executor: checkPort(options.executor, `${at}/executor`, ['submit', 'cancel', 'close']),
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

function checkHandlers(value: unknown, at: string): ReadonlyMap<string, AnyHandler | WorkerRef> {
  const handlers = new Map<string, AnyHandler | WorkerRef>();
  if (value === undefined) return handlers;
  const record = checkRecord(value, at, 'an object from name to function');
  for (const name of Object.keys(record)) handlers.set(name, checkRegistered(name, record[name], at));
  return handlers;
}

/** What `workerHandlers(…)` gives has its module under a symbol, which goes along when it is spread. */
function modulesOf(handlers: object | undefined): readonly WorkerModule[] {
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

function checkResources(value: unknown, at: string): readonly ResourceSpec[] {
  if (value === undefined) return [];
  const record = checkRecord(value, at, 'an object from resource name to capacity');
  return Object.keys(record).map((key) =>
    checkResource(checkId(key, `${at}/${key}`, 'a resource name'), record[key], `${at}/${key}`),
  );
}

function checkResource(name: string, value: unknown, at: string): ResourceSpec {
  if (typeof value === 'number')
    return { name, kind: 'resource', capacity: checkCapacity(value, at), perMs: undefined };
  const record = checkRecord(value, at, 'a number, { capacity, per } or { budget }');
  checkKeys(record, new Set(['capacity', 'per', 'budget']), at);
  if (record.budget !== undefined) {
    if (record.capacity !== undefined || record.per !== undefined) {
      throw refuse('OPTION_CONFLICT', {
        at,
        found: 'budget together with capacity or per',
        allowed: 'one of the two forms',
      });
    }
    return { name, kind: 'budget', capacity: checkCapacity(record.budget, `${at}/budget`), perMs: undefined };
  }
  const capacity = checkCapacity(record.capacity, `${at}/capacity`);
  if (record.per === undefined) return { name, kind: 'resource', capacity, perMs: undefined };
  return { name, kind: 'rate', capacity, perMs: checkTimeLimit(record.per, `${at}/per`) };
}

/** A capacity: 0 pauses whoever needs the resource. */
export function checkCapacity(value: unknown, at: string): number {
  return checkNumber(value, at, 0, CAPACITY_MAX);
}

function checkAgents(value: unknown, at: string): ReadonlyMap<string, AgentLimits> {
  const agents = new Map<string, AgentLimits>();
  if (value === undefined) return agents;
  const record = checkRecord(value, at, 'an object from agent name to limits');
  for (const key of Object.keys(record)) {
    const name = checkId(key, `${at}/${key}`, 'an agent name');
    agents.set(name, checkAgent(record[key], `${at}/${name}`));
  }
  return agents;
}

function checkAgent(value: unknown, at: string): AgentLimits {
  const agent = checkRecord(value, at, 'an object { concurrency, rate }') as AgentOptions;
  checkKeys(agent, new Set(['concurrency', 'rate']), at);
  const concurrency =
    agent.concurrency === undefined
      ? undefined
      : { concurrency: checkInteger(agent.concurrency, `${at}/concurrency`, 1, COUNT_MAX) };
  if (agent.rate === undefined) return { ...concurrency };
  const rate = checkRecord(agent.rate, `${at}/rate`, 'an object { limit, per }');
  checkKeys(rate, new Set(['limit', 'per']), `${at}/rate`);
  const limit = checkInteger(rate.limit, `${at}/rate/limit`, 1, COUNT_MAX);
  return { ...concurrency, rate: { limit, perMs: checkTimeLimit(rate.per, `${at}/rate/per`) } };
}
