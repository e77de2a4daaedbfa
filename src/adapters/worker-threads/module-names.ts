/**
 * The names of the functions of a module, once a thread has loaded it.
 *
 * Owns: the names, and who waits for them. Who may call it: the module pool.
 *
 * MN1  Who waits is told the names, or why they are not to be had, once.
 */
interface Waiter {
  readonly resolve: (names: readonly string[]) => void;
  readonly reject: (error: unknown) => void;
}

export class ModuleNames {
  #known: readonly string[] | undefined;
  #waiters: Waiter[] = [];

  get isKnown(): boolean {
    return this.#known !== undefined;
  }

  /** Whether somebody waits for them. */
  get isWanted(): boolean {
    return this.#waiters.length > 0;
  }

  get(): Promise<readonly string[]> {
    if (this.#known !== undefined) return Promise.resolve(this.#known);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  /** They are known from now on. */
  tell(names: readonly string[]): void {
    this.#known = names;
    for (const { resolve } of this.#waiters.splice(0)) resolve(names);
  }

  /** They are not to be had now. */
  fail(error: unknown): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  /** The module has changed. */
  forget(): void {
    this.#known = undefined;
  }
}
