import type { DependencySpec } from './dependency.ts';
import type { AnyHandler } from './handler.ts';
import { isPlainId } from './ids.ts';

/** A task that has nothing but code, dependencies by id and a priority. */
export interface SimpleTask {
  readonly run: AnyHandler;
  readonly priority: number;
  readonly dependencySpecs: readonly DependencySpec[];
}

const NO_DEPENDENCIES: readonly DependencySpec[] = Object.freeze([]);

/**
 * Reads the options of a task if they are of the simplest and commonest kind, as graphs made by programs are.
 * Everything else, right or wrong, is left to the full checks, which put together the words for a refusal and
 * so cost more than all of this.
 *
 * @returns `undefined` when the full checks are needed
 */
export function readSimpleTask(given: unknown, priorityMax: number): SimpleTask | undefined {
  if (typeof given !== 'object' || given === null || Object.getPrototypeOf(given) !== Object.prototype)
    return undefined;
  const options = given as Readonly<Record<string, unknown>>;
  for (const key in options) {
    if (key !== 'run' && key !== 'dependencies' && key !== 'priority') return undefined;
  }
  const { run, priority = 0, dependencies } = options;
  // Arrow and async functions have no prototype; what has one may be a class.
  if (typeof run !== 'function' || run.prototype !== undefined) return undefined;
  if (typeof priority !== 'number' || !(priority >= -priorityMax && priority <= priorityMax))
    return undefined;
  const dependencySpecs = dependencies === undefined ? NO_DEPENDENCIES : readIds(dependencies);
  if (dependencySpecs === undefined) return undefined;
  return { run: run as AnyHandler, priority: priority + 0, dependencySpecs };
}

function readIds(list: unknown): readonly DependencySpec[] | undefined {
  if (!Array.isArray(list) || list.length > 1_000) return undefined;
  const specs: DependencySpec[] = new Array(list.length);
  for (let i = 0; i < list.length; i++) {
    const id: unknown = list[i];
    if (!isPlainId(id)) return undefined;
    specs[i] = { name: id, taskId: id, target: undefined, settled: false };
  }
  return specs;
}
