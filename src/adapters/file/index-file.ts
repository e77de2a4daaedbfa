/**
 * The index of a store as a file: what the catalog knew at one moment, so that opening the store does not read the whole
 * log again.
 *
 * Owns: the files `index-…`. Who may call it: whoever keeps the index up to date, and whoever reads the log.
 *
 * IF1  An index is never needed: the log says the same. One that cannot be read, is damaged, of another shape or of
 *      another log is passed over.
 * IF2  It has its name when the disk has all of it, and all of the log that it speaks of.
 * IF3  It is used only for a log that begins with the very segments that it covers, each at least as long as it was.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type FileSystem, readFile } from './file-system.ts';
import { INDEX_VERSION } from './index-builder.ts';
import type { IndexMeta } from './index-table.ts';

/** What tells an index from another file, behind its checksum. */
const MAGIC = 0x58494d54;
/** where the description stands (4), its length (4), checksum of all before (4), magic (4) */
const FOOTER_BYTES = 16;
const PATTERN = /^index-(\d{10})-(\d{10})$/;

/** A file that was found to be a whole index of a store. */
export interface LoadedIndex {
  readonly file: string;
  readonly bytes: Buffer;
  readonly meta: IndexMeta;
}

/** The name of an index: who wrote it, and the how manieth of his it is. */
export function indexFile(epoch: number, number: number): string {
  return `index-${String(epoch).padStart(10, '0')}-${String(number).padStart(10, '0')}`;
}

/** The names of indexes among names, the newest first. */
export function indexFiles(names: readonly string[]): readonly string[] {
  return names
    .filter((name) => PATTERN.test(name))
    .sort()
    .reverse();
}

/** One of the own store and name only is valid. */
function saltOf(store: string, file: string): number {
  return crc32(`${store}/${file}`);
}

/** Writes an index as a draft, all of it on the disk; `rename` gives it its name. @returns the path of the draft */
export async function writeIndexDraft(
  files: FileSystem,
  folder: string,
  file: string,
  { bytes, meta }: { readonly bytes: Buffer; readonly meta: IndexMeta },
): Promise<string> {
  const text = Buffer.from(JSON.stringify(meta));
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.writeUInt32LE(bytes.length, 0);
  footer.writeUInt32LE(text.length, 4);
  const checksum = crc32(text, crc32(bytes, saltOf(meta.store, file)));
  footer.writeUInt32LE(crc32(footer.subarray(0, 8), checksum), 8);
  footer.writeUInt32LE(MAGIC, 12);
  const draft = join(folder, `index-${randomUUID()}.tmp`);
  const output = await files.open(draft, 'create');
  try {
    await output.write(bytes, 0);
    await output.write(Buffer.concat([text, footer]), bytes.length);
    await output.sync();
  } finally {
    await output.close();
  }
  return draft;
}

/** Reads an index. @returns nothing if it is none that can be used */
export async function loadIndex(
  files: FileSystem,
  folder: string,
  file: string,
  store: string,
): Promise<LoadedIndex | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(files, join(folder, file));
  } catch {
    // A newer one has taken its place just now, or the disk does not give it: the log stands without it.
    return undefined;
  }
  const end = bytes.length - FOOTER_BYTES;
  if (end < 0 || bytes.readUInt32LE(end + 12) !== MAGIC) return undefined;
  const at = bytes.readUInt32LE(end);
  if (at + bytes.readUInt32LE(end + 4) !== end) return undefined;
  if (crc32(bytes.subarray(0, end + 8), saltOf(store, file)) !== bytes.readUInt32LE(end + 8))
    return undefined;
  const meta = JSON.parse(bytes.toString('utf8', at, end)) as IndexMeta;
  if (meta.version !== INDEX_VERSION || meta.store !== store) return undefined;
  return { file, bytes, meta };
}
