import { guardValue } from '../base/values.ts';
import { checkHandler, checkHandlerRef } from './check-handler.ts';
import {
  checkDuration,
  checkFunction,
  checkKeys,
  checkNumber,
  checkRecord,
  checkTags,
  checkText,
  checkTimeLimit,
  type Duration,
  sentence,
} from './checks.ts';
import {
  checkDependencies,
  type DependencyInput,
  type DependencyOutputs,
  type DependencySpec,
} from './dependency.ts';
import { refuse, unreadable } from './errors.ts';
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
import { readSimpleTask, type SimpleTask } from './simple-task.ts';

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
export interface TaskOptions<In, Out, Deps extends DependencyInput, Answer = boolean> {
  /** For people. At most 10,000 characters. */
  readonly description?: string | undefined;
  /** Tasks that must end before this one starts, by the name under which the handler sees their output. */
  readonly dependencies?: Deps | undefined;
  /** Who does it: the name of an agent, whose concurrency and rate limits apply. */
  readonly agentAssigned?: string | undefined;
  /** Plain data for the handler, copied here and now. */
  readonly inputData?: unknown;
  /** Higher starts earlier: a number from -1e9 to 1e9. Default 0. */
  readonly priority?: number | undefined;
  /** How long it is thought to take; used by the policy `critical-path`. */
  readonly estimatedDuration?: Duration | undefined;
  /** Amounts of resources, all taken at once before it starts. */
  readonly resourceRequirements?: Readonly<Record<string, number>> | undefined;
  /** Locks, all taken at once, together with the resources. */
  readonly locks?: readonly LockRequest[] | undefined;
  /** The code, as a function. Give this or `handler`. */
  readonly run?:
    | ((context: HandlerContext<In, DependencyOutputs<Deps>>) => Out | PromiseLike<Out>)
    | undefined;
  /** The code, by the name under which it is registered. Give this or `run`. */
  readonly handler?: string | HandlerRef | undefined;
  /** Whether and when to try again after a failure. Default: one attempt. */
  readonly retry?: RetryOptions | undefined;
  /** The time limit of one attempt, from its start. Default: none. */
  readonly timeout?: Duration | undefined;
  /** The time limit of all attempts together, with the waits between, from the first start. Default: none. */
  readonly totalTimeout?: Duration | undefined;
  /** The longest time between two calls of `heartbeat()`. Default: none. */
  readonly heartbeatTimeout?: Duration | undefined;
  /** Asked once, when all dependencies have ended; `false` skips the task, and dependents see `undefined`. */
  readonly when?: ((context: ConditionContext<In, DependencyOutputs<Deps>>) => Answer) | undefined;
  /** Labels for people and dashboards: at most 64. */
  readonly tags?: readonly string[] | undefined;
  /** Plain data for people and tools, at most 64 KiB. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
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
const OPTIONS_ALLOWED = 'an object of task options';
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

type AnyTaskOptions = TaskOptions<never, unknown, DependencyInput>;

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
    if (where === undefined) {
      const simple = attemptSimple(given);
      if (simple !== undefined) {
        this.priority = simple.priority;
        this.dependencySpecs = simple.dependencySpecs;
        this.run = simple.run;
        this.handlerRef = undefined;
        this.inputData = undefined;
        this.policies = NO_POLICIES;
        return;
      }
    }
    const at = where ?? `task ${JSON.stringify(this.taskId)}`;
    try {
      const options = checkRecord(given, at, OPTIONS_ALLOWED, 'DEFINITION_INVALID') as AnyTaskOptions;
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
        options.dependencies === undefined
          ? NO_DEPENDENCIES
          : checkDependencies(options.dependencies, at, isTask);
      this.run = options.run as AnyHandler | undefined;
      if (rare) {
        this.handlerRef =
          options.handler === undefined ? undefined : checkHandlerRef(options.handler, `${at}/handler`);
        this.inputData = copyData(options.inputData, `${at}/inputData`);
        this.policies = checkPolicies(options, at);
      } else {
        this.handlerRef = undefined;
        this.inputData = undefined;
        this.policies = NO_POLICIES;
      }
      checkHandler(this.run, this.handlerRef, at);
    } catch (thrown) {
      throw unreadable(thrown, 'DEFINITION_INVALID', at, OPTIONS_ALLOWED);
    }
  }

  /** For people; empty when none was given. */
  get description(): string {
    return this.policies.description;
  }

  /** The agent that does it, if one was named. */
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

  /** Amounts by resource name. */
  get resourceRequirements(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.policies.resources.map(({ name, amount }) => [name, amount]));
  }

  /** Locks with their modes, in the order of their names. */
  get locks(): readonly LockNeed[] {
    return this.policies.locks;
  }
}

/** The options of the simplest kind of task; `undefined` for any other, and for what cannot even be looked at. */
function attemptSimple(given: unknown): SimpleTask | undefined {
  try {
    return readSimpleTask(given, PRIORITY_MAX);
  } catch {
    return undefined;
  }
}

/** A task with its types forgotten; every task fits. */
export type AnyTask = Task<string, unknown, never>;

/** Whether a value was made by `task` or `taskFor`. */
export function isTask(value: unknown): value is AnyTask {
  try {
    return value instanceof Task;
  } catch {
    // The trap of a proxy.
    return false;
  }
}

function checkPolicies(options: AnyTaskOptions, at: string): TaskPolicies {
  const duration = (
    key: 'estimatedDuration' | 'timeout' | 'totalTimeout' | 'heartbeatTimeout',
  ): number | undefined =>
    options[key] === undefined
      ? undefined
      : key === 'estimatedDuration'
        ? checkDuration(options[key], `${at}/${key}`)
        : checkTimeLimit(options[key], `${at}/${key}`);
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
    hint: sentence(guarded.hint),
  });
}

/** Metadata of a task or workflow: a plain object of at most 64 KiB. */
export function checkMetadata(value: unknown, at: string): Readonly<Record<string, unknown>> {
  const record = checkRecord(value, at, 'an object of plain data');
  const guarded = guardValue(record, { bytes: METADATA_BYTES_MAX });
  if (guarded.ok) return guarded.value as Readonly<Record<string, unknown>>;
  const code = guarded.found.startsWith('more than') ? 'LIMIT_EXCEEDED' : 'VALUE_UNSERIALISABLE';
  throw refuse(code, {
    at: `${at}${guarded.pointer}`,
    found: guarded.found,
    allowed: `plain data of at most ${METADATA_BYTES_MAX} bytes`,
    hint: sentence(guarded.hint),
  });
}
