import type { RunEvent } from '../machine/events.ts';
import { upcast } from '../machine/replay.ts';
import type { PersistenceManager } from '../managers/persistence/persistence-manager.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import {
  checkInteger,
  checkKeys,
  checkRecord,
  checkSignal,
  invalidOption,
  reading,
} from '../model/checks.ts';
import { OrchestratorError } from '../model/errors.ts';

/** How many events are read from the store at once; a reader never holds more. */
const PAGE = 256;

/** Where and how long to read. */
export interface EventsOptions {
  /** The first `seq` wanted. Default 1. */
  readonly fromSeq?: number | undefined;
  /** `false` ends with what is durable now, instead of waiting for the end of the run. Default true. */
  readonly follow?: boolean | undefined;
  /** Ends the reading. */
  readonly signal?: AbortSignal | undefined;
}

const KEYS: ReadonlySet<string> = new Set(['fromSeq', 'follow', 'signal']);

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkEvents(given: unknown): EventsOptions {
  return reading('events', 'an object of options', () => {
    const { fromSeq, follow, signal } = checkRecord(given, 'events', 'an object of options');
    checkKeys(given as object, KEYS, 'events');
    if (follow !== undefined && typeof follow !== 'boolean')
      throw invalidOption('events/follow', follow, 'true or false');
    return {
      fromSeq:
        fromSeq === undefined ? 1 : checkInteger(fromSeq, 'events/fromSeq', 1, Number.MAX_SAFE_INTEGER),
      follow,
      signal: checkSignal(signal, 'events/signal'),
    };
  });
}

/**
 * The events of a run from its log, then as they become durable, until the run ends. Nothing is buffered for a
 * reader: a slow one reads from the store when it comes to it, so it costs nothing and misses nothing.
 *
 * @throws OrchestratorError `RUN_RELEASED` while reading, when the log was let go; the error of a lost run
 */
export async function* readEvents(
  run: LiveRun,
  persistence: PersistenceManager,
  options: EventsOptions,
): AsyncGenerator<RunEvent, void, void> {
  let next = options.fromSeq ?? 1;
  for (;;) {
    while (next <= run.durableSeq) {
      if (run.isReleased) throw released(run);
      const page = await persistence.readPage(run.runId, next, Math.min(PAGE, run.durableSeq - next + 1));
      if (page.length === 0) throw released(run);
      for (const record of page) {
        if (options.signal?.aborted) return;
        // The log may keep this very object.
        yield Object.freeze(upcast(record));
        next++;
      }
    }
    if (run.lost !== undefined) throw run.lost;
    if (run.isOver || options.follow === false || options.signal?.aborted) return;
    await moreEvents(run, next, options.signal);
  }
}

/** Waits until there is something behind `next`, or there never will be. */
function moreEvents(run: LiveRun, next: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stop();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const stop = run.onProgress(() => {
      if (run.durableSeq >= next || run.isOver || run.lost !== undefined || run.isReleased) done();
    });
    signal?.addEventListener('abort', done, { once: true });
  });
}

function released(run: LiveRun): OrchestratorError {
  return new OrchestratorError('RUN_RELEASED', `run ${run.runId} was released, so its log is gone`, {
    details: { runId: run.runId },
  });
}
