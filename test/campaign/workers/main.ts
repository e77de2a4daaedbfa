/**
 * The campaign of the worker handlers: every fault many times through the whole product, what threads cannot contain, and
 * thousands of mixed tasks under random seeds. It takes minutes, and is no part of the test suite.
 */
import { parseArgs } from 'node:util';
import { chaosCampaign } from './chaos-campaign.ts';
import { faultCampaign } from './faults.ts';
import { heapCampaign } from './heap.ts';
import { pauseCampaign } from './pauses.ts';
import { uncontainedCampaign } from './uncontained.ts';

const USAGE = `npm run campaign:workers -- [options]

  (no option)      every fault F12 to F16, and the pauses of the main thread
  --trials N       trials of each fault (default 20)
  --only TEXT      only faults, or shapes, whose id or name contains TEXT, such as F13 or oom
  --jobs N         hosts at the same time (default 1)
  --pauses         only: the longest pause of the main thread while eight threads are busy
  --uncontained    only: what threads cannot contain, and what processes make of it
  --chaos          only: mixed tasks under random seeds
  --tasks N        tasks of a round of --chaos (default 10000)
  --rounds N       rounds of --chaos (default 10)
  --seed N         seed of the first round of --chaos (default: a random one, which is printed)
  --help`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      trials: { type: 'string', default: '20' },
      only: { type: 'string' },
      jobs: { type: 'string', default: '1' },
      pauses: { type: 'boolean', default: false },
      uncontained: { type: 'boolean', default: false },
      chaos: { type: 'boolean', default: false },
      tasks: { type: 'string', default: '10000' },
      rounds: { type: 'string', default: '10' },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name}: found ${text}; allowed: an integer from 1`);
  return value;
}

async function main(): Promise<boolean> {
  const values = readOptions();
  if (values.help) {
    console.log(USAGE);
    return true;
  }
  const trials = count('trials', values.trials);
  console.log(`Node ${process.version}`);
  if (values.uncontained) return uncontainedCampaign(values.only);
  if (values.pauses) return pauseCampaign();
  if (values.chaos)
    return chaosCampaign({
      tasks: count('tasks', values.tasks),
      rounds: count('rounds', values.rounds),
      seed: values.seed === undefined ? Math.floor(Math.random() * 1e9) : count('seed', values.seed),
    });
  const faultsPassed = await faultCampaign({ trials, only: values.only, jobs: count('jobs', values.jobs) });
  if (values.only !== undefined) return faultsPassed;
  const heapPassed = await heapCampaign(trials);
  const pausesPassed = await pauseCampaign();
  return faultsPassed && heapPassed && pausesPassed;
}

try {
  if (!(await main())) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
