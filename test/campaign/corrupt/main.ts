/**
 * The campaign of damages: the log of a file store is cut, turned bit by bit, torn by crashes and refused by a disk that
 * fails; each time it has to be whole, or to say what is wrong with it.
 */
import { parseArgs } from 'node:util';
import { seededRandom } from '../../support/seeded-random.ts';
import {
  buildDisks,
  buildSmallDisk,
  crashes,
  faults,
  flips,
  logBytes,
  openFileStore,
  SMALL,
  storeOn,
  truncations,
  wholeFiles,
} from './classes.ts';
import { fullDisk } from './full-disk.ts';
import { Judge } from './judge.ts';
import { STEPS } from './story.ts';

const USAGE = `npm run campaign:corrupt -- [options]

  --class NAME   only this one: truncation, flip, file, crash, fault, full
  --every N      only every Nth byte and bit (default 1)
  --seed N       which combinations are tried where there are too many for all (default 1)
  --help`;

const FULL_ROUNDS = 20;
const CLOSED_EACH = 7;

interface Run {
  readonly every: number;
  readonly seed: number;
  readonly wanted: string | undefined;
}

async function judged(
  { wanted }: Run,
  kind: string,
  judge: Judge,
  work: () => Promise<unknown>,
): Promise<number> {
  if (wanted !== undefined && wanted !== kind) return 0;
  const started = performance.now();
  const skipped = await work();
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  if (typeof skipped === 'string') console.log(`${judge.name}: skipped: ${skipped}`);
  else
    console.log(
      `${judge.name}: ${judge.states} states in ${seconds} s (${judge.counts}); ${judge.violations} violations`,
    );
  for (const violation of judge.shown) console.log(`  VIOLATION ${violation}`);
  return judge.violations;
}

async function campaign(run: Run): Promise<number> {
  const { dead, closed } = await buildDisks();
  console.log(
    `Node ${process.version}; ${STEPS.length} steps, ${logBytes(dead)} bytes of log as a death leaves it, ${logBytes(closed)} when given back`,
  );
  let sum = 0;
  const shapes = [
    ['after a death', dead],
    ['given back', closed],
  ] as const;
  for (const [what, disk] of shapes) {
    const cut = new Judge(`cut at every byte, ${what}`, openFileStore);
    sum += await judged(run, 'truncation', cut, () => truncations(cut, disk, run.every));
    const turned = new Judge(
      `${disk === dead ? 'every bit' : `every ${CLOSED_EACH}th bit`} turned, ${what}`,
      openFileStore,
    );
    // What was given back differs by one frame: a part of its bits is enough.
    const every = disk === dead ? run.every : run.every * CLOSED_EACH;
    sum += await judged(run, 'flip', turned, () => flips(turned, disk, every));
    const exchanged = new Judge(`files missing, exchanged, with rubbish, ${what}`, openFileStore);
    sum += await judged(run, 'file', exchanged, () => wholeFiles(exchanged, disk));
  }
  const small = await buildSmallDisk();
  const first = new Judge('a log of one segment: cut, turned, exchanged', openFileStore);
  sum += await judged(run, 'file', first, async () => {
    await truncations(first, small, run.every, SMALL);
    await flips(first, small, run.every, SMALL);
    await wholeFiles(first, small, SMALL);
  });
  for (const durability of ['power', 'os'] as const) {
    const judge = new Judge(`crash states, durability ${durability}`, (disk) => storeOn(disk, durability));
    sum += await judged(run, 'crash', judge, () => crashes(judge, durability, seededRandom(run.seed)));
  }
  const failing = new Judge('every call of the file system fails', openFileStore);
  sum += await judged(run, 'fault', failing, () => faults(failing));
  const full = new Judge('a disk that is full', openFileStore);
  sum += await judged(run, 'full', full, () => fullDisk(full, FULL_ROUNDS));
  return sum;
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name}: found ${text}; allowed: an integer from 1`);
  return value;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      class: { type: 'string' },
      every: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return true;
  }
  const kinds = ['truncation', 'flip', 'file', 'crash', 'fault', 'full'];
  if (values.class !== undefined && !kinds.includes(values.class))
    throw new Error(`--class: found ${values.class}; allowed: ${kinds.join(', ')}`);
  let lost = 0;
  process.on('unhandledRejection', (error) => {
    lost++;
    if (lost <= 10) console.log(`  VIOLATION crash: a rejection that nobody handled: ${String(error)}`);
  });
  const started = performance.now();
  const every = count('every', values.every);
  const violations = await campaign({ every, seed: count('seed', values.seed), wanted: values.class });
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  console.log(`${violations + lost} violations (${seconds} s)`);
  return violations + lost === 0;
}

process.exitCode = (await main()) ? 0 : 1;
