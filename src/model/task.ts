import { describeValue, guardValue, isPrimitive } from '../base/values.ts';
import {
  checkDuration,
  checkFunction,
  checkKeys,
  checkNumber,
  checkRecord,
  checkTags,
  checkText,
  type Duration,
} from './checks.ts';
import {
  checkDependencies,
  type DependencyInput,
  type DependencyOutputs,
  type DependencySpec,
} from './dependency.ts';
import { refuse } from './errors.ts';
import type { AnyHandler, HandlerContext, HandlerRef } from './handler.ts';
import { checkId } from './ids.ts';
import {
  checkLockNeeds,
  checkResourceNeeds,
  type LockNeed,
  type LockRequest,
  type ResourceNeed,
} from './needs.ts';
import { checkRetry, type RetryOptions, type RetryPolicy } from './retry-policy.ts';

/** Priorities reach from minus to plus this number. */
export const PRIORITY_MAX = 1_000_000_000;

/** What `when` is told: the same input and outputs that the handler would see. */
export interface ConditionContext<In, Deps> {
  readonly input: In;
  readonly dependencies: Deps;
}

/** A predicate over input and dependencies; it must answer at once. */
export type Condition<In, Deps> = (context: ConditionContext<In, Deps>) => boolean;

/** What is said of a task when it is defined. */
export interface TaskOptions<In, Out, Deps extends DependencyInput, When> {
  /** For people. At most 10,000 characters. */
  readonly description?: string;
  /** Tasks that must end before this one starts, by the name under which the handler sees their output. */
  readonly dependencies?: Deps;
  /** Who does it: the name of an agent, whose concurrency and rate limits apply. */
  readonly agentAssigned?: string;
  /** Plain data for the handler, copied here and now. */
  readonly inputData?: unknown;
  /** Higher starts earlier: a number from -1e9 to 1e9. Default 0. */
  readonly priority?: number;
  /** How long it is thought to take; used by the policy `critical-path`. */
  readonly estimatedDuration?: Duration;
  /** Amounts of resources, all taken at once before it starts. */
  readonly resourceRequirements?: Readonly<Record<string, number>>;
  /** Locks, all taken at once, together with the resources. */
  readonly locks?: readonly LockRequest[];
  /** The code, as a function. Give this or `handler`. */
  readonly run?: (context: HandlerContext<In, DependencyOutputs<Deps>>) => Out | PromiseLike<Out>;
  /** The code, by the name under which it is registered. Give this or `run`. */
  readonly handler?: string | HandlerRef;
  /** Whether and when to try again after a failure. Default: one attempt. */
  readonly retry?: RetryOptions;
  /** The time limit of one attempt, from its start. Default: none. */
  readonly timeout?: Duration;
  /** The time limit of all attempts together, with the waits between, from the first start. Default: none. */
  readonly totalTimeout?: Duration;
  /** The longest time between two calls of `heartbeat()`. Default: none. */
  readonly heartbeatTimeout?: Duration;
  /** Asked once, when all dependencies have ended; `false` skips the task, and dependents see `undefined`. */
  readonly when?: When;
  /** Labels for people and dashboards: at most 64. */
  readonly tags?: readonly string[];
  /** Plain data for people and tools, at most 64 KiB. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** The rarely used part of a task: most tasks share one empty object. */
export interface TaskPolicies {
  readonly description: string;
  readonly agentAssigned: string | undefined;
  readonly estimatedDurationMs: number | undefined;
  readonly resources: readonly ResourceNeed[];
  readonly locks: readonly LockNeed[];
  readonly retry: RetryPolicy | undefined;
  readonly timeoutMs: number | undefined;
  readonly totalTimeoutMs: number | undefined;
  readonly heartbeatMs: number | undefined;
  readonly when: Condition<never, never> | undefined;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

const NO_POLICIES: TaskPolicies = Object.freeze({
  description: '',
  agentAssigned: undefined,
  estimatedDurationMs: undefined,
  resources: Object.freeze([]),
  locks: Object.freeze([]),
  retry: undefined,
  timeoutMs: undefined,
  totalTimeoutMs: undefined,
  heartbeatMs: undefined,
  when: undefined,
  tags: Object.freeze([]),
  metadata: Object.freeze({}),
});

const NO_DEPENDENCIES: readonly DependencySpec[] = Object.freeze([]);
const METADATA_BYTES_MAX = 65_536;
const KEYS: ReadonlySet<string> = new Set([
  'description',
  'dependencies',
  'agentAssigned',
  'inputData',
  'priority',
  'estimatedDuration',
  'resourceRequirements',
  'locks',
  'run',
  'handler',
  'retry',
  'timeout',
  'totalTimeout',
  'heartbeatTimeout',
  'when',
  'tags',
  'metadata',
]);

/** The keys that a task in plain data may have beside `taskId`. */
export const TASK_OPTION_KEYS = KEYS;

type AnyTaskOptions = TaskOptions<never, unknown, DependencyInput, Condition<never, never>>;

/**
 * A node of a workflow: what is to be done, after what, and with which needs. Made by `task` or `taskFor`.
 *
 * @typeParam Id - the literal id
 * @typeParam Out - what dependents get
 * @typeParam In - the input of the run that its handler needs
 */
export class Task<Id extends string = string, Out = unknown, in In = never> {
  /** Carries the output type; there is no such field at run time. */
  declare readonly '~output': Out;
  /** Carries the input type; there is no such field at run time. */
  declare readonly '~input': (input: In) => void;

  readonly taskId: Id;
  readonly priority: number;
  readonly inputData: unknown;
  /** @internal */ readonly dependencySpecs: readonly DependencySpec[];
  /** @internal */ readonly handlerRef: HandlerRef | undefined;
  /** @internal */ readonly run: AnyHandler | undefined;
  /** @internal */ readonly policies: TaskPolicies;

  /** @internal Use `task`. */
  constructor(taskId: unknown, given: unknown, where?: string) {
    this.taskId = checkId(taskId, where === undefined ? 'task' : `${where}/taskId`, 'a task id') as Id;
    const at = where ?? `task ${JSON.stringify(this.taskId)}`;
    const options = checkRecord(
      given,
      at,
      'an object of task options',
      'DEFINITION_INVALID',
    ) as AnyTaskOptions;
    let rare = false;
    for (const key in options) {
      if (key === 'run' || key === 'dependencies' || key === 'priority') continue;
      if (!KEYS.has(key)) checkKeys(options, KEYS, at);
      rare = true;
    }
    this.priority =
      options.priority === undefined
        ? 0
        : checkNumber(options.priority, `${at}/priority`, -PRIORITY_MAX, PRIORITY_MAX);
    this.dependencySpecs =
      options.dependencies === undefined ? NO_DEPENDENCIES : checkDependencies(options.dependencies, at);
    this.run = options.run as AnyHandler | undefined;
    if (rare) {
      this.handlerRef =
        options.handler === undefined ? undefined : checkHandlerRef(options.handler, `${at}/handler`);
      this.inputData = isPrimitive(options.inputData)
        ? options.inputData
        : copyData(options.inputData, `${at}/inputData`);
      this.policies = checkPolicies(options, at);
    } else {
      this.handlerRef = undefined;
      this.inputData = undefined;
      this.policies = NO_POLICIES;
    }
    checkHandler(this.run, this.handlerRef, at);
  }

  get description(): string {
    return this.policies.description;
  }

  get agentAssigned(): string | undefined {
    return this.policies.agentAssigned;
  }

  /** The ids of the tasks that this one depends on, in the order in which they were given. */
  get dependencies(): readonly string[] {
    return this.dependencySpecs.map((dependency) => dependency.taskId);
  }

  /** In milliseconds. */
  get estimatedDuration(): number | undefined {
    return this.policies.estimatedDurationMs;
  }

  get resourceRequirements(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.policies.resources.map(({ name, amount }) => [name, amount]));
  }

  get locks(): readonly LockNeed[] {
    return this.policies.locks;
  }
}

/** A task with its types forgotten; every task fits. */
export type AnyTask = Task<string, unknown, never>;

function checkHandler(run: unknown, ref: HandlerRef | undefined, at: string): void {
  if (run === undefined) {
    if (ref !== undefined) return;
    throw refuse('HANDLER_INVALID', {
      at,
      found: 'neither run nor handler',
      allowed: 'one of run (a function) and handler (a name)',
    });
  }
  if (ref !== undefined) {
    throw refuse('OPTION_CONFLICT', { at, found: 'both run and handler', allowed: 'one of the two' });
  }
  if (typeof run !== 'function' || !isCallable(run as AnyHandler)) {
    throw refuse('HANDLER_INVALID', {
      at: `${at}/run`,
      found: typeof run === 'function' ? `${kindOf(run as AnyHandler)}` : describeValue(run),
      allowed: 'a function or an async function of the handler context',
    });
  }
}

/** Arrow and async functions have no prototype; classes and generators have one that tells them apart. */
function isCallable(run: AnyHandler): boolean {
  return run.prototype === undefined || kindOf(run) === 'a function';
}

function kindOf(run: AnyHandler): string {
  const tag = Object.prototype.toString.call(run);
  if (tag.includes('Generator')) return 'a generator function';
  return Object.getOwnPropertyDescriptor(run, 'prototype')?.writable === false ? 'a class' : 'a function';
}

function checkHandlerRef(value: unknown, at: string): HandlerRef {
  if (typeof value === 'string') return { kind: 'registered', name: checkHandlerName(value, at) };
  const given = typeof value === 'object' && value !== null ? (value as Partial<HandlerRef>) : undefined;
  if (given?.kind !== 'registered') {
    throw refuse('HANDLER_INVALID', {
      at,
      found: describeValue(value),
      allowed: 'the name of a registered handler, or { kind: "registered", name }',
    });
  }
  const version = given.version === undefined ? undefined : checkText(given.version, `${at}/version`, 128);
  const name = checkHandlerName(given.name, `${at}/name`);
  return version === undefined ? { kind: 'registered', name } : { kind: 'registered', name, version };
}

function checkHandlerName(value: unknown, at: string): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= 256) return value;
  throw refuse('HANDLER_INVALID', {
    at,
    found: describeValue(value),
    allowed: 'a name of 1 to 256 characters',
  });
}

function checkPolicies(options: AnyTaskOptions, at: string): TaskPolicies {
  const duration = (
    key: 'estimatedDuration' | 'timeout' | 'totalTimeout' | 'heartbeatTimeout',
  ): number | undefined =>
    options[key] === undefined
      ? undefined
      : checkDuration(options[key], `${at}/${key}`, key === 'estimatedDuration');
  return {
    description:
      options.description === undefined ? '' : checkText(options.description, `${at}/description`, 10_000),
    agentAssigned:
      options.agentAssigned === undefined
        ? undefined
        : checkId(options.agentAssigned, `${at}/agentAssigned`, 'an agent name'),
    estimatedDurationMs: duration('estimatedDuration'),
    resources:
      options.resourceRequirements === undefined
        ? NO_POLICIES.resources
        : checkResourceNeeds(options.resourceRequirements, `${at}/resourceRequirements`),
    locks: options.locks === undefined ? NO_POLICIES.locks : checkLockNeeds(options.locks, `${at}/locks`),
    retry: options.retry === undefined ? undefined : checkRetry(options.retry, `${at}/retry`),
    timeoutMs: duration('timeout'),
    totalTimeoutMs: duration('totalTimeout'),
    heartbeatMs: duration('heartbeatTimeout'),
    when:
      options.when === undefined
        ? undefined
        : (checkFunction(options.when, `${at}/when`, 'a function that returns true or false') as Condition<
            never,
            never
          >),
    tags: options.tags === undefined ? NO_POLICIES.tags : checkTags(options.tags, `${at}/tags`),
    metadata:
      options.metadata === undefined
        ? NO_POLICIES.metadata
        : checkMetadata(options.metadata, `${at}/metadata`),
  };
}

/** A frozen copy of plain data, or a refusal that points at what cannot be copied. */
export function copyData(value: unknown, at: string): unknown {
  const guarded = guardValue(value);
  if (guarded.ok) return guarded.value;
  throw refuse('VALUE_UNSERIALISABLE', {
    at: `${at}${guarded.pointer}`,
    found: guarded.found,
    allowed: 'plain data',
    hint: guarded.hint,
  });
}

/** Metadata of a task or workflow: a plain object of at most 64 KiB. */
export function checkMetadata(value: unknown, at: string): Readonly<Record<string, unknown>> {
  const record = checkRecord(value, at, 'an object of plain data');
  const guarded = guardValue(record, { bytes: METADATA_BYTES_MAX });
  if (guarded.ok) return guarded.value as Readonly<Record<string, unknown>>;
  const code = guarded.found.includes('bytes') ? 'LIMIT_EXCEEDED' : 'VALUE_UNSERIALISABLE';
  throw refuse(code, {
    at: `${at}${guarded.pointer}`,
    found: guarded.found,
    allowed: `plain data of at most ${METADATA_BYTES_MAX} bytes`,
  });
}
