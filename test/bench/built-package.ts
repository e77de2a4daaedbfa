/**
 * What is measured: which versions of the peers, and of this package the build. The bench runs what users install,
 * so the package must be built, and from the source as it is now: figures of yesterday's build would be believed.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from './options.ts';

const ROOT = new URL('../../', import.meta.url);

export function assertBuilt(): void {
  // What the exports of package.json say, so that this file need not know where the build goes.
  const entry = fileURLToPath(import.meta.resolve('@taskmaster-ai/orchestrator'));
  if (!existsSync(entry)) throw new UsageError('the package is not built: npm run build first');
  const builtAt = statSync(entry).mtimeMs;
  const changed = newest(fileURLToPath(new URL('src/', ROOT)));
  if (changed.atMs > builtAt) {
    throw new UsageError(`the build is older than ${changed.file}: npm run build first`);
  }
}

function newest(folder: string): { file: string; atMs: number } {
  let found = { file: folder, atMs: 0 };
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const atMs = statSync(file).mtimeMs;
    if (atMs > found.atMs) found = { file, atMs };
  }
  return found;
}

export function versionsLine(packages: readonly string[]): string {
  return [...new Set(packages)].map((name) => `${name} ${versionOf(name)}`).join(', ');
}

/** Walks up from the entry, since the exports of some packages hide their package.json. */
function versionOf(packageName: string): string {
  let folder = dirname(fileURLToPath(import.meta.resolve(packageName)));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const named = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return named ? String(manifest.version) : 'of unknown version';
}
