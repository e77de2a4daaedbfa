/**
 * The campaign of the canaries: bugs that are planted into a copy of the source, one at a time, each of which the
 * simulation has to find. It tests the tests.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Batch, BatchResult } from '../batch.ts';

const USAGE = `npm run campaign:canaries -- [options]

  --seeds N    seeds that each planted bug is looked for in (default 5000)
  --only TEXT  only bugs whose id contains TEXT
  --jobs N     copies at the same time (default: one for each processor)
  --help`;

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Longer than this no bug is looked for; one that keeps a play from ending is found by that. */
const SEARCH_MS_MAX = 180_000;

/** A bug, as changes of the source. */
interface Canary {
  readonly id: string;
  /** What it breaks. */
  readonly breaks: string;
  readonly why: string;
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
}

interface Found {
  readonly canary: Canary;
  readonly seed: number | undefined;
  readonly how: string;
  readonly seconds: number;
}

/** A copy of the source and the simulation, whose package is that source. */
async function makeCopy(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'canaries-'));
  for (const part of ['src', 'test/simulation'])
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
  const manifest = {
    name: '@taskmaster-ai/orchestrator',
    type: 'module',
    exports: { '.': './src/index.ts' },
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  return folder;
}

/** @throws Error when a text that is to be changed is not there exactly once */
async function plant({ id, edits }: Canary, folder: string): Promise<void> {
  for (const { file, find, replace } of edits) {
    const text = await readFile(join(folder, file), 'utf8');
    const parts = text.split(find);
    if (parts.length !== 2)
      throw new Error(
        `canary ${id}: found ${parts.length - 1} times in ${file}; allowed: exactly once: ${find}`,
      );
    await writeFile(join(folder, file), parts.join(replace));
  }
}

async function pull({ edits }: Canary, folder: string): Promise<void> {
  for (const { file } of edits) await cp(join(ROOT, file), join(folder, file));
}

/** Looks for a bug that is planted. */
async function look(canary: Canary, folder: string, seeds: number): Promise<Found> {
  const started = performance.now();
  const child = fork(join(folder, 'test/simulation/batch-process.ts'), { silent: true });
  const batch: Batch = { from: 1, end: seeds + 1, step: 1, isTwice: false, failuresMax: 1 };
  const found = await outcomeOf(child, batch);
  child.kill('SIGKILL');
  return { canary, ...found, seconds: (performance.now() - started) / 1_000 };
}

function outcomeOf(child: ChildProcess, batch: Batch): Promise<Pick<Found, 'seed' | 'how'>> {
  return new Promise((resolve) => {
    let said = '';
    child.stderr?.on('data', (data: Buffer) => {
      said = (said + data.toString()).slice(-400);
    });
    const timer = setTimeout(() => resolve({ seed: 0, how: 'a play does not end' }), SEARCH_MS_MAX);
    child.on('message', ({ result, error }: { result?: BatchResult; error?: string }) => {
      const [first] = result?.failed ?? [];
      if (error !== undefined) resolve({ seed: 0, how: `a play throws: ${error.split('\n')[0]}` });
      else if (first !== undefined)
        resolve({ seed: first.seed, how: `${first.invariant}: ${first.message}` });
      else if (result !== undefined) resolve({ seed: undefined, how: 'not found' });
    });
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve({ seed: 0, how: `the process ends with ${code}: ${said.trim().split('\n')[0]}` });
    });
    child.send(batch);
  });
}

async function readCanaries(only: string): Promise<readonly Canary[]> {
  const folder = fileURLToPath(new URL('./', import.meta.url));
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  const lists = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as Canary[]),
  );
  return lists.flat().filter(({ id }) => id.includes(only));
}

/** Looks for one bug after the other in a copy of its own. */
async function work(waiting: Canary[], seeds: number): Promise<Found[]> {
  const folder = await makeCopy();
  const all: Found[] = [];
  try {
    for (let canary = waiting.shift(); canary !== undefined; canary = waiting.shift()) {
      await plant(canary, folder);
      const found = await look(canary, folder, seeds);
      await pull(canary, folder);
      all.push(found);
      const { seed, how, seconds } = found;
      const where = seed === undefined ? 'NOT FOUND' : `seed ${seed}`;
      console.log(
        `${where.padEnd(10)} ${seconds.toFixed(1).padStart(6)} s  ${canary.id} (breaks ${canary.breaks}): ${how.slice(0, 140)}`,
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return all;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '5000' },
      only: { type: 'string', default: '' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return true;
  }
  const [seeds, jobs] = [Number(values.seeds), Number(values.jobs)];
  if (!Number.isInteger(seeds) || seeds < 1 || !Number.isInteger(jobs) || jobs < 1)
    throw new Error(`--seeds and --jobs: found ${values.seeds} and ${values.jobs}; allowed: integers from 1`);
  const waiting = [...(await readCanaries(values.only))];
  const count = waiting.length;
  const found = (await Promise.all(Array.from({ length: jobs }, () => work(waiting, seeds)))).flat();
  const missed = found.filter(({ seed }) => seed === undefined);
  console.log(
    `\nNode ${process.version}: ${count - missed.length} of ${count} planted bugs found within ${seeds} seeds`,
  );
  for (const { canary } of missed) console.log(`  not found: ${canary.id}: ${canary.why}`);
  return missed.length === 0 && count > 0;
}

process.exitCode = (await main()) ? 0 : 1;
