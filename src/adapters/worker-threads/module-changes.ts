/**
 * Whether the file of a module was changed since it was looked at last; for development.
 */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Makes a function that tells, of each URL, whether its file has changed since the last question. */
export function changeWatcher(): (url: string) => boolean {
  const seen = new Map<string, number>();
  return (url) => {
    let changedAt: number;
    try {
      changedAt = statSync(fileURLToPath(url)).mtimeMs;
    } catch {
      // No file, or none now: the next load tells what is wrong with it.
      return false;
    }
    const before = seen.get(url);
    seen.set(url, changedAt);
    return before !== undefined && before !== changedAt;
  };
}
