import { describeValue } from '../base/values.ts';
import { checkChoice, checkKeys, checkRecord } from './checks.ts';
import { refuse } from './errors.ts';
import type { SettledOutcome } from './handler.ts';
import { checkId } from './ids.ts';

/** The part of a task that a dependency sees. `Task` fits it; this file need not know `Task`. */
export interface DependencyTarget<out Out = unknown> {
  readonly taskId: string;
  /** Carries the output type; there is no such field at run time. */
  readonly '~output': Out;
}

/** A dependency that waits for the end of a task, good or bad, made by `settled`. */
export interface SettledDependency<Target> {
  readonly settled: Target;
}

/**
 * Makes a dependency that also lets the dependent run when the task fails, is skipped or is cancelled: the
 * handler gets `{ status, output }` or `{ status, failure }`. A failure that every dependent takes so does not
 * fail the run.
 */
export function settled<const Target extends DependencyTarget>(target: Target): SettledDependency<Target> {
  return { settled: target };
}

/** A dependency in plain data, when it is more than an id. */
export interface DependencyData {
  readonly taskId: string;
  /** `completed` (default): run only if it completed. `settled`: run whatever came of it. */
  readonly on?: 'completed' | 'settled';
  /** The name under which the handler sees its output. Default: the id. */
  readonly as?: string;
}

/** How dependencies can be written: by name, or as a list of tasks and ids. */
export type DependencyInput =
  | Readonly<Record<string, DependencyTarget | SettledDependency<DependencyTarget>>>
  | readonly (string | number | DependencyTarget | SettledDependency<DependencyTarget> | DependencyData)[];

/** The output type of a task. */
export type OutputOf<Target> = Target extends { readonly '~output': infer Out } ? Out : unknown;

type Seen<Dependency> =
  Dependency extends SettledDependency<infer Target>
    ? SettledOutcome<OutputOf<Target>>
    : OutputOf<Dependency>;

/** What the handler sees under `dependencies`. */
export type DependencyOutputs<Deps> = Deps extends readonly unknown[]
  ? Readonly<Record<string, unknown>>
  : { readonly [Name in keyof Deps]: Seen<Deps[Name]> };

/** One checked dependency. */
export interface DependencySpec {
  /** The name under which the handler sees the output. */
  readonly name: string;
  readonly taskId: string;
  /** The task itself, when it was given as one; it then joins the workflow by itself. */
  readonly target: DependencyTarget | undefined;
  readonly settled: boolean;
}

/** The most dependencies that one task can have. */
export const DEPENDENCIES_MAX = 200_000;

const ALLOWED = 'an object of tasks by name, or an array of task ids and tasks';
const DATA_KEYS: ReadonlySet<string> = new Set(['taskId', 'on', 'as']);

/**
 * Checks the `dependencies` of a task. That the ids exist is checked when the workflow is compiled.
 * @throws OrchestratorError `DEPENDENCY_INVALID`, `ID_INVALID`, `LIMIT_EXCEEDED`
 */
export function checkDependencies(value: unknown, taskAt: string): readonly DependencySpec[] {
  const at = `${taskAt}/dependencies`;
  if (Array.isArray(value)) return checkList(value, at);
  const record = checkRecord(value, at, ALLOWED, 'DEPENDENCY_INVALID');
  const specs: DependencySpec[] = [];
  for (const key of Object.keys(record)) {
    const name = checkId(key, `${at}/${key}`, 'a name for a dependency');
    specs.push(checkTarget(record[key], name, `${at}/${name}`));
  }
  checkCount(specs.length, at);
  return specs;
}

function checkList(list: readonly unknown[], at: string): readonly DependencySpec[] {
  checkCount(list.length, at);
  const specs: DependencySpec[] = [];
  // An index loop also meets the holes of a sparse array, which for…of and forEach treat differently.
  for (let i = 0; i < list.length; i++) specs.push(checkListed(list[i], at, i));
  return specs;
}

function checkListed(item: unknown, at: string, index: number): DependencySpec {
  if (typeof item === 'string' || typeof item === 'number') {
    const taskId = checkId(item, at, 'a task id');
    return { name: taskId, taskId, target: undefined, settled: false };
  }
  if (isTarget(item)) return { name: item.taskId, taskId: item.taskId, target: item, settled: false };
  if (isSettled(item))
    return { name: item.settled.taskId, taskId: item.settled.taskId, target: item.settled, settled: true };
  const record = checkRecord(
    item,
    `${at}/${index}`,
    'a task id, a task, or { taskId, on, as }',
    'DEPENDENCY_INVALID',
  );
  if (record.taskId === undefined)
    throw refused(item, `${at}/${index}`, 'a task id, a task, or { taskId, on, as }');
  checkKeys(record, DATA_KEYS, `${at}/${index}`);
  const taskId = checkId(record.taskId, `${at}/${index}/taskId`, 'a task id');
  const on =
    record.on === undefined
      ? 'completed'
      : checkChoice(record.on, `${at}/${index}/on`, ['completed', 'settled']);
  const name =
    record.as === undefined ? taskId : checkId(record.as, `${at}/${index}/as`, 'a name for a dependency');
  return { name, taskId, target: undefined, settled: on === 'settled' };
}

function checkTarget(value: unknown, name: string, at: string): DependencySpec {
  if (isTarget(value)) return { name, taskId: value.taskId, target: value, settled: false };
  if (isSettled(value)) return { name, taskId: value.settled.taskId, target: value.settled, settled: true };
  throw refused(value, at, 'a task, or settled(task)');
}

function isTarget(value: unknown): value is DependencyTarget {
  return typeof value === 'object' && value !== null && 'dependencySpecs' in value && 'taskId' in value;
}

function isSettled(value: unknown): value is SettledDependency<DependencyTarget> {
  return typeof value === 'object' && value !== null && 'settled' in value && isTarget(value.settled);
}

function checkCount(count: number, at: string): void {
  if (count <= DEPENDENCIES_MAX) return;
  throw refuse('LIMIT_EXCEEDED', {
    at,
    found: `${count} dependencies`,
    allowed: `at most ${DEPENDENCIES_MAX}`,
  });
}

function refused(value: unknown, at: string, allowed: string): Error {
  return refuse('DEPENDENCY_INVALID', { at, found: describeValue(value), allowed });
}
