/**
 * The main example, kept in a store, killed three times on its way and started again each time: its report has to be that
 * of a run that nobody has disturbed.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

const MAIN = 'examples/research-report/main.ts';
const KILLS = 3;
/** What a process may add to the store before it dies; a whole run writes about 8 MB. */
const BYTES_UNTIL_DEATH = 1_500_000;

interface Ended {
  readonly out: string;
  readonly signal: string | null;
}

/** @param store - where it is watched, to be killed when that has grown */
function runDemo(args: readonly string[], store?: string): Promise<Ended> {
  return new Promise((resolve) => {
    const before = store === undefined ? 0 : bytesIn(store);
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    let out = '';
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
    });
    const looking = setInterval(() => {
      if (store !== undefined && bytesIn(store) - before > BYTES_UNTIL_DEATH) child.kill('SIGKILL');
    }, 5);
    child.on('close', (_, signal) => {
      clearInterval(looking);
      resolve({ out, signal });
    });
  });
}

function bytesIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  let sum = 0;
  for (const name of readdirSync(folder))
    sum += statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  return sum;
}

/** The report without what is of the moment: when it was made, how long everything took, and in what order. */
async function reportIn(folder: string): Promise<unknown> {
  const {
    generatedAt: _,
    run: __,
    ...report
  } = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'));
  return report;
}

async function main(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'campaign-demo-'));
  const [store, out, plain] = ['store', 'out', 'plain'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const args = ['node_modules', '--store', store, '--out', out];
  let deaths = 0;
  for (let kill = 1; kill <= KILLS; kill++) {
    const { signal } = await runDemo(args, store);
    if (signal === 'SIGKILL') deaths++;
    console.log(
      `start ${kill}: ${signal === 'SIGKILL' ? 'killed' : 'came to its end before it was to be killed'}`,
    );
  }
  const last = await runDemo(args);
  const kept = /Kept +.*$/mu.exec(last.out)?.[0] ?? 'Kept       (nothing was said)';
  console.log(kept);
  await runDemo(['node_modules', '--out', plain]);
  const isSame = isDeepStrictEqual(await reportIn(out), await reportIn(plain));
  console.log(
    `${deaths} of ${KILLS} deaths; the report is ${isSame ? '' : 'NOT '}that of a run that nobody has disturbed`,
  );
  await rm(folder, { recursive: true, force: true });
  return isSame && deaths === KILLS && /by an earlier process/u.test(kept);
}

process.exitCode = (await main()) ? 0 : 1;
