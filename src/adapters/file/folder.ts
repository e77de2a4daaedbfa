/** The folder of a store: made when it is not there, refused when it is something else. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { FileSystem } from './file-system.ts';
import { badFormat } from './store-errors.ts';
import { readStoreId, STORE_FILE, storeFileText } from './store-file.ts';

/** Names that a store may leave behind when its process dies in the middle of something. */
const DRAFT = /^(blob|claim|compaction|index|store)-[0-9a-f-]{36}\.tmp$/;

const STORE_FOLDER = 'a folder of a file store, an empty one, or the path of none';

/**
 * Opens a folder for a writer, and makes it a store if it is empty or not there.
 * @returns the id of the store
 * @throws OrchestratorError `STORE_FORMAT`, `STORE_VERSION`, `STORE_CORRUPT`
 */
export async function openStoreFolder(files: FileSystem, folder: string): Promise<string> {
  const facts = await files.facts(folder);
  if (facts === undefined) await files.makeFolder(folder);
  else if (facts.kind !== 'folder')
    throw badFormat(folder, facts.kind === 'link' ? 'a symbolic link' : `a ${facts.kind}`, STORE_FOLDER);
  const known = await readStoreId(files, folder);
  if (known !== undefined) {
    await checkLinks(files, folder);
    return known;
  }
  return makeStore(files, folder);
}

async function makeStore(files: FileSystem, folder: string): Promise<string> {
  const strange = (await files.list(folder)).find(({ name }) => !DRAFT.test(name));
  if (strange !== undefined)
    throw badFormat(folder, `${JSON.stringify(strange.name)} in a folder that is no store`, STORE_FOLDER);
  const id = randomUUID();
  const draft = join(folder, `store-${randomUUID()}.tmp`);
  const file = await files.open(draft, 'create');
  try {
    await file.write(Buffer.from(storeFileText(id)), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await files.link(draft, join(folder, STORE_FILE));
  } catch (error) {
    // Another process has made it a store in the same moment, and perhaps swept this draft away already.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
  }
  await files.remove(draft);
  await files.syncFolder(folder);
  return (await readStoreId(files, folder)) ?? id;
}

/** A link in the folder would let somebody else decide what is read and written. */
async function checkLinks(files: FileSystem, folder: string): Promise<void> {
  const link = (await files.list(folder)).find(({ kind }) => kind === 'link');
  if (link !== undefined) throw badFormat(link.name, 'a symbolic link');
}

/**
 * Removes what processes have left behind that died in the middle of something. Only for the owner: whoever else works on
 * a draft now has lost the store, or is about to be refused.
 */
export async function sweepDrafts(files: FileSystem, folder: string): Promise<void> {
  // What cannot be removed now is removed by the next owner.
  for (const { name } of await files.list(folder))
    if (DRAFT.test(name)) await files.remove(join(folder, name)).catch(() => {});
}
