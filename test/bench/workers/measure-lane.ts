/**
 * The clock side of the bench of workers, inside the process of a lane. A sample is the mean over at least `minimumMs` of
 * repetitions, and each repetition proves by its answers that every call was executed, once, with its own data.
 */
import type { PrimeRange } from './handlers.ts';
import { type Lane, type LaneName, loadLane, type MapPlace } from './lane.ts';

export interface TripsAsk {
  readonly inFlight: number;
  readonly minimumMs: number;
}

export interface MapAsk {
  readonly place: MapPlace;
  readonly minimumMs: number;
}

export interface LaneSample {
  readonly repetitions: number;
  /** Answers per second. */
  readonly perSecond: number;
}

const TEXT_BYTES = 100;
/** So many round trips in one repetition: with one in flight they take longer. */
const TRIPS = 5_000;
const TRIPS_ALONE = 1_000;

const MAP_ITEMS = 100;
const MAP_START = 1_000_000;
const MAP_LENGTH = 5_000;

const texts = Array.from({ length: TRIPS }, (_, index) => `${`${index} `.padEnd(TEXT_BYTES - 1, '.')}?`);
const fewTexts = texts.slice(0, TRIPS_ALONE);
const ranges: readonly PrimeRange[] = Array.from({ length: MAP_ITEMS }, (_, item) => ({
  start: MAP_START + item * MAP_LENGTH,
  length: MAP_LENGTH,
}));

let loaded: Promise<Lane> | undefined;

function lane(name: LaneName): Promise<Lane> {
  loaded ??= loadLane(name);
  return loaded;
}

export async function measureTrips(name: LaneName, { inFlight, minimumMs }: TripsAsk): Promise<LaneSample> {
  const questions = inFlight === 1 ? fewTexts : texts;
  const expected = questions.map((text) => `${text.slice(0, -1)}!`);
  const { trips } = await lane(name);
  return repeat(() => trips(questions, inFlight), expected, minimumMs);
}

export async function measureMap(name: LaneName, { place, minimumMs }: MapAsk): Promise<LaneSample> {
  const { map } = await lane(name);
  if (map === undefined) throw new Error(`${name} has no map`);
  return repeat(() => map(ranges, place), countsBySieve(), minimumMs);
}

async function repeat<Answer>(
  lap: () => Promise<{ readonly ms: number; readonly answers: readonly Answer[] }>,
  expected: readonly Answer[],
  minimumMs: number,
): Promise<LaneSample> {
  let repetitions = 0;
  let total = 0;
  while (total < minimumMs || repetitions === 0) {
    const { ms, answers } = await lap();
    assertAnswers(answers, expected);
    total += ms;
    repetitions++;
  }
  return { repetitions, perSecond: (repetitions * expected.length * 1_000) / total };
}

function assertAnswers(answers: readonly unknown[], expected: readonly unknown[]): void {
  if (answers.length !== expected.length)
    throw new Error(`${answers.length} answers to ${expected.length} calls`);
  const wrong = expected.findIndex((each, index) => answers[index] !== each);
  if (wrong >= 0)
    throw new Error(`call ${wrong}: ${String(answers[wrong])} instead of ${String(expected[wrong])}`);
}

/** The same counts by another algorithm. */
function countsBySieve(): readonly number[] {
  const end = MAP_START + MAP_ITEMS * MAP_LENGTH;
  const isComposite = new Uint8Array(end);
  for (let factor = 2; factor * factor < end; factor++) {
    if (isComposite[factor] === 1) continue;
    for (let multiple = factor * factor; multiple < end; multiple += factor) isComposite[multiple] = 1;
  }
  return ranges.map(({ start, length }) => {
    let count = 0;
    for (let number = start; number < start + length; number++) if (isComposite[number] === 0) count++;
    return count;
  });
}
