import { invalidOption, reading } from './checks.ts';

/**
 * The address of a task in a run: task ids joined by `/`, where each but the last opens a scope and may carry
 * `[item]` (an item of a map) or `#n` (an iteration of a loop): `write`, `pages[doc-17]/parse`, `review#3/write`.
 */
export type TaskPath = string;

/** One step of a path. */
export interface PathStep {
  readonly taskId: string;
  readonly item?: string;
  readonly iteration?: number;
}

const STEPS = 'the steps of a path, such as [{ taskId }]';

/** A task id, then perhaps an item or an iteration. */
const STEP = /^([^[\]#]+)(?:\[([^[\]#]+)\]|#(0|[1-9]\d{0,14}))?$/;

/** Joins the prefix of a scope (empty for the root) and a task id. */
export function joinPath(prefix: string, taskId: string): TaskPath {
  return prefix === '' ? taskId : `${prefix}/${taskId}`;
}

/** The prefix of the scope that a path lies in: everything before its last `/`, or the empty string. */
export function scopeOf(path: TaskPath): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** The last step of a path without its scope: the task id, with its item or iteration if it has one. */
export function leafOf(path: TaskPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Takes a path apart; `undefined` when it is not a path. */
export function parsePath(path: string): readonly PathStep[] | undefined {
  if (typeof path !== 'string') return undefined;
  const steps: PathStep[] = [];
  for (const part of path.split('/')) {
    const step = parseStep(part);
    if (step === undefined) return undefined;
    steps.push(step);
  }
  return steps;
}

/** Puts a path together again: `formatPath(parsePath(p)) === p`. @throws OrchestratorError `OPTION_INVALID` */
export function formatPath(steps: readonly PathStep[]): TaskPath {
  return reading('formatPath', STEPS, () => {
    if (!Array.isArray(steps)) throw invalidOption('formatPath', steps, STEPS);
    return steps.map(formatStep).join('/');
  });
}

function parseStep(part: string): PathStep | undefined {
  const [, taskId, item, iteration] = STEP.exec(part) ?? [];
  if (taskId === undefined) return undefined;
  if (item !== undefined) return { taskId, item };
  return iteration === undefined ? { taskId } : { taskId, iteration: Number(iteration) };
}

function formatStep(step: PathStep, i: number): string {
  if (typeof step?.taskId !== 'string') throw invalidOption(`formatPath/${i}`, step, STEPS);
  if (step.item !== undefined) return `${step.taskId}[${step.item}]`;
  return step.iteration === undefined ? step.taskId : `${step.taskId}#${step.iteration}`;
}
