/**
 * Tries the seeds of a batch in this process, and tells what came of them.
 *
 * Who may call it: the campaign, in the processes that it starts.
 */
import { Orchestrator } from '@taskmaster-ai/orchestrator';
import { type Counter, type Counts, count } from './counters.ts';
import { drawScenario } from './draw.ts';
import { tryScenario } from './try-scenario.ts';

/** Seeds from one to before another, every `step`th. */
export interface Batch {
  readonly from: number;
  readonly end: number;
  readonly step: number;
  readonly isTwice: boolean;
  /** Stops at so many seeds that fail. */
  readonly failuresMax: number;
}

/** A seed that fails. */
export interface FailedSeed {
  readonly seed: number;
  readonly invariant: string;
  readonly message: string;
}

/** What came of a batch. */
export interface BatchResult {
  readonly seeds: number;
  readonly plays: number;
  readonly events: number;
  /** What one play of the median seed takes with its check. Few scenarios are many times as long as most. */
  readonly medianMs: number;
  readonly failed: readonly FailedSeed[];
  readonly counts: readonly (readonly [Counter, number])[];
}

/** What is loaded only when an orchestrator is opened must be there before time is no longer that of the machine. */
export async function warmUp(): Promise<void> {
  await (await Orchestrator.open()).close();
}

/** @param tell - is told how many seeds were tried, now and then, and at once of one that fails */
export async function tryBatch(
  batch: Batch,
  tell: (seeds: number, failed?: FailedSeed) => void = () => {},
): Promise<BatchResult> {
  const counts: Counts = new Map();
  const failed: FailedSeed[] = [];
  const plays = batch.isTwice ? 2 : 1;
  const took: number[] = [];
  let seeds = 0;
  let events = 0;
  await warmUp();
  for (let seed = batch.from; seed < batch.end && failed.length < batch.failuresMax; seed += batch.step) {
    const scenario = drawScenario(seed);
    const started = performance.now();
    const { rows, violations } = await tryScenario(scenario, batch.isTwice);
    took.push((performance.now() - started) / plays);
    seeds++;
    for (const row of rows) if (row.kind === 'log') events++;
    count(counts, scenario, rows);
    const [first] = violations;
    if (first !== undefined) {
      failed.push({ seed, invariant: first.invariant, message: first.message });
      tell(seeds, failed.at(-1));
    }
    if (seeds % 1_000 === 0) tell(seeds);
  }
  return { seeds, plays: plays * seeds, events, medianMs: median(took), failed, counts: [...counts] };
}

function median(values: readonly number[]): number {
  return Float64Array.from(values).sort()[values.length >> 1] ?? 0;
}
