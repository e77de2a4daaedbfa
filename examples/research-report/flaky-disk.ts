/**
 * A disk that is busy now and then, so that there is something to survive: the first attempt at every
 * seventeenth document fails. Which ones is no matter of chance, so a run can be repeated and compared.
 */
import { type FoundDocument, readDocument } from './find-documents.ts';

export type ReadText = (folder: string, document: FoundDocument, attempt: number) => Promise<string>;

export function flakyDisk(documents: readonly FoundDocument[], every = 17): ReadText {
  const busy = new Set(documents.filter((_, at) => at % every === every - 1).map(({ id }) => id));
  return async (folder, document, attempt) => {
    if (attempt === 1 && busy.has(document.id)) throw systemError('EBUSY', `the disk is busy`);
    return readDocument(folder, document);
  };
}

/** Worth another attempt: the next one may well go through. */
export function isPassing(error: unknown): boolean {
  return ['EBUSY', 'EAGAIN', 'EMFILE', 'ENFILE', 'ETIMEDOUT'].includes(codeOf(error) ?? '');
}

/** The file is gone, or not ours to read: no attempt will change that. */
export function isOutOfReach(error: unknown): boolean {
  return ['ENOENT', 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '');
}

/** The code of a system error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return String(error.code);
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
