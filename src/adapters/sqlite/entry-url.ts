/**
 * Where the file is that the thread of a store runs first.
 *
 * Owns: nothing. Who may call it: the thread desk.
 *
 * EU1  What it gives exists: nobody waits for a thread that has no file to run.
 */
import { existsSync, readFileSync } from 'node:fs';
import { OrchestratorError } from '../../model/errors.ts';

const PACKAGE = '@taskmaster-ai/orchestrator';
const NAME = 'sqlite-thread';
const HOW = `Bundle it too: add ${PACKAGE}/${NAME} as an entry point named "${NAME}", so that it lies beside the bundle, or name it: sqliteStore(file, { entry: new URL('./${NAME}.js', import.meta.url) }).`;

/**
 * The URL of the entry: the one that the host names, or that of the package, built or not, or that beside a bundle.
 * @throws OrchestratorError `STORE_OPEN_FAILED` when there is none
 */
export function threadEntry(given: URL | undefined): URL {
  const tried = given === undefined ? (isBundled() ? besideBundle() : inPackage()) : [given];
  const found = tried.find((url) => existsSync(url));
  if (found !== undefined) return found;
  const places = tried.map(({ href }) => href);
  throw new OrchestratorError(
    'STORE_OPEN_FAILED',
    `sqliteStore/entry: found no file at ${places.join(' or ') || 'a place that a bundle in CommonJS can know'}; allowed: the file of ${PACKAGE} that the thread of a store runs first. ${HOW}`,
    { details: { osCode: 'ENOENT', tried: places } },
  );
}

/** Whether this code is not where the package keeps it. */
function isBundled(): boolean {
  try {
    const root = here().endsWith('.ts') ? '../../../package.json' : '../package.json';
    return JSON.parse(readFileSync(new URL(root, here()), 'utf8')).name !== PACKAGE;
  } catch {
    return true;
  }
}

function besideBundle(): readonly URL[] {
  // A bundle in CommonJS has no address of its own.
  if (here() === '') return [];
  return ['js', 'mjs'].map((ending) => new URL(`./${NAME}.${ending}`, here()));
}

function inPackage(): readonly URL[] {
  if (!here().endsWith('.ts')) return [new URL(`./${NAME}.js`, here())];
  // Run from its source, the package has no built files beside it; a Node that runs no TypeScript needs them all the same.
  const built = new URL(`../../../dist/${NAME}.js`, here());
  const runsTypeScript = (process.features as { readonly typescript?: unknown }).typescript;
  return runsTypeScript ? [new URL(`../../${NAME}.ts`, here()), built] : [built];
}

function here(): string {
  return import.meta.url ?? '';
}
