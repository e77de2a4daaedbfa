/** The rarely used part of a task: its needs, limits and words for people. */
import { guardValue } from '../base/values.ts';
import {
  checkBoolean,
  checkChoice,
  checkDuration,
  checkFunction,
  checkInteger,
  checkRecord,
  checkTags,
  checkText,
  checkTimeLimit,
  sentence,
} from './checks.ts';
import { refuse } from './errors.ts';
import { checkId } from './ids.ts';
import { checkLockNeeds, checkResourceNeeds, type LockNeed, type ResourceNeed } from './needs.ts';
import { checkRetry, type RetryPolicy } from './retry-policy.ts';
import type { AnyTaskOptions, Condition } from './task-options.ts';
import type { RunOn } from './worker-handlers.ts';

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
  /** `undefined`: as often as `open` says. */
  readonly maxRestarts: number | undefined;
  readonly when: Condition<never, never> | undefined;
  /** `undefined`: where its handler says. */
  readonly runOn: RunOn | undefined;
  readonly transfer: boolean;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What most tasks have: none of it. */
export const NO_POLICIES: TaskPolicies = Object.freeze({
  description: '',
  agentAssigned: undefined,
  estimatedDurationMs: undefined,
  resources: Object.freeze([]),
  locks: Object.freeze([]),
  retry: undefined,
  timeoutMs: undefined,
  totalTimeoutMs: undefined,
  heartbeatMs: undefined,
  maxRestarts: undefined,
  when: undefined,
  runOn: undefined,
  transfer: false,
  tags: Object.freeze([]),
  metadata: Object.freeze({}),
});

/** The greatest number of times that a task may be started again after deaths of the process. */
export const MAX_RESTARTS_MAX = 1_000;

const METADATA_BYTES_MAX = 65_536;

/** @throws OrchestratorError `OPTION_INVALID`, `ID_INVALID`, `LOCK_CONFLICT`, `RESOURCE_AMOUNT_INVALID` … */
export function checkPolicies(options: AnyTaskOptions, at: string): TaskPolicies {
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
    maxRestarts:
      options.maxRestarts === undefined
        ? undefined
        : checkInteger(options.maxRestarts, `${at}/maxRestarts`, 0, MAX_RESTARTS_MAX),
    when:
      options.when === undefined
        ? undefined
        : (checkFunction(options.when, `${at}/when`, 'a function that returns true or false') as Condition<
            never,
            never
          >),
    runOn:
      options.runOn === undefined
        ? undefined
        : checkChoice(
            options.runOn,
            `${at}/runOn`,
            ['inline', 'worker', 'process'],
            'A worker thread is "worker", a child process "process", the thread of the host "inline".',
          ),
    transfer: options.transfer === undefined ? false : checkBoolean(options.transfer, `${at}/transfer`),
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
