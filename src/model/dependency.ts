import { describeValue } from '../base/values.ts';
import { checkChoice, checkKeys, checkRecord } from './checks.ts';
import { refuse } from './errors.ts';
import type { SettledOutcome } from './handler.ts';
import { checkId, isPlainId } from './ids.ts';

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

/** One dependency in a list: a task, the end of a task, the id of one, or plain data. */
export type DependencyItem =
  | string
  | number
  | DependencyTarget
  | SettledDependency<DependencyTarget>
  | DependencyData;

/** How dependencies can be written: by name, or as a list of tasks and ids. */
export type DependencyInput =
  | Readonly<Record<string, DependencyTarget | SettledDependency<DependencyTarget>>>
  | readonly DependencyItem[];

/** The output type of a task. */
export type OutputOf<Target> = Target extends { readonly '~output': infer Out } ? Out : unknown;

type Seen<Dependency> =
  Dependency extends SettledDependency<infer Target>
    ? SettledOutcome<OutputOf<Target>>
    : OutputOf<Dependency>;

/** The name under which an item of a list of dependencies is seen; `never` for plain ids, whose type is open. */
type NameOf<Dependency> =
  Dependency extends SettledDependency<infer Target>
    ? NameOf<Target>
    : Dependency extends { readonly taskId: infer Id extends string; readonly '~output': unknown }
      ? Id
      : never;

/** What the handler sees under `dependencies`. */
export type DependencyOutputs<Deps> = Deps extends readonly unknown[]
  ? { readonly [Dependency in Deps[number] as NameOf<Dependency>]: Seen<Dependency> } & Readonly<
      Record<string, unknown>
    >
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

/** Tells tasks from everything else; this file need not know what they are made of. */
type IsTarget = (value: unknown) => value is DependencyTarget;

const ALLOWED = 'an object of tasks by name, or an array of task ids and tasks';
const DATA_KEYS: ReadonlySet<string> = new Set(['taskId', 'on', 'as']);

/**
 * Checks the `dependencies` of a task. That the ids exist is checked when the workflow is compiled.
 * @throws OrchestratorError `DEPENDENCY_INVALID`, `ID_INVALID`, `LIMIT_EXCEEDED`
 */
export function checkDependencies(
  value: unknown,
  taskAt: string,
  isTarget: IsTarget,
): readonly DependencySpec[] {
  const at = `${taskAt}/dependencies`;
  if (Array.isArray(value)) return checkList(value, at, isTarget);
  const record = checkRecord(value, at, ALLOWED, 'DEPENDENCY_INVALID');
  const keys = Object.keys(record);
  checkCount(keys.length, at);
  const specs: DependencySpec[] = [];
  for (const key of keys) {
    const name = checkId(key, `${at}/${key}`, 'a name for a dependency');
    specs.push(checkTarget(record[key], name, `${at}/${name}`, isTarget));
  }
  return specs;
}

function checkList(list: readonly unknown[], at: string, isTarget: IsTarget): readonly DependencySpec[] {
  const { length } = list;
  checkCount(length, at);
  const specs: DependencySpec[] = [];
  // An index loop also meets the holes of a sparse array, which for…of and forEach treat differently.
  for (let i = 0; i < length; i++) specs.push(checkListed(list[i], at, i, isTarget));
  return specs;
}

function checkListed(item: unknown, at: string, index: number, isTarget: IsTarget): DependencySpec {
  if (typeof item === 'string' || typeof item === 'number') {
    // The place is put together only when it is needed: a list can be long.
    const taskId = isPlainId(item) ? item : checkId(item, `${at}/${index}`, 'a task id');
    return { name: taskId, taskId, target: undefined, settled: false };
  }
  if (isTarget(item)) return { name: item.taskId, taskId: item.taskId, target: item, settled: false };
  const awaited = settledTarget(item, isTarget);
  if (awaited !== undefined)
    return { name: awaited.taskId, taskId: awaited.taskId, target: awaited, settled: true };
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

function checkTarget(value: unknown, name: string, at: string, isTarget: IsTarget): DependencySpec {
  if (isTarget(value)) return { name, taskId: value.taskId, target: value, settled: false };
  const awaited = settledTarget(value, isTarget);
  if (awaited !== undefined) return { name, taskId: awaited.taskId, target: awaited, settled: true };
  throw refused(value, at, 'a task, or settled(task)');
}

/** The task inside `settled(task)`. */
function settledTarget(value: unknown, isTarget: IsTarget): DependencyTarget | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const target = (value as { readonly settled?: unknown }).settled;
  return isTarget(target) ? target : undefined;
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
