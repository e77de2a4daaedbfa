/**
 * Where the files are that a thread or process runs first.
 */
import { existsSync } from 'node:fs';
import { OrchestratorError } from '../../model/errors.ts';

/**
 * The URL of an entry: the one that the host names, or that of the package, built or not.
 * @throws OrchestratorError `HANDLER_LOAD_FAILED` when there is none
 */
export function workerEntry(given: string | undefined, name: 'worker' | 'worker-process'): string {
  if (given !== undefined) return given;
  const tried: URL[] = [];
  // Run from its source, the package has no built files beside it; Node 20 needs them all the same.
  if (import.meta.url.endsWith('.ts')) {
    if (runsTypeScript()) tried.push(new URL(`../../${name}.ts`, import.meta.url));
    tried.push(new URL(`../../../dist/${name}.js`, import.meta.url));
  } else {
    tried.push(new URL(`./${name}.js`, import.meta.url));
  }
  const found = tried.find((url) => existsSync(url));
  if (found !== undefined) return found.href;
  throw new OrchestratorError(
    'HANDLER_LOAD_FAILED',
    `the entry of worker threads: found none at ${tried.map((url) => url.href).join(' or ')}; allowed: ${name}.js of this package. A bundled host names it: workerHandlers(url, { entry: new URL(…) }).`,
    { details: { tried: tried.map((url) => url.href) } },
  );
}

function runsTypeScript(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript);
}
