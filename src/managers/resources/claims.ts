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
import type { ClaimRecord } from './holders.ts';
import type { Group, Ledger, Need } from './ledger.ts';
import type { Waiter, WaiterComparator } from './need-group.ts';

/** How a request waits. */
export interface ClaimOptions {
  readonly priority: number;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** What is asked for, for messages. */
  readonly what: string;
  /** The attempt whose handler asks. */
  readonly owner?: ClaimRecord['owner'];
  /** Told of what becomes of it, at once. */
  readonly watch?: ClaimWatch;
  /** What the wait rejects with when its signal says so. Default: `WAIT_ABORTED`. */
  readonly abortError?: (reason: unknown) => unknown;
}

/** Who is told what becomes of a request, in the same turn. It must not throw. */
export interface ClaimWatch {
  /** It stands in the queue; `leave` makes it give up. */
  waits(group: Group, leave: (error: unknown) => void): void;
  granted(grant: Grant): void;
  /** It gave up. */
  left(): void;
  /** It was given back. */
  released(): void;
}

/** What was granted for a request and not given back. */
export interface GrantedClaim extends ClaimRecord {
  readonly token: number;
  readonly owner?: NonNullable<ClaimRecord['owner']>;
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

/** A request that waits. */
export class Claim implements Waiter {
  readonly rank: number;
  readonly subRank = 0;
  readonly order: number;
  readonly by: WaiterComparator | undefined = undefined;
  queued = false;
  readonly group: Group;
  readonly resolve: (grant: Grant) => void;
  readonly claimId: string;
  readonly owner: ClaimRecord['owner'];
  readonly watch: ClaimWatch | undefined;
  cleanup: () => void = () => {};

  constructor(
    order: number,
    group: Group,
    claimId: string,
    { priority, owner, watch }: ClaimOptions,
    resolve: (grant: Grant) => void,
  ) {
    this.rank = priority;
    this.order = order;
    this.group = group;
    this.claimId = claimId;
    this.owner = owner;
    this.watch = watch;
    this.resolve = resolve;
  }
}

export class Claims {
  readonly #parts: ClaimsParts;
  /** How each request that waits is made to give up. */
  readonly #waiting = new Set<(error: unknown) => void>();
  /** What was granted and not given back. */
  readonly #granted = new Set<GrantedClaim>();
  #claims = 0;
  #isWaking = false;
  #closed: OrchestratorError | undefined;

  constructor(parts: ClaimsParts) {
    this.#parts = parts;
  }

  /**
   * Waits for all needs together.
   * @throws OrchestratorError `WAIT_ABORTED`, `WAIT_TIMEOUT`, `QUEUE_FULL`, `ORCHESTRATOR_CLOSED`
   */
  request(needs: readonly Need[], options: ClaimOptions): Promise<Grant> {
    const { ledger, nextOrder, setTimer } = this.#parts;
    const wake = (): void => this.#wake();
    const { signal, timeoutMs, what } = options;
    const abortError = options.abortError ?? ((reason: unknown) => aborted(what, reason));
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) throw this.#closed;
      if (signal?.aborted) throw abortError(signal.reason);
      if (this.#waiting.size >= CLAIMS_MAX)
        throw new OrchestratorError(
          'QUEUE_FULL',
          `${what}: found ${this.#waiting.size} requests waiting; allowed: ${CLAIMS_MAX}. Wait until some have been served.`,
        );
      const onAbort = (): void => leave(abortError(signal?.reason));
      reading(`${what}/signal`, 'an AbortSignal', () =>
        signal?.addEventListener('abort', onAbort, { once: true }),
      );
      const group = ledger.group(needs, what, false);
      group.holders++;
      const claim = new Claim(nextOrder(), group, `claim-${++this.#claims}`, options, resolve);
      const leave = (error: unknown): void => {
        if (!this.#waiting.has(leave)) return;
        claim.cleanup();
        ledger.withdraw(claim, group);
        this.#forget(group);
        options.watch?.left();
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
      options.watch?.waits(group, leave);
      wake();
    });
  }

  /** How many requests there have been. */
  get asked(): number {
    return this.#claims;
  }

  /** What was granted and not given back, oldest first. */
  records(): Iterable<GrantedClaim> {
    return this.#granted;
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
    const grant = this.#grant(waiter);
    waiter.watch?.granted(grant);
    waiter.resolve(grant);
  }

  #grant({ group, claimId, owner, watch }: Claim): Grant {
    let held = true;
    const token = this.#parts.nextToken();
    const record: GrantedClaim = { claimId, token, group, ...(owner === undefined ? undefined : { owner }) };
    this.#granted.add(record);
    return {
      token,
      release: () => {
        if (!held)
          throw new OrchestratorError(
            'GRANT_RELEASED',
            'the grant was given back before; found a second release, allowed: one',
          );
        held = false;
        this.#granted.delete(record);
        this.#parts.ledger.release(group);
        watch?.released();
        this.#forget(group);
        this.#wake();
      },
    };
  }

  /**
   * Who asks or gives back may be a body that the loop is just starting: it takes no wake-up in the middle of its
   * turn, and has passed the point where it looks for waiters. So it is woken once more when the turn is over.
   */
  #wake(): void {
    const { wake } = this.#parts;
    wake();
    if (this.#isWaking) return;
    this.#isWaking = true;
    queueMicrotask(() => {
      this.#isWaking = false;
      wake();
    });
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
