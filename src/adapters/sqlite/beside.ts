/**
 * What is kept beside the logs: checkpoints and blobs.
 *
 * Owns: the tables `checkpoints` and `blobs`. Who may call it: the engine.
 *
 * BE1  One that is not what was written is never given out: a checkpoint counts as invalid, since the log says the same; a
 *      blob as damage.
 */
import { crc32 } from 'node:zlib';
import { quote } from '../../base/values.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { BlobRecord, CheckpointInfo } from '../../ports/event-store.ts';
import { type Statements, toNumber } from './database.ts';
import type { TextCheckpoint } from './requests.ts';
import { corrupt } from './sqlite-errors.ts';

interface CheckpointRow {
  readonly id: string;
  readonly stream: string;
  readonly seq: number | bigint;
  readonly at: number;
  readonly schema_version: number | bigint;
  readonly name: string | null;
}

interface WholeRow extends CheckpointRow {
  readonly checksum: number | bigint;
  readonly payload: string;
}

interface BlobRow {
  readonly checksum: number | bigint;
  readonly bytes: Uint8Array;
}

export class Beside {
  readonly #db: Statements;
  readonly #file: string;

  constructor(db: Statements, file: string) {
    this.#db = db;
    this.#file = file;
  }

  /** Inside a transaction. */
  saveCheckpoint({ info, text }: TextCheckpoint): void {
    const { id, stream, seq, at, schemaVersion, name } = info;
    this.removeCheckpoint(id);
    this.#db.run(
      'INSERT INTO checkpoints (id, stream, seq, at, schema_version, name, checksum, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[id, stream, seq, at, schemaVersion, name ?? null, checksumOf(info, text), text],
    );
  }

  loadCheckpoint(id: string): TextCheckpoint | undefined {
    const row = this.#db.get<WholeRow>('SELECT * FROM checkpoints WHERE id = ?', id);
    if (row === undefined) return undefined;
    const info = infoOf(row);
    if (checksumOf(info, row.payload) !== toNumber(row.checksum))
      throw new OrchestratorError(
        'CHECKPOINT_INVALID',
        `${this.#file}, checkpoint ${quote(id)}: it does not have the checksum that it was written with`,
        { details: { file: this.#file, id } },
      );
    return { info, text: row.payload };
  }

  listCheckpoints(stream: string): readonly CheckpointInfo[] {
    const rows = this.#db.all<CheckpointRow>(
      'SELECT id, stream, seq, at, schema_version, name FROM checkpoints WHERE stream = ? ORDER BY saved',
      stream,
    );
    return rows.map(infoOf);
  }

  removeCheckpoint(id: string): void {
    this.#db.run('DELETE FROM checkpoints WHERE id = ?', id);
  }

  /** Inside a transaction. */
  saveBlob({ stream, id, bytes }: BlobRecord): void {
    // The driver of Node 22 takes bytes of length 0 that came from another thread for NULL.
    this.#db.run(
      `INSERT INTO blobs (stream, id, checksum, bytes) VALUES (?, ?, ?, coalesce(?, zeroblob(0)))
        ON CONFLICT (stream, id) DO UPDATE SET checksum = excluded.checksum, bytes = excluded.bytes`,
      ...[stream, id, crc32(bytes), bytes],
    );
  }

  loadBlob(stream: string, id: string): Uint8Array | undefined {
    const row = this.#db.get<BlobRow>(
      'SELECT checksum, bytes FROM blobs WHERE stream = ? AND id = ?',
      stream,
      id,
    );
    if (row === undefined) return undefined;
    if (crc32(row.bytes) !== toNumber(row.checksum))
      throw corrupt(
        this.#file,
        { stream, blob: id },
        'it does not have the checksum that it was written with',
      );
    // One driver gives a Buffer, whose memory may be shared with others.
    return new Uint8Array(row.bytes);
  }

  /** Inside a transaction. */
  removeStream(stream: string): void {
    this.#db.run('DELETE FROM checkpoints WHERE stream = ?', stream);
    this.#db.run('DELETE FROM blobs WHERE stream = ?', stream);
  }
}

function infoOf(row: CheckpointRow): CheckpointInfo {
  const { id, stream, seq, at, schema_version: schemaVersion, name } = row;
  const info = { id, stream, seq: toNumber(seq), at: toNumber(at), schemaVersion: toNumber(schemaVersion) };
  return name === null ? info : { ...info, name };
}

function checksumOf({ id, stream, seq, at, schemaVersion }: CheckpointInfo, text: string): number {
  return crc32(text, crc32(`${id}\n${stream}\n${seq}\n${at}\n${schemaVersion}\n`));
}
