/**
 * Lanes for functions of the host: so many at once, so many in a time.
 *
 * Owns: the queues, one of p-queue for each lane, made when the lane is first used. Who may call it: the concurrency
 * controller.
 *
 * LN1  A function runs in the async context of its caller: p-queue 9 would run it in that of whoever freed the slot.
 * LN2  The rate goes by the orchestrator's clock, never by that of p-queue; so no interval or timeout is given to it.
 * LN3  A queued call that is aborted rejects at once and takes no slot.
 * LN4  When it is closed, every call that waits rejects, and none is taken any more; what runs goes on.
 */
import { AsyncResource } from 'node:async_hooks';
import type PQueue from 'p-queue';
import {
  checkFunction,
  checkInteger,
  checkKeys,
  checkNumber,
  checkRecord,
  checkSignal,
  checkTimeLimit,
  type Duration,
  reading,
} from '../../model/checks.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';

/** How a function runs in a lane. */
export interface LaneOptions {
  readonly lane: string;
  /** At once: 1 to 1,000,000. Default 1. Said once for a lane, or each time the same. */
  readonly concurrency?: number | undefined;
  /** Starts in any span of `per`. Default: no limit. Said once for a lane, or each time the same. */
  readonly rate?: { readonly limit: number; readonly per: Duration } | undefined;
  /** Higher starts earlier: -1e9 to 1e9. Default 0. */
  readonly priority?: number | undefined;
  /** Ends the wait; the function gets it too. */
  readonly signal?: AbortSignal | undefined;
}

/** The state of a lane. */
export interface LaneState {
  readonly lane: string;
  readonly concurrency: number;
  readonly running: number;
  readonly waiting: number;
}

/** How many calls may wait in one lane. */
export const LANE_CALLS_MAX = 100_000;
/** How many lanes there can be. */
export const LANES_MAX = 10_000;
const KEYS: ReadonlySet<string> = new Set(['lane', 'concurrency', 'rate', 'priority', 'signal']);

interface Lane {
  readonly concurrency: number;
  readonly rate: { readonly limit: number; readonly perMs: number } | undefined;
  readonly queue: Promise<PQueue>;
  started: number;
  running: number;
  waiting: number;
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  /** What takes each waiting call out of its queue. */
  readonly #waiting = new Set<AbortController>();
  #closed: OrchestratorError | undefined;
  readonly #setTimer: (delayMs: number, callback: () => void) => () => void;

  constructor(parts: { readonly setTimer: (delayMs: number, callback: () => void) => () => void }) {
    this.#setTimer = parts.setTimer;
  }

  /** Takes no more calls; those that wait reject with this error. */
  close(error: OrchestratorError): void {
    this.#closed = error;
    for (const leave of this.#waiting) leave.abort(error);
  }

  states(): readonly LaneState[] {
    return [...this.#lanes].map(([lane, { concurrency, running, waiting }]) => ({
      lane,
      concurrency,
      running,
      waiting,
    }));
  }

  async run<Result>(
    work: (context: { readonly signal: AbortSignal | undefined }) => Result | PromiseLike<Result>,
    given: LaneOptions,
  ): Promise<Result> {
    const at = 'manageConcurrency';
    if (this.#closed !== undefined) throw this.#closed;
    checkFunction(work, at, 'a function to run');
    const { lane, name, priority, signal } = reading(at, 'an object of options', () => this.#read(given, at));
    const what = `manageConcurrency(${name})`;
    const aborted = (): OrchestratorError =>
      new OrchestratorError('WAIT_ABORTED', `${what}: the wait was ended by its signal`, {
        cause: signal?.reason,
      });
    if (signal?.aborted === true) throw aborted();
    if (lane.waiting >= LANE_CALLS_MAX)
      throw new OrchestratorError(
        'QUEUE_FULL',
        `${what}: found ${lane.waiting} calls waiting; allowed: ${LANE_CALLS_MAX}. Wait until some have been served.`,
      );
    lane.waiting++;
    const call = AsyncResource.bind(() => work({ signal }));
    // p-queue gives up on a running call as well when its signal is aborted: so it gets one that only the wait knows.
    const leave = new AbortController();
    this.#waiting.add(leave);
    let began = false;
    try {
      const queue = await lane.queue;
      const task = async (): Promise<Result> => {
        began = true;
        this.#waiting.delete(leave);
        lane.waiting--;
        lane.running++;
        this.#count(lane, queue);
        try {
          return await call();
        } finally {
          lane.running--;
        }
      };
      return await enqueue(queue, task, priority, signal, leave);
    } catch (thrown) {
      if (began) throw thrown;
      this.#waiting.delete(leave);
      lane.waiting--;
      throw this.#closed ?? aborted();
    }
  }

  /** Lets nothing start once the rate is used up, until the oldest start is `perMs` ago. */
  #count(lane: Lane, queue: PQueue): void {
    if (lane.rate === undefined) return;
    if (++lane.started >= lane.rate.limit) queue.pause();
    this.#setTimer(lane.rate.perMs, () => {
      lane.started--;
      queue.start();
    });
  }

  #read(given: LaneOptions, at: string) {
    const options = checkRecord(given, at, 'an object of options with a lane') as unknown as LaneOptions;
    checkKeys(options, KEYS, at);
    const name = checkId(options.lane, `${at}/lane`, 'the name of a lane');
    const { concurrency, rate, priority } = options;
    const wanted = {
      concurrency:
        concurrency === undefined ? undefined : checkInteger(concurrency, `${at}/concurrency`, 1, 1_000_000),
      rate:
        rate === undefined
          ? undefined
          : {
              limit: checkInteger(rate.limit, `${at}/rate/limit`, 1, 1_000_000),
              perMs: checkTimeLimit(rate.per, `${at}/rate/per`),
            },
    };
    return {
      name,
      priority: priority === undefined ? 0 : checkNumber(priority, `${at}/priority`, -1e9, 1e9),
      signal: checkSignal(options.signal, `${at}/signal`),
      lane: this.#lane(name, wanted, at),
    };
  }

  #lane(name: string, wanted: { concurrency: number | undefined; rate: Lane['rate'] }, at: string): Lane {
    const known = this.#lanes.get(name);
    if (known !== undefined) {
      const differs =
        (wanted.concurrency !== undefined && wanted.concurrency !== known.concurrency) ||
        (wanted.rate !== undefined &&
          (wanted.rate.limit !== known.rate?.limit || wanted.rate.perMs !== known.rate.perMs));
      if (differs)
        throw refuse('OPTION_CONFLICT', {
          at,
          found: `other limits for the lane ${JSON.stringify(name)} than it has`,
          allowed: 'the same limits, or none',
        });
      return known;
    }
    if (this.#lanes.size >= LANES_MAX)
      throw refuse('LIMIT_EXCEEDED', { at, found: `${LANES_MAX} lanes`, allowed: `at most ${LANES_MAX}` });
    const concurrency = wanted.concurrency ?? 1;
    const queue = import('p-queue').then(({ default: Queue }) => new Queue({ concurrency }));
    const lane: Lane = { concurrency, rate: wanted.rate, queue, started: 0, running: 0, waiting: 0 };
    this.#lanes.set(name, lane);
    return lane;
  }
}

/** Waits for a slot; an abort before the start takes the call out of the queue, one after it is the function's own. */
function enqueue<Result>(
  queue: PQueue,
  task: () => Promise<Result>,
  priority: number,
  signal: AbortSignal | undefined,
  leave: AbortController,
): Promise<Result> {
  let began = false;
  const onAbort = (): void => {
    if (!began) leave.abort(signal?.reason);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  return queue
    .add(
      () => {
        began = true;
        return task();
      },
      { priority, signal: leave.signal },
    )
    .finally(() => signal?.removeEventListener('abort', onAbort)) as Promise<Result>;
}
