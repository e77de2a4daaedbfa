/**
 * The soak: a mixed load for half an hour, and whether memory, handles and the event loop stay as they were.
 *
 * In memory one process lives through it all; on a disk it is killed now and then, and goes on with what is there.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Sample, SoakLine, SoakOrders } from './protocol.ts';
import type { Trend } from './trend.ts';
import { judge } from './verdict.ts';

const USAGE = `npm run campaign:soak -- [options]

  --minutes N       how long (default 30)
  --rate N          runs to be started in a second, at most (default 80: more than 100,000 in half an hour)
  --leak WHAT       plants a leak, memory or handles, which has to be found
  --help`;

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));

/** So long after its time a process may take to end. */
const LATE_MS_MAX = 60_000;

interface Life {
  readonly samples: readonly Sample[];
  readonly wrong: readonly string[];
  readonly code: number | null;
}

function live(orders: SoakOrders): Promise<Life> {
  return new Promise((resolve) => {
    const samples: Sample[] = [];
    const wrong: string[] = [];
    const child = spawn(process.execPath, [CHILD, JSON.stringify(orders)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as SoakLine;
      if (line.type === 'sample') {
        samples.push(line);
        if (samples.length % 20 === 0) console.log(`  ${describe(line)}`);
      } else if (line.type === 'wrong' && wrong.push(line.what) <= 10) console.log(`  WRONG: ${line.what}`);
    });
    // What keeps it alive when all is done is a fault by itself.
    const late = setTimeout(
      () => {
        wrong.push('the process does not end');
        child.kill('SIGKILL');
      },
      orders.seconds * 1_000 + LATE_MS_MAX,
    );
    child.on('close', (code) => {
      clearTimeout(late);
      resolve({ samples, wrong, code });
    });
  });
}

function describe({ at, finished, heap, rss, handles, lagP99, lagMax }: Sample): string {
  const [minutes, used, resident] = [at / 60, heap / 1e6, rss / 1e6].map((value) => value.toFixed(1));
  return `${minutes} min: ${finished} runs ended, heap ${used} MB, resident ${resident} MB, ${handles} handles, event loop ${lagP99.toFixed(0)} ms late (p99), ${lagMax.toFixed(0)} ms at most`;
}

function ofTrend(what: string, { median, growth }: Trend, unit = 1, name = ''): string {
  return `${what} ${(median / unit).toFixed(1)}${name} (${growth >= 0 ? '+' : ''}${(growth * 100).toFixed(2)} %)`;
}

async function soak(seconds: number, rate: number, leak: SoakOrders['leak']): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'campaign-soak-'));
  const { samples, wrong, code } = await live({ kind: 'memory', folder, seconds, rate, seed: 1, leak });
  await rm(folder, { recursive: true, force: true });
  const { heap, rss, handles, lagP99, lagMax, faults } = judge(samples);
  const finished = samples.at(-1)?.finished ?? 0;
  console.log(
    `memory: ${finished} runs ended in ${(seconds / 60).toFixed(1)} min; over the last two thirds: ${ofTrend('heap', heap, 1e6, ' MB')}, ${ofTrend('resident', rss, 1e6, ' MB')}, ${ofTrend('handles', handles)}; event loop ${lagP99.toFixed(0)} ms late (p99), ${lagMax.toFixed(0)} ms at most; ${wrong.length} runs that were not as they should be`,
  );
  if (code !== 0) console.log(`  FAULT: it ends with ${code}`);
  for (const fault of faults) console.log(`  FAULT: ${fault}`);
  return faults.length === 0 && wrong.length === 0 && code === 0;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name}: found ${text}; allowed: a number above 0`);
  return value;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '30' },
      rate: { type: 'string', default: '80' },
      leak: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return true;
  }
  const { leak } = values;
  if (leak !== undefined && leak !== 'memory' && leak !== 'handles')
    throw new Error(`--leak: found ${leak}; allowed: memory, handles`);
  console.log(`Node ${process.version}`);
  return soak(positive('minutes', values.minutes) * 60, positive('rate', values.rate), leak);
}

process.exitCode = (await main()) ? 0 : 1;
