/**
 * The yardstick: a log of events on `node:sqlite` by hand. Two events a step, one transaction for whatever all workflows
 * have decided in a turn of the event loop, and no step begins before the commit that holds the end of the one before.
 * It keeps no books, checks nothing and cannot recover.
 */
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type BenchDurability, type OpenLane, STEPS } from './lane.ts';

const PAYLOAD_BYTES = 100;

interface ProbeEvent {
  readonly run: number;
  readonly seq: number;
  readonly type: string;
}

export function openProbe(folder: string, durability: BenchDurability): OpenLane {
  const database = new DatabaseSync(join(folder, 'probe.db'));
  database.exec('PRAGMA journal_mode = WAL');
  database.exec(`PRAGMA synchronous = ${durability === 'power' ? 'FULL' : 'NORMAL'}`);
  database.exec(
    'CREATE TABLE events (run INTEGER, seq INTEGER, type TEXT, payload TEXT, PRIMARY KEY (run, seq)) WITHOUT ROWID',
  );
  const group = new GroupCommit(
    database,
    database.prepare('INSERT INTO events (run, seq, type, payload) VALUES (?, ?, ?, ?)'),
  );
  let runs = 0;
  let steps = 0;
  return {
    async runOne() {
      const run = ++runs;
      let seq = 0;
      const event = (type: string): ProbeEvent => ({ run, seq: ++seq, type });
      await group.write([event('TaskStarted')]);
      for (let step = 1; step <= STEPS; step++) {
        steps++;
        // The end of a step and the start of the next one are decided together.
        const isLast = step === STEPS;
        await group.write(isLast ? [event('TaskCompleted')] : [event('TaskCompleted'), event('TaskStarted')]);
      }
    },
    commits: () => group.commits,
    steps: () => steps,
    close: async () => database.close(),
  };
}

class GroupCommit {
  commits = 0;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #payload = 'x'.repeat(PAYLOAD_BYTES);
  #events: ProbeEvent[] = [];
  #waiting: (() => void)[] = [];

  constructor(database: DatabaseSync, insert: StatementSync) {
    this.#database = database;
    this.#insert = insert;
  }

  write(events: readonly ProbeEvent[]): Promise<void> {
    if (this.#events.length === 0) setImmediate(() => this.#commit());
    this.#events.push(...events);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #commit(): void {
    const events = this.#events;
    const waiting = this.#waiting;
    this.#events = [];
    this.#waiting = [];
    this.#database.exec('BEGIN IMMEDIATE');
    for (const { run, seq, type } of events) this.#insert.run(run, seq, type, this.#payload);
    this.#database.exec('COMMIT');
    this.commits++;
    for (const resolve of waiting) resolve();
  }
}
