/**
 * A database as both drivers show it, and what makes working with one short.
 *
 * Owns: the statements that are prepared on it. Who may call it: the parts of the engine.
 *
 * DB1  A statement is prepared once; no text of a caller ever becomes a part of one.
 * DB2  A transaction is written whole or not at all, and none is left open.
 */

/** What SQLite keeps in a column. */
export type SqliteValue = null | number | bigint | string | Uint8Array;

/** A prepared statement, as `node:sqlite` and better-sqlite3 have it. */
export interface SqliteStatement {
  /** Carries it out; what it answers has the number of changed rows as `changes`. */
  run(...values: SqliteValue[]): unknown;
  /** The first row, as an object. */
  get(...values: SqliteValue[]): unknown;
  /** All rows. */
  all(...values: SqliteValue[]): unknown[];
}

/** A database, as `node:sqlite` (`DatabaseSync`) and better-sqlite3 have it. */
export interface SqliteDatabase {
  /** Carries out statements without values. */
  exec(sql: string): unknown;
  /** Prepares one statement. */
  prepare(sql: string): SqliteStatement;
  /** Closes the database; the store does not call it on one that was handed in. */
  close(): unknown;
}

export class Statements {
  readonly #database: SqliteDatabase;
  readonly #prepared = new Map<string, SqliteStatement>();

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** The first row. */
  get<Row>(sql: string, ...values: SqliteValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: SqliteValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** @returns how many rows were changed */
  run(sql: string, ...values: SqliteValue[]): number {
    return Number((this.#statement(sql).run(...values) as { readonly changes: number | bigint }).changes);
  }

  /** Carries out what has no values and no answer. */
  exec(sql: string): void {
    this.#database.exec(sql);
  }

  /** Writes what `body` writes as one; what it throws leaves no trace in the file. */
  transaction<Result>(body: () => Result): Result {
    // Takes the right to write at once: a reader that becomes a writer later can be refused in the middle.
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = body();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  close(): void {
    this.#prepared.clear();
    this.#database.close();
  }

  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      // After some failures, such as that of a full disk, SQLite has rolled back by itself.
    }
  }

  #statement(sql: string): SqliteStatement {
    let found = this.#prepared.get(sql);
    if (found === undefined) {
      found = this.#database.prepare(sql);
      this.#prepared.set(sql, found);
    }
    return found;
  }
}

/** A number of SQLite: a host may have set its database to answer with big integers. */
export function toNumber(value: unknown): number {
  return typeof value === 'bigint' ? Number(value) : (value as number);
}
