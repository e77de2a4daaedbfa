/**
 * Keeps removals of runs apart from each other, and from whoever reads or marks a run that has ended.
 *
 * Owns: who reads, and what is being removed. Who may call it: the persistence manager for what its host asks, whoever
 * starts a run under a key, whoever removes runs.
 *
 * RG1  While runs are being removed nobody begins to read; a removal waits for those who read already.
 * RG2  A removal that waits for readers can be given up by a signal; then it removes nothing, and others read again.
 * RG3  One removal at a time. A reader does not read through the gate again: it would wait for itself.
 */
import { OrchestratorError } from '../../model/errors.ts';

export class RemovalGate {
  #readers = 0;
  #removal: Promise<void> | undefined;
  #whenRead: (() => void) | undefined;

  /** Whether a removal is under way, or waits for readers. */
  get isRemoving(): boolean {
    return this.#removal !== undefined;
  }

  /** Whether a removal could begin at once. */
  get isFree(): boolean {
    return this.#removal === undefined && this.#readers === 0;
  }

  /** Does something that no removal may come into. */
  async read<Value>(work: () => Promise<Value>): Promise<Value> {
    while (this.#removal !== undefined) await this.#removal;
    this.#readers++;
    try {
      return await work();
    } finally {
      this.#readers--;
      if (this.#readers === 0) this.#whenRead?.();
    }
  }

  /**
   * Removes something, once nobody reads any more.
   * @param signal - ends the wait for readers; a work that has begun is finished
   * @throws OrchestratorError `WAIT_ABORTED`
   */
  async remove<Value>(work: () => Promise<Value>, signal?: AbortSignal): Promise<Value> {
    while (this.#removal !== undefined) await this.#removal;
    const removing = this.#remove(work, signal);
    const end = (): void => {
      this.#removal = undefined;
    };
    this.#removal = removing.then(end, end);
    return removing;
  }

  async #remove<Value>(work: () => Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
    if (this.#readers > 0) await this.#untilRead(signal);
    return work();
  }

  async #untilRead(signal: AbortSignal | undefined): Promise<void> {
    let stop = (): void => {};
    await new Promise<void>((resolve) => {
      stop = resolve;
      this.#whenRead = resolve;
      signal?.addEventListener('abort', resolve as () => void);
      if (signal?.aborted) resolve();
    });
    this.#whenRead = undefined;
    signal?.removeEventListener('abort', stop);
    if (this.#readers === 0) return;
    throw new OrchestratorError('WAIT_ABORTED', 'a removal was ended by its signal while others read', {
      cause: signal?.reason,
    });
  }
}
