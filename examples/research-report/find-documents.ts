/**
 * Finds the Markdown documents to read and reads them: the only module here that looks at the disk,
 * apart from the one that writes the report.
 *
 * Two layouts are known. In a `node_modules` folder only the README of each installed package counts, as
 * the rest (changelogs, nested copies) would drown it. In any other folder every Markdown file counts.
 */
import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { compareText } from './text.ts';

export type FoundDocument = {
  /** Names the document in task ids: 1 to 112 characters out of `A-Z a-z 0-9 @ . _ + -`. */
  id: string;
  /** Relative to the folder searched, with forward slashes, so that reports can be compared. */
  path: string;
  /** A guess from the file's name; the document's own heading is better once it is parsed. */
  title: string;
  bytes: number;
};

export type DocumentListing = {
  folder: string;
  layout: 'packages' | 'tree';
  documents: FoundDocument[];
  /** True when a limit left documents out. */
  truncated: boolean;
  /** Relative paths that could not be listed or measured. */
  unreadable: string[];
};

export type FindLimits = { maxDepth: number; maxDocuments: number; maxEntries: number };

export type FindFailure = 'missing-folder' | 'not-a-folder' | 'unreadable-folder' | 'no-documents';

export class FindDocumentsError extends Error {
  override readonly name = 'FindDocumentsError';
  readonly code: FindFailure;

  constructor(code: FindFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

type Candidate = { path: string; title: string; identity: string };
type Search = { root: string; limits: FindLimits; found: Candidate[]; entries: number } & Pick<
  DocumentListing,
  'truncated' | 'unreadable'
>;

const DEFAULT_LIMITS: FindLimits = { maxDepth: 8, maxDocuments: 400, maxEntries: 50_000 };
const MARKDOWN_FILE = /\.(?:md|markdown|mdown|mkd)$/iu;
const README_FILE = /^readme\.(?:md|markdown|mdown|mkd)$/iu;
const PARALLEL_CALLS = 16;
const MAX_DOCUMENT_BYTES = 512 * 1024;
/** A task id has at most 128 characters, and that of `analyse:<id>` needs some for itself. */
const MAX_ID = 112;

/** Lists the documents below a folder, sorted by path. Rejects when there is none to read. */
export async function findDocuments(
  folder: string,
  limits: Partial<FindLimits> = {},
): Promise<DocumentListing> {
  await requireFolder(folder);
  const root = path.resolve(folder);
  const search: Search = {
    root,
    limits: { ...DEFAULT_LIMITS, ...limits },
    found: [],
    entries: 0,
    truncated: false,
    unreadable: [],
  };
  const layout = path.basename(root) === 'node_modules' ? 'packages' : 'tree';
  if (layout === 'packages') await findPackages(search);
  else await findBelow(search, '', 0);

  const documents = await describe(search);
  if (documents.length === 0) {
    const wanted = layout === 'packages' ? 'package with a README file' : 'Markdown file';
    throw new FindDocumentsError('no-documents', `No ${wanted} with any content below ${folder}`);
  }
  return {
    folder,
    layout,
    documents,
    truncated: search.truncated,
    unreadable: search.unreadable.sort(compareText),
  };
}

/** Reads one document. Only its first 512 KiB count: past that it is data, not something to read. */
export async function readDocument(folder: string, document: Pick<FoundDocument, 'path'>): Promise<string> {
  const file = await open(path.join(folder, document.path), 'r');
  try {
    const buffer = Buffer.alloc(MAX_DOCUMENT_BYTES);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return decode(buffer.subarray(0, length), length === buffer.length);
  } finally {
    await file.close();
  }
}

function decode(bytes: Uint8Array, cut: boolean): string {
  const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  // While `stream` is set, a character cut in half at the end is held back instead of being replaced.
  return new TextDecoder(utf16 ? 'utf-16le' : 'utf-8').decode(bytes, { stream: cut });
}

async function requireFolder(folder: string): Promise<void> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(folder)).isDirectory();
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') {
      throw new FindDocumentsError('missing-folder', `There is no folder ${folder}`, error);
    }
    throw new FindDocumentsError('unreadable-folder', `Cannot look into ${folder} (${code})`, error);
  }
  if (!isFolder) throw new FindDocumentsError('not-a-folder', `${folder} is not a folder`);
}

/** Each package folder may be a link (pnpm and workspaces do that); the fixed depth rules out loops. */
async function findPackages(search: Search): Promise<void> {
  const names: string[] = [];
  for (const entry of await listFolder(search, '')) {
    if (entry.name.startsWith('.') || entry.isFile()) continue;
    if (!entry.name.startsWith('@')) {
      names.push(entry.name);
      continue;
    }
    for (const scoped of await listFolder(search, entry.name)) {
      if (!scoped.name.startsWith('.') && !scoped.isFile()) names.push(`${entry.name}/${scoped.name}`);
    }
  }
  await inParallel(names, async (name) => {
    const readmes = (await listFolder(search, name)).filter((entry) => README_FILE.test(entry.name));
    // On a case-sensitive disk `README.md` and `readme.md` can stand side by side: one is enough.
    const readme = readmes[0];
    if (readme) search.found.push({ path: `${name}/${readme.name}`, title: name, identity: name });
  });
}

/**
 * Links are not followed here: whatever they point to inside the folder is found at its own place, and a
 * link that leads outside (or back up, in a loop) is no part of the folder.
 */
async function findBelow(search: Search, folder: string, depth: number): Promise<void> {
  for (const entry of await listFolder(search, folder)) {
    const place = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      if (depth >= search.limits.maxDepth || search.entries >= search.limits.maxEntries) {
        search.truncated = true;
      } else {
        await findBelow(search, place, depth + 1);
      }
    } else if (entry.isFile() && MARKDOWN_FILE.test(entry.name)) {
      const identity = place.replace(MARKDOWN_FILE, '');
      search.found.push({ path: place, title: guessTitle(search.root, place), identity });
    }
  }
}

async function listFolder(search: Search, folder: string): Promise<Dirent[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(path.join(search.root, folder), { withFileTypes: true });
  } catch (error) {
    // A stray file or a dangling link among the packages is not a package; the rest is worth a note.
    if (!['ENOTDIR', 'ENOENT'].includes(errorCode(error))) search.unreadable.push(folder || '.');
    return [];
  }
  search.entries += entries.length;
  return entries.sort((left, right) => compareText(left.name, right.name));
}

function guessTitle(root: string, place: string): string {
  const stem = path.posix.basename(place).replace(MARKDOWN_FILE, '');
  if (!/^(?:readme|index)$/iu.test(stem)) return stem.replace(/[-_]+/gu, ' ').trim() || stem;
  const parent = path.posix.dirname(place);
  return parent === '.' ? path.basename(root) || stem : path.posix.basename(parent);
}

/** Measures the candidates in order and stops at the limit, so that a huge folder is not all measured. */
async function describe(search: Search): Promise<FoundDocument[]> {
  const candidates = search.found.sort((left, right) => compareText(left.path, right.path));
  const documents: FoundDocument[] = [];
  const taken = new Set<string>();
  const { maxDocuments } = search.limits;
  for (let start = 0; start < candidates.length; start += PARALLEL_CALLS) {
    if (documents.length >= maxDocuments) {
      search.truncated = true;
      break;
    }
    const batch = candidates.slice(start, start + PARALLEL_CALLS);
    const sizes = await Promise.all(batch.map((candidate) => sizeOf(search, candidate)));
    for (const [i, candidate] of batch.entries()) {
      const bytes = sizes[i] ?? 0;
      if (bytes === 0) continue;
      if (documents.length >= maxDocuments) {
        search.truncated = true;
        break;
      }
      const id = documentId(candidate.identity, candidate.path, taken);
      documents.push({ id, path: candidate.path, title: candidate.title, bytes });
    }
  }
  return documents;
}

async function sizeOf(search: Search, candidate: Candidate): Promise<number> {
  try {
    const entry = await stat(path.join(search.root, candidate.path));
    return entry.isFile() ? entry.size : 0;
  } catch {
    search.unreadable.push(candidate.path);
    return 0;
  }
}

/**
 * Turns a relative path into an id without slashes, brackets or hash signs: `@types/node` becomes
 * `@types+node`. Where that loses characters or two paths would share an id, a short digest of the path
 * keeps them apart; it depends on nothing but the path, so ids stay the same when documents are added.
 */
export function documentId(identity: string, place: string, taken: Set<string>): string {
  const plain = identity.normalize('NFKD').replace(/\p{M}/gu, '').replaceAll('/', '+');
  const safe = plain.replace(/[^A-Za-z0-9@._+-]/gu, '-');
  let id = safe;
  if (safe !== identity.replaceAll('/', '+') || safe.length > MAX_ID || safe === '' || taken.has(safe)) {
    const digest = createHash('sha256').update(place).digest('hex').slice(0, 8);
    id = `${safe.slice(0, 100)}-${digest}`;
    for (let copy = 2; taken.has(id); copy += 1) id = `${safe.slice(0, 100)}-${digest}-${copy}`;
  }
  taken.add(id);
  return id;
}

async function inParallel<Item>(items: readonly Item[], run: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += PARALLEL_CALLS) {
    await Promise.all(items.slice(start, start + PARALLEL_CALLS).map(run));
  }
}

function errorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code);
  return 'unknown';
}
