/**
 * Where the files are that a thread or process runs first.
 *
 * Owns: nothing. Who may call it: the thread links and the process links.
 *
 * EU1  What it gives exists: nobody waits for a thread that has no file to run.
 * EU2  In a bundle one file, `worker`, serves threads and processes; beside the bundle it is found without being named.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { refuse } from '../../model/errors.ts';

const PACKAGE = '@taskmaster-ai/orchestrator';
const AT = 'workerHandlers/entry';
const HOW = `Bundle it too: add ${PACKAGE}/worker as an entry point named "worker", so that it lies beside the bundle, or name it: workerHandlers(url, { entry: new URL('./worker.js', import.meta.url) }). docs/worker-threads.md has the recipe.`;

/**
 * The URL of an entry: the one that the host names, or that of the package, built or not, or that beside a bundle.
 * @throws OrchestratorError `HANDLER_LOAD_FAILED` when there is none
 */
export function workerEntry(given: string | undefined, name: 'worker' | 'worker-process'): string {
  if (given !== undefined) return checkGiven(given);
  const tried = isBundled() ? besideBundle(name) : inPackage(name);
  const found = tried.find((url) => existsSync(url));
  if (found !== undefined) return found.href;
  const places = tried.map(({ href }) => href);
  throw refuse(
    'HANDLER_LOAD_FAILED',
    {
      at: AT,
      found: `no file at ${places.join(' or ') || 'a place that a bundle in CommonJS can know'}`,
      allowed: `the file of ${PACKAGE} that a thread or process runs first`,
      hint: HOW,
    },
    { details: { tried: places } },
  );
}

/** Whether this code is not where the package keeps it: then neither its own files nor those of tinypool are. */
export function isBundled(): boolean {
  try {
    const root = here().endsWith('.ts') ? '../../../package.json' : '../package.json';
    return JSON.parse(readFileSync(new URL(root, here()), 'utf8')).name !== PACKAGE;
  } catch {
    return true;
  }
}

function checkGiven(given: string): string {
  if (existsSync(new URL(given))) return given;
  throw refuse('HANDLER_LOAD_FAILED', {
    at: AT,
    found: `no file at ${fileURLToPath(given)}`,
    allowed: `the file of ${PACKAGE} that a thread or process runs first`,
    hint: HOW,
  });
}

function besideBundle(name: string): readonly URL[] {
  // A bundle in CommonJS has no address of its own.
  if (here() === '') return [];
  const names = name === 'worker' ? [name] : [name, 'worker'];
  return names.flatMap((one) => ['js', 'mjs'].map((ending) => new URL(`./${one}.${ending}`, here())));
}

function inPackage(name: string): readonly URL[] {
  if (!here().endsWith('.ts')) return [new URL(`./${name}.js`, here())];
  // Run from its source, the package has no built files beside it; Node 20 needs them all the same.
  const built = new URL(`../../../dist/${name}.js`, here());
  return runsTypeScript() ? [new URL(`../../${name}.ts`, here()), built] : [built];
}

function here(): string {
  return import.meta.url ?? '';
}

function runsTypeScript(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript);
}
