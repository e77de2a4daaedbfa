import type { HeldBy, Lacked } from '../managers/scheduling/explain.ts';
import type { PausedBy } from '../managers/scheduling/holds.ts';
import type { TaskStatus } from '../model/status.ts';
import type { Cause, StartStep, UnmetDependency } from './explanation.ts';

/** How many names a sentence lists before it only counts the others. */
const NAMES_MAX = 5;

interface About {
  readonly path: string;
  readonly status: TaskStatus;
  readonly attempt: number;
  readonly whatWouldStart: readonly StartStep[];
}

/** An explanation in plain English, one or two sentences. */
export function textOf(about: About, cause: Cause): string {
  const task = `task ${JSON.stringify(about.path)}`;
  switch (cause.reason) {
    case 'finished':
      return `${task} has ended: it is ${about.status}${cause.failure === undefined ? '' : ` (${cause.failure.message})`}.`;
    case 'running':
      return `${task} is in progress (attempt ${about.attempt})${cause.isStopping ? ', and was told to stop' : ''}.`;
    case 'child':
      return `${task} waits for ${count(cause.open, 'child scope')} of its own: ${list(cause.scopes.map((scope) => JSON.stringify(scope)))}.`;
    case 'dependency':
      return `${task} waits for ${list(cause.unmet.map(dependencyText))}.`;
    case 'condition':
      return `${task} is ready, but its condition has not been evaluated yet.`;
    case 'timer':
      return `${task} waits ${duration(cause.inMs)} until its next attempt${cause.failure === undefined ? '' : `, after ${cause.failure.message}`}.`;
    case 'paused': {
      const lacks = cause.lacks.length === 0 ? '' : ` It also waits for ${list(cause.lacks.map(lackText))}.`;
      return `${task} is held back: ${list(cause.pausedBy.map(pauseText))}.${lacks}`;
    }
    case 'ready':
      return `${task} has everything it needs and starts in the next turn.`;
    case 'closing':
      return `${task} does not start any more: the orchestrator is closing, or this run was given up on.`;
    default: {
      const { lacks, ahead, position } = cause;
      const behind =
        ahead === 0
          ? ''
          : ` ${count(ahead, 'other')} that ${ahead === 1 ? 'wants' : 'want'} the same will be served first.`;
      return `${task} waits for ${list(lacks.map(lackText))}; it is number ${position} in the queue.${behind}`;
    }
  }
}

function dependencyText({ path, status, anyOutcome }: UnmetDependency): string {
  return `${JSON.stringify(path)} to ${anyOutcome ? 'end' : 'complete'} (it is ${status.replace('_', ' ')})`;
}

function pauseText({ what, name, isLogged }: PausedBy): string {
  if (what === 'orchestrator') return 'the orchestrator is paused';
  return `${what} ${JSON.stringify(name)} is paused${isLogged ? ', by its own pause()' : ''}`;
}

function lackText(lack: Lacked): string {
  const { kind, name, needed, free, capacity, mode, freeInMs = 0 } = lack;
  const holders = lack.holders.length === 0 ? '' : `, held by ${list(lack.holders.map(holderText))}`;
  switch (kind) {
    case 'lock':
      return `lock ${JSON.stringify(name)} (${mode})${holders}`;
    case 'agent':
      return `a slot of agent ${JSON.stringify(name)} (${capacity})${holders}`;
    case 'concurrency':
      return `a place under the limit of ${JSON.stringify(name)} (${capacity})${holders}`;
    case 'rate':
      return `${needed} of the rate ${JSON.stringify(name)}, of which ${free} of ${capacity} is free; ${needed > capacity ? 'its capacity is too small' : `enough comes back in ${duration(freeInMs)}`}`;
    case 'budget':
      return `${needed} of the budget ${JSON.stringify(name)}, of which ${free} of ${capacity} is left`;
    case 'resource':
      return `${needed} of ${JSON.stringify(name)}, of which ${free} of ${capacity} is free${holders}`;
  }
}

function holderText({ holder, amount }: HeldBy): string {
  const who =
    holder.kind === 'task'
      ? taskText(holder)
      : holder.owner === undefined
        ? `request ${holder.claimId}`
        : `${taskText(holder.owner)} (by its request ${holder.claimId})`;
  return amount === 1 ? who : `${who} (${amount})`;
}

function taskText({ runId, path }: { readonly runId: string; readonly path: string }): string {
  return `${JSON.stringify(path)} of run ${runId}`;
}

function list(parts: readonly string[]): string {
  const shown = parts.slice(0, NAMES_MAX).join(', ');
  return parts.length <= NAMES_MAX ? shown : `${shown} and ${parts.length - NAMES_MAX} more`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.ceil(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
