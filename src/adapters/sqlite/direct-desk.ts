/**
 * Does the requests of a store at once, on a database that the host has opened.
 *
 * Owns: the engine, not the database: that is the host's, who closes it. Who may call it: the store.
 *
 * DD1  An answer comes before the call returns, so the host's event loop waits for the disk.
 */
import { type SqliteDatabase, Statements } from './database.ts';
import { Engine } from './engine.ts';
import { type DatabaseSettings, useGiven } from './open-database.ts';
import type { Desk, Method, Requests } from './requests.ts';

export interface DirectDeskParts extends DatabaseSettings {
  readonly database: SqliteDatabase;
  readonly leaseMs: number;
  readonly instance: string;
}

export class DirectDesk implements Desk {
  readonly #parts: DirectDeskParts;
  #engine: Engine | undefined;

  constructor(parts: DirectDeskParts) {
    this.#parts = parts;
  }

  ask<M extends Method>(method: M, ...given: Parameters<Requests[M]>): ReturnType<Requests[M]> {
    this.#engine ??= this.#open();
    return this.#engine.answer(method, given);
  }

  close(): void {
    this.#engine?.stop();
    this.#engine = undefined;
  }

  #open(): Engine {
    const { database, leaseMs, instance } = this.#parts;
    const db = new Statements(database);
    useGiven(db, this.#parts);
    return new Engine({ db, file: undefined, leaseMs, instance });
  }
}
