/**
 * Requests of the host itself for what the ledger holds: locks and resources for code that is not a task.
 *
 * Owns: the requests that wait. Who may call it: the resource manager and the concurrency controller.
 *
 * CL1  A request gets everything it asked for at once, or nothing.
 * CL2  A wait ends: by the grant, by its signal, by its time limit, or by the end of everything; then nothing of it is left in the queue.
 * CL3  A grant is given back exactly once; doing so again is an error and changes nothing.
 */
import { reading } from '../../model/checks.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { Group, Ledger, Need } from './ledger.ts';
import type { Waiter, WaiterComparator } from './need-group.ts';

/** How a request waits. */
export interface ClaimOptions {
  readonly priority: number;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** What is asked for, for messages. */
  readonly what: string;
}

/** What was taken for a request. */
export interface Grant {
  /** Greater than that of every earlier grant. */
  readonly token: number;
  /** Gives it back. @throws OrchestratorError `GRANT_RELEASED` the second time */
  release(): void;
}

/** What claims are made of. */
export interface ClaimsParts {
  readonly ledger: Ledger;
  /** The order of a request among tasks: that of its submission. */
  readonly nextOrder: () => number;
  readonly nextToken: () => number;
  readonly setTimer: (delayMs: number, callback: () => void) => () => void;
  /** Called when something was asked for or given back. */
  readonly wake: () => void;
}

/** How many requests may wait at once. */
export const CLAIMS_MAX = 100_000;

class Claim implements Waiter {
  readonly rank: number;
  readonly subRank = 0;
  readonly order: number;
  readonly by: WaiterComparator | undefined = undefined;
  queued = false;
  readonly group: Group;
  readonly resolve: (grant: Grant) => void;
  cleanup: () => void = () => {};

  constructor(rank: number, order: number, group: Group, resolve: (grant: Grant) => void) {
    this.rank = rank;
    this.order = order;
    this.group = group;
    this.resolve = resolve;
  }
}

export class Claims {
  readonly #parts: ClaimsParts;
  /** How each request that waits is made to give up. */
  readonly #waiting = new Set<(error: OrchestratorError) => void>();
  #closed: OrchestratorError | undefined;

  constructor(parts: ClaimsParts) {
    this.#parts = parts;
  }

  /**
   * Waits for all needs together.
   * @throws OrchestratorError `WAIT_ABORTED`, `WAIT_TIMEOUT`, `QUEUE_FULL`, `ORCHESTRATOR_CLOSED`
   */
  request(needs: readonly Need[], options: ClaimOptions): Promise<Grant> {
    const { ledger, nextOrder, setTimer, wake } = this.#parts;
    const { signal, timeoutMs, what } = options;
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) throw this.#closed;
      if (signal?.aborted) throw aborted(what, signal.reason);
      if (this.#waiting.size >= CLAIMS_MAX)
        throw new OrchestratorError(
          'QUEUE_FULL',
          `${what}: found ${this.#waiting.size} requests waiting; allowed: ${CLAIMS_MAX}. Wait until some have been served.`,
        );
      const onAbort = (): void => leave(aborted(what, signal?.reason));
      reading(`${what}/signal`, 'an AbortSignal', () =>
        signal?.addEventListener('abort', onAbort, { once: true }),
      );
      const group = ledger.group(needs, what, false);
      group.holders++;
      const claim = new Claim(options.priority, nextOrder(), group, resolve);
      const leave = (error: OrchestratorError): void => {
        if (!this.#waiting.has(leave)) return;
        claim.cleanup();
        ledger.withdraw(claim, group);
        this.#forget(group);
        reject(error);
        wake();
      };
      const stopTimer =
        timeoutMs === undefined
          ? undefined
          : setTimer(timeoutMs, () =>
              leave(
                new OrchestratorError(
                  'WAIT_TIMEOUT',
                  `${what}: found no grant after ${timeoutMs} ms; the wait was given up. Wait longer, or see who holds it.`,
                ),
              ),
            );
      claim.cleanup = () => {
        this.#waiting.delete(leave);
        stopTimer?.();
        unlisten(signal, onAbort);
      };
      this.#waiting.add(leave);
      ledger.enqueue(claim, group);
      wake();
    });
  }

  /** Ends every wait, and refuses what is asked for from now on. */
  close(error: OrchestratorError): void {
    this.#closed = error;
    for (const leave of [...this.#waiting]) leave(error);
  }

  /** Hands a request what the ledger has taken for it. */
  granted(waiter: Waiter): void {
    if (!(waiter instanceof Claim))
      throw new OrchestratorError('INTERNAL', 'the ledger served somebody unknown');
    waiter.cleanup();
    waiter.resolve(this.#grant(waiter.group));
  }

  #grant(group: Group): Grant {
    let held = true;
    return {
      token: this.#parts.nextToken(),
      release: () => {
        if (!held)
          throw new OrchestratorError(
            'GRANT_RELEASED',
            'the grant was given back before; found a second release, allowed: one',
          );
        held = false;
        this.#parts.ledger.release(group);
        this.#forget(group);
        this.#parts.wake();
      },
    };
  }

  #forget(group: Group): void {
    group.holders--;
    this.#parts.ledger.dropGroup(group);
  }
}

function aborted(what: string, reason: unknown): OrchestratorError {
  return new OrchestratorError('WAIT_ABORTED', `${what}: the wait was ended by its signal`, {
    cause: reason,
  });
}

/** A signal of the host's own may fail to let go; that is no reason to lose a grant. */
function unlisten(signal: AbortSignal | undefined, listener: () => void): void {
  try {
    signal?.removeEventListener('abort', listener);
  } catch {
    // It may call once more: by then the wait is over, and nothing happens.
  }
}
