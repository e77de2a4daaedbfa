/** What keeps a process alive, and what is left of threads: compared before and after. */
import { readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is open in this process. */
export interface Open {
  /** Handles, ports, timers, requests, each kind with its number. */
  readonly resources: Readonly<Record<string, number>>;
  /** Listeners of `process`, by event. */
  readonly listeners: Readonly<Record<string, number>>;
  /** Threads of the operating system; -1 where it does not tell. */
  readonly threads: number;
  /** Child processes; -1 where it does not tell. */
  readonly children: number;
}

/** Starts the threads and opens the streams that Node itself keeps, so that they are not taken for what was left. */
export async function settleProcess(): Promise<void> {
  void [process.stdout, process.stderr];
  await Promise.all(Array.from({ length: 8 }, () => stat('.')));
  // What those were is over a turn later.
  await sleep(1);
}

export function openNow(): Open {
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const listeners: Record<string, number> = {};
  for (const event of process.eventNames()) listeners[String(event)] = process.listenerCount(event);
  return { resources, listeners, threads: threadCount(), children: childCount() };
}

/** Waits until no more is open than before; says what is, when that takes too long. */
export async function leftAfter(before: Open, limitMs = 10_000): Promise<string | undefined> {
  const until = performance.now() + limitMs;
  for (;;) {
    // Nothing of the wait itself is open while it looks.
    const left = difference(before, openNow());
    if (left === undefined || performance.now() > until) return left;
    await sleep(5);
  }
}

function difference(before: Open, now: Open): string | undefined {
  const found: string[] = [];
  compare(before.resources, now.resources, 'open', found);
  compare(before.listeners, now.listeners, 'listeners of', found);
  if (now.threads > before.threads) found.push(`${now.threads} threads instead of ${before.threads}`);
  if (now.children > before.children)
    found.push(`${now.children} child processes instead of ${before.children}`);
  return found.length === 0 ? undefined : found.join(', ');
}

function compare(
  before: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
  what: string,
  found: string[],
): void {
  for (const kind of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [was, is] = [before[kind] ?? 0, now[kind] ?? 0];
    if (is > was) found.push(`${what} ${kind}: ${is} instead of ${was}`);
  }
}

function threadCount(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return -1;
  }
}

function childCount(): number {
  try {
    return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean)
      .length;
  } catch {
    return -1;
  }
}
