/**
 * How many calls wait: those that were not begun, wherever they are, beyond what threads are free for.
 *
 * Owns: nothing. Who may call it: the queue of calls, when there are enough calls for a limit to matter.
 *
 * WC1  It does not matter whether calls come in one turn or one by one, nor whether a free thread was started yet.
 * WC2  Where handlers that share a thread and others wait at once, free threads are reckoned to those of the handler that has
 *      waited first. What begins in the end can differ from that, by the order in which they came.
 */
import type { WorkerSettings } from '../../model/worker-handlers.ts';

type Counts = ReadonlyMap<string, number>;

/** A thread, as far as its calls are counted. */
export interface CountedThread {
  /** How many calls it has. */
  readonly size: number;
  /** Counts its calls by handler: those that were not begun, and those that are executed. */
  countInto(waiting: Map<string, number>, begun: Map<string, number>): void;
}

/** The calls that wait, by handler. `queued` are those that no thread has. */
export function waitingCalls(
  queued: Counts,
  threads: Iterable<CountedThread>,
  settings: WorkerSettings,
): Counts {
  const waiting = new Map(queued);
  const executed = new Map<string, number>();
  /** What each thread executes whose handlers leave room for others. */
  const shared: Counts[] = [];
  let free = settings.threads;
  const concurrentOf = (name: string): number => settings.handlers.get(name)?.concurrent ?? 1;
  for (const thread of threads) {
    const begun = new Map<string, number>();
    thread.countInto(waiting, begun);
    if (begun.size === 0) continue;
    free = Math.max(0, free - 1);
    for (const [name, count] of begun) executed.set(name, (executed.get(name) ?? 0) + count);
    if ([...begun.keys()].every((name) => concurrentOf(name) > 1)) shared.push(begun);
  }
  const left = new Map<string, number>();
  for (const [name, count] of waiting) {
    const concurrent = concurrentOf(name);
    const most =
      (settings.handlers.get(name)?.concurrency ?? Number.POSITIVE_INFINITY) - (executed.get(name) ?? 0);
    const wanted = Math.max(0, Math.min(count, most));
    let room = concurrent === 1 ? 0 : roomIn(shared, name, concurrent);
    for (; room < wanted && free > 0; free--) {
      room += concurrent;
      if (concurrent > 1) shared.push(NOTHING);
    }
    const rest = count - Math.min(wanted, room);
    if (rest > 0) left.set(name, rest);
  }
  return left;
}

const NOTHING: Counts = new Map();

function roomIn(shared: readonly Counts[], name: string, concurrent: number): number {
  let room = 0;
  for (const begun of shared) room += Math.max(0, concurrent - (begun.get(name) ?? 0));
  return room;
}
