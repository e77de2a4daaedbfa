/**
 * An external ledger: handlers write into it what they do, so that what the orchestrator says of itself can be
 * judged by what happened. It looks into the store beneath the orchestrator's own at every step.
 */
import type { HandlerContext, MemoryStore, RunEvent } from '@taskmaster-ai/orchestrator';
import { expect } from 'vitest';

/** One line of the ledger. */
export interface Entry {
  readonly what: 'start' | 'end';
  readonly runId: string;
  readonly path: string;
  readonly attempt: number;
}

/** The log of a run as the store has it now. */
export function storedLog(store: MemoryStore, runId: string): readonly RunEvent[] {
  return store
    .read({ stream: `run:${runId}`, fromSeq: 1, limit: Number.MAX_SAFE_INTEGER })
    .map((record) => record.payload as RunEvent);
}

export class Witness {
  readonly entries: Entry[] = [];
  /** What monitors heard, in order. */
  readonly heard: RunEvent[] = [];
  /** What must not be, in words. */
  readonly faults: string[] = [];
  readonly #store: MemoryStore;
  readonly #underWay = new Set<string>();
  readonly #locked = new Set<string>();

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  /** For `open({ monitors })`: nothing is heard before it is in the store, and nothing twice. */
  readonly monitor = {
    observe: (event: RunEvent): void => {
      this.heard.push(event);
      const stored = storedLog(this.#store, event.runId)[event.seq - 1];
      if (stored?.type !== event.type)
        this.#complain(`${event.type} ${event.seq} was heard before it was durable (W1)`);
    },
  };

  /** A handler that writes what it does around what `body` does. */
  handler<Out>(
    body: (context: HandlerContext<unknown, unknown>) => Out | Promise<Out>,
    dependencies: readonly string[] = [],
    lock?: string,
  ): (context: HandlerContext<unknown, unknown>) => Out | Promise<Out> {
    return (context) => {
      const { runId, path, attempt } = context;
      this.#start({ what: 'start', runId, path, attempt }, dependencies, lock);
      const end = (): void => this.#end({ what: 'end', runId, path, attempt }, lock);
      let returned: Out | Promise<Out>;
      try {
        returned = body(context);
      } catch (thrown) {
        end();
        throw thrown;
      }
      if (returned instanceof Promise) return returned.finally(end);
      end();
      return returned;
    };
  }

  /** How many bodies of a task were started. */
  startsOf(path: string): number {
    return this.entries.filter((entry) => entry.what === 'start' && entry.path === path).length;
  }

  /** Compares everything with the log of a run that this process has run from its start, and that has ended. */
  judge(runId: string): void {
    const log = storedLog(this.#store, runId);
    expect(
      this.heard.filter((event) => event.runId === runId).map(({ seq, type }) => `${seq} ${type}`),
      'each event is heard once, in order',
    ).toEqual(log.map(({ seq, type }) => `${seq} ${type}`));
    expect(
      log.map(({ seq }) => seq),
      'I19',
    ).toEqual(log.map((_, i) => i + 1));
    const started = this.entries
      .filter((entry) => entry.runId === runId && entry.what === 'start')
      .map(({ path, attempt }) => `${path} ${attempt}`);
    const logged = log.filter((event) => event.type === 'TaskStarted');
    expect(new Set(started).size, 'no attempt runs twice').toBe(started.length);
    for (const { path, attempt } of logged) expect(started, 'I2').toContain(`${path} ${attempt}`);
    expect(started).toHaveLength(logged.length);
    expect(this.faults).toEqual([]);
  }

  #start(entry: Entry, dependencies: readonly string[], lock: string | undefined): void {
    this.entries.push(entry);
    const { runId, path, attempt } = entry;
    const log = storedLog(this.#store, runId);
    const isOf = (event: RunEvent, type: RunEvent['type'], of: string): boolean =>
      event.type === type && 'path' in event && event.path === of;
    if (
      !log.some(
        (event) => isOf(event, 'TaskStarted', path) && 'attempt' in event && event.attempt === attempt,
      )
    )
      this.#complain(`${path} ${attempt} ran before its start was durable (I2)`);
    for (const dependency of dependencies) {
      if (!log.some((event) => isOf(event, 'TaskCompleted', dependency)))
        this.#complain(`${path} ran before the end of ${dependency} was durable (I1)`);
    }
    if (log.some((event) => isOf(event, 'TaskCompleted', path)))
      this.#complain(`${path} ran again although it has completed (I5)`);
    if (this.#underWay.has(`${runId} ${path}`)) this.#complain(`${path} runs beside itself (I3)`);
    this.#underWay.add(`${runId} ${path}`);
    if (lock === undefined) return;
    if (this.#locked.has(lock)) this.#complain(`${path} shares the exclusive lock ${lock} (I25)`);
    this.#locked.add(lock);
  }

  #end(entry: Entry, lock: string | undefined): void {
    this.entries.push(entry);
    this.#underWay.delete(`${entry.runId} ${entry.path}`);
    if (lock !== undefined) this.#locked.delete(lock);
  }

  #complain(fault: string): void {
    this.faults.push(fault);
  }
}
