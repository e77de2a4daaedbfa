/** What the durable stores have to reach, and the judgement. */
import { count } from '../report.ts';
import { median, type Ratio, ratioOf } from '../summary.ts';
import type { Verdict } from '../targets.ts';
import { belowProbe, type FlowFigures } from './flow-figures.ts';
import type { BenchDurability, StoreLaneName } from './lane.ts';

/** Steps a second; a disk that is slow makes the probe slow too, so with FULL the ratio to it does as well. */
const STEPS_MIN: Readonly<Record<BenchDurability, number>> = { power: 70_000, os: 120_000 };
const BELOW_PROBE_MAX = 3;
/** One workflow of ten steps, in ms. */
const ALONE_MS_MAX: Readonly<Record<BenchDurability, number>> = { power: 2.5, os: 0.5 };

/** The default of a host that has Node 22.13 or later decides; the others are shown. */
const JUDGED: StoreLaneName = 'node-sqlite';
const GOALS: readonly StoreLaneName[] = ['file', 'better-sqlite3', 'blocking'];

export function flowVerdicts(figures: FlowFigures): Verdict[] {
  return [JUDGED, ...GOALS].flatMap((lane) =>
    (['power', 'os'] as const).flatMap((durability) => [
      crowdVerdict(figures, lane, durability),
      aloneVerdict(figures, lane, durability),
    ]),
  );
}

function crowdVerdict(figures: FlowFigures, lane: StoreLaneName, durability: BenchDurability): Verdict {
  const found = median(figures.values({ lane, durability, what: 'crowd' }, 'stepsPerSecond'));
  const below = belowProbe(figures, lane, durability)?.median ?? Number.NaN;
  const least = STEPS_MIN[durability];
  const byRatio = durability === 'power';
  const allowed = `at least ${count(least)}${byRatio ? `, or at most ${BELOW_PROBE_MAX} times below the probe` : ''}`;
  return {
    workload: 'many',
    kind: lane === JUDGED ? 'target' : 'goal',
    result: found >= least || (byRatio && below <= BELOW_PROBE_MAX) ? 'pass' : 'fail',
    text: `${lane}, ${durability}: ${count(found)} steps a second, ${below.toFixed(1)} times below the probe; ${allowed}`,
  };
}

function aloneVerdict(figures: FlowFigures, lane: StoreLaneName, durability: BenchDurability): Verdict {
  const found = median(figures.values({ lane, durability, what: 'alone' }, 'eachMs'));
  const most = ALONE_MS_MAX[durability];
  return {
    workload: 'one',
    kind: lane === JUDGED ? 'target' : 'goal',
    result: found <= most ? 'pass' : 'fail',
    text: `${lane}, ${durability}: one workflow in ${found.toFixed(2)} ms, at most ${most}`,
  };
}

/** What grows with what is stored is judged by the largest store against the smallest, in ms. */
export interface GrowthCase {
  readonly kind: Verdict['kind'];
  readonly what: string;
  readonly small: readonly number[];
  readonly large: readonly number[];
  /** So much more is not told from noise. */
  readonly slackMs: number;
}

const GROWTH_MAX = 2;

export function growthVerdict({ kind, what, small, large, slackMs }: GrowthCase): Verdict {
  const grown: Ratio | undefined = ratioOf(large, small);
  const base = { workload: 'grow', kind } as const;
  if (grown === undefined) return { ...base, result: 'not judged', text: `${what} was not measured` };
  const [few, many] = [median(small), median(large)];
  const passed = grown.median <= GROWTH_MAX || many - few <= slackMs;
  const text = `${what}: ${few.toFixed(1)} ms in the smallest store, ${many.toFixed(1)} ms in the largest; at most ${GROWTH_MAX} times, or ${slackMs} ms more`;
  return { ...base, result: passed ? 'pass' : 'fail', text };
}
