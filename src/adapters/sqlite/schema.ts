/**
 * The tables of a store, and how a database that is one is told from others.
 *
 * Owns: the schema and its version. Who may call it: whoever opens a database.
 *
 * SC1  A database that is not a store of this version is left as it was.
 */
import { type Statements, toNumber } from './database.ts';
import { badFormat, badVersion } from './sqlite-errors.ts';

/** "TMao": marks the file as ours (`PRAGMA application_id`, and what the command `file` shows). */
const APPLICATION_ID = 0x544d616f;
const SCHEMA_VERSION = 1;

/**
 * `streams.id` grows in the order of creation and is never given twice. `kind` is the part of a name up to its first
 * colon, by which whole groups are listed. `removed` has the ids whose events are still to be deleted.
 */
const TABLES: Readonly<Record<string, string>> = {
  owner: `CREATE TABLE owner (
    id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, owner TEXT, instance TEXT, pid INTEGER,
    started TEXT, host TEXT, machine TEXT, lease_until REAL, beat INTEGER NOT NULL
  ) STRICT`,
  streams: `CREATE TABLE streams (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    last_seq INTEGER NOT NULL, last_type TEXT NOT NULL, last_at REAL NOT NULL,
    workflow_id TEXT, status TEXT, started_at REAL, attributes TEXT
  ) STRICT`,
  events: `CREATE TABLE events (
    stream_id INTEGER NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, at REAL NOT NULL,
    schema_version INTEGER NOT NULL, checksum INTEGER NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (stream_id, seq)
  ) STRICT, WITHOUT ROWID`,
  attributes: `CREATE TABLE attributes (
    name TEXT NOT NULL, value TEXT NOT NULL, stream_id INTEGER NOT NULL, PRIMARY KEY (name, value, stream_id)
  ) STRICT, WITHOUT ROWID`,
  keys: `CREATE TABLE keys (key TEXT PRIMARY KEY, stream_id INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  checkpoints: `CREATE TABLE checkpoints (
    saved INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    at REAL NOT NULL, schema_version INTEGER NOT NULL, name TEXT, checksum INTEGER NOT NULL, payload TEXT NOT NULL
  ) STRICT`,
  blobs: `CREATE TABLE blobs (
    blob INTEGER PRIMARY KEY, stream TEXT NOT NULL, id TEXT NOT NULL, checksum INTEGER NOT NULL, bytes BLOB NOT NULL,
    UNIQUE (stream, id)
  ) STRICT`,
  removed: `CREATE TABLE removed (stream_id INTEGER PRIMARY KEY) STRICT`,
};

const INDEXES: Readonly<Record<string, string>> = {
  streams_by_kind: 'CREATE INDEX streams_by_kind ON streams (kind, id)',
  streams_by_status: 'CREATE INDEX streams_by_status ON streams (status, id) WHERE status IS NOT NULL',
  streams_by_workflow:
    'CREATE INDEX streams_by_workflow ON streams (workflow_id, id) WHERE workflow_id IS NOT NULL',
  streams_by_workflow_status:
    'CREATE INDEX streams_by_workflow_status ON streams (workflow_id, status, id) WHERE workflow_id IS NOT NULL',
  streams_by_start: 'CREATE INDEX streams_by_start ON streams (started_at, id) WHERE started_at IS NOT NULL',
  attributes_of_stream: 'CREATE INDEX attributes_of_stream ON attributes (stream_id)',
  keys_of_stream: 'CREATE INDEX keys_of_stream ON keys (stream_id)',
  checkpoints_of_stream: 'CREATE INDEX checkpoints_of_stream ON checkpoints (stream, saved)',
};

const ALLOWED = 'a database that `sqliteStore` has made';

/** Makes the tables, in one transaction, in a database that has none. */
export function createSchema(db: Statements): void {
  db.transaction(() => {
    for (const sql of [...Object.values(TABLES), ...Object.values(INDEXES)]) db.exec(sql);
    db.exec('INSERT INTO owner (id, epoch, beat) VALUES (1, 0, 0)');
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

/** Whether nothing has ever been made in a database. */
export function isEmpty(db: Statements): boolean {
  const row = db.get<{ n: number | bigint }>('SELECT count(*) AS n FROM sqlite_schema');
  return toNumber(row?.n) === 0 && pragma(db, 'application_id') === 0;
}

/**
 * Refuses what is no store of this version.
 * @throws OrchestratorError `STORE_FORMAT`, `STORE_VERSION`
 */
export function checkSchema(db: Statements, file: string): void {
  const mark = pragma(db, 'application_id');
  if (mark !== APPLICATION_ID)
    throw badFormat(file, `an SQLite database of another program (application_id ${mark})`, ALLOWED);
  const version = pragma(db, 'user_version');
  if (version !== SCHEMA_VERSION) throw badVersion(file, version, SCHEMA_VERSION);
  const rows = db.all<{ name: string; sql: string }>(
    "SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'index') AND sql IS NOT NULL",
  );
  const found = new Map(rows.map(({ name, sql }) => [name, sql]));
  for (const [name, sql] of Object.entries({ ...TABLES, ...INDEXES })) {
    const there = found.get(name);
    if (there === undefined)
      throw badFormat(file, `no ${sql.slice(7, 12).toLowerCase().trim()} ${name}`, ALLOWED);
    if (there !== sql) throw badFormat(file, `another definition of ${name}`, ALLOWED);
  }
  if (db.get('SELECT 1 FROM owner WHERE id = 1') === undefined)
    throw badFormat(file, 'no row in the table owner', ALLOWED);
}

function pragma(db: Statements, name: 'application_id' | 'user_version'): number {
  return toNumber(Object.values(db.get<object>(`PRAGMA ${name}`) ?? {})[0]);
}
