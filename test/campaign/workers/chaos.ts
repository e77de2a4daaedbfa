/** A round of mixed tasks in many runs at once, on one orchestrator, by a seed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Orchestrator, type Run, type RunEvent } from '@taskmaster-ai/orchestrator';
import { seededRandom } from '../../support/seeded-random.ts';
import { checkLog } from './chaos-check.ts';
import { type Mix, mixedWorkflow } from './chaos-mix.ts';

export interface RoundOptions {
  readonly seed: number;
  /** Tasks, over all runs. */
  readonly tasks: number;
}

export interface RoundReport {
  readonly seed: number;
  readonly tasks: number;
  readonly runs: number;
  /** How many tasks ended in which way: by the type of the event, and the code of a failure. */
  readonly ends: Readonly<Record<string, number>>;
  readonly wrongs: readonly string[];
  readonly ms: number;
}

const TASKS_PER_RUN = 50;
const RUNS_AT_ONCE = 12;
/** One run in so many is cancelled as a whole. */
const CANCELLED_ONE_IN = 25;

/** The type of the mix has forgotten that it has no input. */
const NO_INPUT = {} as never;

export function openChaos(): Promise<Orchestrator> {
  return Orchestrator.open({ cancelGrace: '60ms', resources: { slots: 24 } });
}

export async function chaosRound(
  orchestrator: Orchestrator,
  { seed, tasks }: RoundOptions,
): Promise<RoundReport> {
  const startedAt = performance.now();
  const ends: Record<string, number> = {};
  const wrongs: string[] = [];
  const runs = Math.ceil(tasks / TASKS_PER_RUN);
  let next = 0;
  let done = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < runs; i = next++) {
      const size = Math.min(TASKS_PER_RUN, tasks - i * TASKS_PER_RUN);
      // A chance of its own: what a run does must not depend on which lane comes first.
      const own = seededRandom(seed * 10_007 + i);
      const ended = await oneRun(orchestrator, mixedWorkflow(`mix-${i}`, size, own), own, ends, wrongs);
      done += ended;
    }
  };
  await Promise.all(Array.from({ length: RUNS_AT_ONCE }, lane));
  if (done !== tasks) wrongs.push(`${done} ends instead of ${tasks}`);
  const { used } = orchestrator.resources.usage('slots');
  if (used !== 0) wrongs.push(`${used} slots are not back`);
  const locks = orchestrator.concurrency.locks();
  if (locks.length > 0) wrongs.push(`locks are not back: ${JSON.stringify(locks)}`);
  if (orchestrator.runs().length > 0) wrongs.push(`${orchestrator.runs().length} runs are left`);
  return { seed, tasks, runs, ends, wrongs, ms: performance.now() - startedAt };
}

/** Executes one workflow and checks its log; returns how many tasks have ended. */
async function oneRun(
  orchestrator: Orchestrator,
  mix: Mix,
  random: () => number,
  ends: Record<string, number>,
  wrongs: string[],
): Promise<number> {
  const { workflow } = mix;
  const run = (await orchestrator.manageWorkflow(workflow, NO_INPUT)) as Run;
  const isCancelled = random() * CANCELLED_ONE_IN < 1;
  const stops = [...mix.expected]
    .filter(([, expectation]) => expectation.isCancelled)
    .map(([path]) => sleep(random() * 30).then(() => run.cancelTask(path, 'not wanted')));
  if (isCancelled) stops.push(sleep(random() * 60).then(() => run.cancel('not wanted at all')));
  const { status } = await run.settled();
  // A run that had ended before it was told to stop was not cancelled.
  const told = await Promise.all(stops);
  const wasCancelled = isCancelled && told.at(-1) === true;
  const events: RunEvent[] = [];
  for await (const event of run.events()) events.push(event);
  const checked = checkLog(mix, events, wasCancelled);
  for (const wrong of checked.wrongs) wrongs.push(`${workflow.name} (${status}) ${wrong}`);
  for (const end of checked.ends.values()) {
    const kind =
      end.type === 'TaskFailed' ? `failed with ${end.failure.code}` : end.type.slice(4).toLowerCase();
    ends[kind] = (ends[kind] ?? 0) + 1;
  }
  run.release();
  orchestrator.workflows.deleteWorkflow(workflow.name);
  return checked.ends.size;
}
