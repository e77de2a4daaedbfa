/**
 * Lets the own process die at a certain call of the file system or of the store: by SIGKILL, from inside, so that it is
 * that very call.
 *
 * Owns: what the functions of `node:fs` are in this process. Who may call it: the child, before the store is loaded.
 */
import fs, { writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { EventStore } from '@taskmaster-ai/orchestrator';
import type { Line, Orders, Phase } from './protocol.ts';

const INDEX_DRAFT = /[\\/]index-[0-9a-f-]{36}\.tmp$/;
const INDEX = /[\\/]index-\d{10}-\d{10}$/;

export class KillPoints {
  readonly #kill: Orders['kill'];
  readonly #isSqlite: boolean;
  #seen = 0;
  isOpen = false;
  #isCompacting = false;
  #isIndexing = false;
  #checkpoints = 0;

  constructor({ kill, kind }: Orders) {
    this.#kill = kill;
    this.#isSqlite = kind === 'sqlite';
    if (kind === 'file') this.#watchFiles();
  }

  /** The same store, whose calls are points too. */
  watch(store: EventStore): EventStore {
    const call = <Value>(phase: Phase | undefined, given: () => Value): Value => {
      const end = this.#reach(this.isOpen ? phase : 'opening');
      const value = given();
      end();
      return value;
    };
    return new Proxy(store, {
      get: (target, key) => {
        const found = Reflect.get(target, key, target) as unknown;
        if (typeof found !== 'function') return found;
        return (...given: unknown[]): unknown => {
          if (key === 'saveCheckpoint')
            return this.#saving(() => found.apply(target, given) as Promise<void>);
          if (key !== 'append') return call(undefined, () => found.apply(target, given) as unknown);
          return call('append', () => this.#sending(() => found.apply(target, given) as Promise<void>));
        };
      },
    });
  }

  /** An append of SQLite is on its way to the disk for as long as it is not answered. */
  #sending(send: () => Promise<void>): Promise<void> {
    const answer = send();
    if (!this.#isSqlite || this.#kill?.phase !== 'sync' || !this.isOpen) return answer;
    let isAnswered = false;
    const { nth } = this.#kill;
    if (++this.#seen >= nth)
      setTimeout(() => {
        if (!isAnswered) this.#die('sync');
      }, nth % 3);
    return answer.finally(() => {
      isAnswered = true;
    });
  }

  async #saving(save: () => Promise<void>): Promise<void> {
    this.#checkpoints++;
    const end = this.#reach('checkpoint');
    try {
      await save();
    } finally {
      end();
      this.#checkpoints--;
    }
  }

  /** Counts a point of a phase; dies there, or when the returned function says that it is over. */
  #reach(phase: Phase | undefined): () => void {
    const kill = this.#kill;
    if (kill === undefined || phase !== kill.phase) return () => {};
    if (++this.#seen !== kill.nth) return () => {};
    if (!kill.isAfter) this.#die(phase);
    return () => this.#die(phase);
  }

  #die(phase: Phase): void {
    say({ type: 'dies', phase });
    process.kill(process.pid, 'SIGKILL');
  }

  #phase(isSync: boolean): Phase | undefined {
    if (!this.isOpen) return 'opening';
    if (this.#isIndexing && this.#kill?.phase === 'index') return 'index';
    if (this.#isCompacting) return 'compaction';
    if (this.#checkpoints > 0 && this.#kill?.phase === 'checkpoint') return 'checkpoint';
    return isSync ? 'sync' : undefined;
  }

  #watchFiles(): void {
    const watched = fs as unknown as Record<string, (...given: unknown[]) => unknown>;
    for (const name of ['write', 'fdatasync', 'ftruncate'] as const) this.#watchCallback(watched, name);
    const promises = fs.promises as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    for (const name of ['rename', 'unlink', 'link'] as const) this.#watchPromise(promises, name);
    const open = watched.open as (...given: unknown[]) => unknown;
    watched.open = (...given) => {
      if (String(given[0]).includes('compaction-')) this.#isCompacting = true;
      if (INDEX_DRAFT.test(String(given[0]))) this.#isIndexing = true;
      return open(...given);
    };
    syncBuiltinESMExports();
  }

  #watchCallback(watched: Record<string, (...given: unknown[]) => unknown>, name: string): void {
    const real = watched[name] as (...given: unknown[]) => unknown;
    watched[name] = (...given) => {
      const end = this.#reach(this.#phase(name === 'fdatasync'));
      const done = given.pop() as (...answer: unknown[]) => void;
      return real(...given, (...answer: unknown[]) => {
        end();
        done(...answer);
      });
    };
  }

  #watchPromise(watched: Record<string, (...given: unknown[]) => Promise<unknown>>, name: string): void {
    const real = watched[name] as (...given: unknown[]) => Promise<unknown>;
    watched[name] = async (...given) => {
      // The one of before goes when the new one has its name.
      const isOld = name === 'unlink' && INDEX.test(String(given[0]));
      this.#isIndexing ||= isOld;
      const end = this.#reach(this.#phase(false));
      const answer = await real(...given);
      end();
      if (isOld || (name === 'rename' && INDEX.test(String(given[1])))) this.#isIndexing = false;
      return answer;
    };
  }

  /** A compaction has ended. */
  compacted(): void {
    this.#isCompacting = false;
  }
}

/** Writes a line at once: what was said before a death is heard. */
export function say(line: Line): void {
  let rest = Buffer.from(`${JSON.stringify(line)}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      // Nobody has read for a while: the pipe is full.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}
