/**
 * Tells when the scheduler has nothing left to do.
 *
 * Owns: who waits for that, and what was told. Who may call it: the task scheduler.
 *
 * DR1  "empty" is told when no task waits in the queue or is held back there; "idle" when, moreover, nothing runs and no
 *      run is unfinished.
 * DR2  Each is told once per drain: again only after something has come and gone.
 * DR3  Nobody looks while nobody has asked.
 */
import { AsyncResource } from 'node:async_hooks';
import { checkFunction, checkKeys, checkRecord, checkSignal, reading } from '../../model/checks.ts';
import { OrchestratorError } from '../../model/errors.ts';

/** How a wait for a drain ends early. */
export interface DrainOptions {
  /** Ends the wait with `WAIT_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/** What a drain is made of. */
export interface DrainParts {
  readonly isDrained: () => boolean;
  /** Changes whenever something comes that has to drain. */
  readonly arrivals: () => number;
  /** Calls back after every turn, until it is told to stop. */
  readonly onTurn: (watcher: () => void) => () => void;
  /** Told of what a listener throws. */
  readonly complain: (error: OrchestratorError) => void;
}

/** How many may wait for one kind of drain at once. */
export const DRAIN_WAITERS_MAX = 100_000;

const KEYS: ReadonlySet<string> = new Set(['signal']);

export class Drain {
  readonly #name: string;
  readonly #parts: DrainParts;
  readonly #listeners = new Set<() => void>();
  readonly #waiters = new Set<(error: OrchestratorError | undefined) => void>();
  #told: number | undefined;
  #unwatch: (() => void) | undefined;

  constructor(name: string, parts: DrainParts) {
    this.#name = name;
    this.#parts = parts;
  }

  /**
   * Calls back at the end of every drain from now on; returns how to stop it.
   * @throws OrchestratorError `OPTION_INVALID`, `QUEUE_FULL`
   */
  on(listener: () => void): () => void {
    const bound = AsyncResource.bind(checkFunction(listener, this.#name, 'a function') as () => void);
    this.#checkRoom();
    if (this.#listeners.size === 0) this.#told = this.#parts.isDrained() ? this.#parts.arrivals() : undefined;
    this.#listeners.add(bound);
    this.#watch();
    return () => {
      this.#listeners.delete(bound);
      this.#rest();
    };
  }

  /**
   * Waits for the end of the drain; no time at all when there is nothing to drain.
   * @throws OrchestratorError `WAIT_ABORTED`, `QUEUE_FULL`, `ORCHESTRATOR_CLOSED`
   */
  async until(given: DrainOptions): Promise<void> {
    const signal = reading(this.#name, 'an object of options such as { signal }', () => {
      const options = checkRecord(given, this.#name, 'an object of options such as { signal }');
      checkKeys(options, KEYS, this.#name);
      return checkSignal(options.signal, `${this.#name}/signal`);
    });
    if (signal?.aborted) throw this.#aborted(signal);
    if (this.#parts.isDrained()) return;
    this.#checkRoom();
    await new Promise<void>((resolve, reject) => {
      const end = (error: OrchestratorError | undefined): void => {
        this.#waiters.delete(end);
        signal?.removeEventListener('abort', abort);
        this.#rest();
        if (error === undefined) resolve();
        else reject(error);
      };
      const abort = (): void => end(this.#aborted(signal as AbortSignal));
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.add(end);
      this.#watch();
    });
  }

  /** Ends every wait. */
  close(error: OrchestratorError): void {
    this.#listeners.clear();
    for (const end of [...this.#waiters]) end(error);
    this.#rest();
  }

  #look(): void {
    if (!this.#parts.isDrained()) return;
    for (const end of [...this.#waiters]) end(undefined);
    const arrivals = this.#parts.arrivals();
    if (this.#told === arrivals) return;
    this.#told = arrivals;
    for (const listener of [...this.#listeners]) this.#tell(listener);
  }

  #tell(listener: () => void): void {
    try {
      listener();
    } catch (cause) {
      const message = `a listener of ${this.#name} threw; nothing was changed by it`;
      this.#parts.complain(new OrchestratorError('OPTION_INVALID', message, { cause }));
    }
  }

  #watch(): void {
    this.#unwatch ??= this.#parts.onTurn(() => this.#look());
  }

  #rest(): void {
    if (this.#listeners.size > 0 || this.#waiters.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #checkRoom(): void {
    if (this.#waiters.size + this.#listeners.size < DRAIN_WAITERS_MAX) return;
    throw new OrchestratorError(
      'QUEUE_FULL',
      `${this.#name}: found ${DRAIN_WAITERS_MAX} who wait for it; allowed: ${DRAIN_WAITERS_MAX}. Stop listeners that are not needed.`,
    );
  }

  #aborted(signal: AbortSignal): OrchestratorError {
    return new OrchestratorError('WAIT_ABORTED', `${this.#name}: the wait was ended by its signal`, {
      cause: signal.reason,
    });
  }
}
