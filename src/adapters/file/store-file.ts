/** The file that makes a folder a store: the version of the format, and the id that tells one store from another. */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type FileSystem, readFile } from './file-system.ts';
import { parseSegmentName } from './segment.ts';
import { badFormat, badVersion, corrupt } from './store-errors.ts';

/** The format of the folder; another one is refused. */
export const FORMAT_VERSION = 1;
/** What makes a folder a store, and tells one store from another. */
export const STORE_FILE = 'store.json';

/**
 * The id of the store of a folder; nothing if there is none.
 * @throws OrchestratorError `STORE_FORMAT`, `STORE_VERSION`, `STORE_CORRUPT` (segments, but no such file)
 */
export async function readStoreId(files: FileSystem, folder: string): Promise<string | undefined> {
  const facts = await files.facts(join(folder, STORE_FILE));
  if (facts === undefined) {
    const names = (await files.list(folder)).map(({ name }) => name).sort();
    const lost = names.find((name) => parseSegmentName(name) !== undefined);
    if (lost !== undefined)
      throw corrupt({ file: STORE_FILE, offset: 0, seq: 0 }, `it is missing, and ${lost} is there`);
    return undefined;
  }
  if (facts.kind !== 'file') throw badFormat(STORE_FILE, `a ${facts.kind}`);
  const text = (await readFile(files, join(folder, STORE_FILE))).toString('utf8');
  let found: { readonly version?: unknown; readonly id?: unknown; readonly checksum?: unknown };
  try {
    found = (JSON.parse(text) ?? {}) as typeof found;
  } catch {
    throw badFormat(STORE_FILE, text === '' ? 'nothing' : 'something else than JSON');
  }
  if (found.version !== FORMAT_VERSION) throw badVersion(STORE_FILE, found.version, FORMAT_VERSION);
  if (typeof found.id !== 'string') throw badFormat(STORE_FILE, 'no id');
  // With another id no frame would be valid, and everything would look like what a crash has torn.
  if (found.checksum !== crc32(found.id))
    throw corrupt(
      { file: STORE_FILE, offset: 0, seq: 0 },
      'the id does not have the checksum it was written with',
    );
  return found.id;
}

/** What the file says that makes a folder a store. */
export function storeFileText(id: string): string {
  return JSON.stringify({ version: FORMAT_VERSION, id, checksum: crc32(id) });
}
