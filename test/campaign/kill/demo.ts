/**
 * The main example, kept in a store, killed three times on its way and started again each time: its report has to be that
 * of a run that nobody has disturbed.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

const MAIN = 'examples/research-report/main.ts';
const KILLS = 3;
/** Tasks done by each process before it dies; the example counts what it does itself. */
const TASKS_BETWEEN = 200;

interface Ended {
  readonly out: string;
  readonly signal: string | null;
}

/** @param isEnough - told how many tasks have completed; the process is killed when it says yes */
function runDemo(args: readonly string[], isEnough: (done: number) => boolean): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      const done = /([\d,]+)\/[\d,]+ tasks/u.exec(data.toString())?.[1];
      if (done !== undefined && isEnough(Number(done.replaceAll(',', '')))) child.kill('SIGKILL');
    });
    child.on('close', (_, signal) => resolve({ out, signal }));
  });
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
    const { signal } = await runDemo(args, (done) => done >= TASKS_BETWEEN);
    if (signal === 'SIGKILL') deaths++;
    console.log(
      `start ${kill}: ${signal === 'SIGKILL' ? 'killed' : 'came to its end before it was to be killed'}`,
    );
  }
  const last = await runDemo(args, () => false);
  const kept = /Kept +.*$/mu.exec(last.out)?.[0] ?? 'Kept       (nothing was said)';
  console.log(kept);
  await runDemo(['node_modules', '--out', plain], () => false);
  const isSame = isDeepStrictEqual(await reportIn(out), await reportIn(plain));
  console.log(
    `${deaths} of ${KILLS} deaths; the report is ${isSame ? '' : 'NOT '}that of a run that nobody has disturbed`,
  );
  await rm(folder, { recursive: true, force: true });
  return isSame && deaths === KILLS && /by an earlier process/u.test(kept);
}

process.exitCode = (await main()) ? 0 : 1;
