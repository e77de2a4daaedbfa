/**
 * Keeps removals of runs apart from each other, and from whoever reads or marks a run that has ended.
 *
 * Owns: who reads, and what is being removed. Who may call it: the persistence manager for what its host asks, whoever
 * starts a run under a key, whoever removes runs.
 *
 * RG1  While runs are being removed nobody begins to read; a removal waits for those who read already.
 * RG2  One removal at a time. A reader does not read through the gate again: it would wait for itself.
 */
export class RemovalGate {
  #readers = 0;
  #removal: Promise<void> | undefined;
  #whenRead: (() => void) | undefined;

  /** Whether a removal is under way, or waits for readers. */
  get isRemoving(): boolean {
    return this.#removal !== undefined;
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

  /** Removes something, once nobody reads any more. */
  async remove<Value>(work: () => Promise<Value>): Promise<Value> {
    while (this.#removal !== undefined) await this.#removal;
    const removing = this.#remove(work);
    const end = (): void => {
      this.#removal = undefined;
    };
    this.#removal = removing.then(end, end);
    return removing;
  }

  async #remove<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#readers > 0)
      await new Promise<void>((resolve) => {
        this.#whenRead = resolve;
      });
    this.#whenRead = undefined;
    return work();
  }
}
