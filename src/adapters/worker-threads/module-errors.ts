/**
 * Why a module of handlers cannot be loaded, in words that help whoever has named it.
 *
 * Owns: nothing. Who may call it: the module pool, and who imports modules into the host.
 *
 * ME1  Only on the way to an error: it looks at the file system.
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nearestName } from '../../base/nearest.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';

const ALLOWED = 'a file of code that exports functions';
const CODE = /\.[cm]?[jt]s$/;
/** What Node says of TypeScript that it does not execute. */
const NO_TYPESCRIPT = new Set([
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_NO_TYPESCRIPT',
]);

/** The module of the handlers cannot be loaded; `cause` is what its import threw, or how its thread ended. */
export function unloadable(url: string, cause: unknown): OrchestratorError {
  // Said by our own code in the thread, of a name that the host has given.
  if (OrchestratorError.is(cause, 'HANDLER_UNKNOWN')) return cause;
  const extra = { cause, details: { url } };
  const at = `module ${url}`;
  const place = whatIsThere(url);
  if (place !== undefined) return refuse('HANDLER_LOAD_FAILED', { at, allowed: ALLOWED, ...place }, extra);
  const code = (cause as { readonly code?: unknown } | null | undefined)?.code;
  if (/\.[cm]?ts$/.test(url) && NO_TYPESCRIPT.has(String(code)))
    return refuse(
      'HANDLER_LOAD_FAILED',
      {
        at,
        found: `TypeScript, which Node ${process.version} does not load there`,
        allowed: ALLOWED,
        hint: 'Name the built .js file, or use Node 22.18 or later; below node_modules no Node loads TypeScript.',
      },
      extra,
    );
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new OrchestratorError('HANDLER_LOAD_FAILED', `the module ${url} cannot be loaded${why}`, extra);
}

/** What is wrong with the file itself, if that is it. */
function whatIsThere(url: string): { readonly found: string; readonly hint?: string } | undefined {
  const path = fileURLToPath(url);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    const near = nearestFile(path);
    const hint =
      near === undefined
        ? "Name it from the file that names it: new URL('./handlers.js', import.meta.url)."
        : `Did you mean ${JSON.stringify(near)}?`;
    return { found: 'no file', hint };
  }
  return stats.isDirectory()
    ? { found: 'a folder', hint: 'Name the file in it, such as index.js.' }
    : undefined;
}

function nearestFile(path: string): string | undefined {
  try {
    const files = readdirSync(dirname(path)).filter((file) => CODE.test(file));
    // The source of a file that was not built differs by little.
    return nearestName(basename(path), files);
  } catch {
    return undefined;
  }
}
