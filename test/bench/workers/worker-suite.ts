/**
 * The rounds of the bench of workers: every lane, on every question, once a round, in an order drawn anew; and what came
 * of it. Each lane has a process of its own that lives through all rounds.
 */
import { Peer } from '../peer.ts';
import type { Requests } from '../peer-process.ts';
import { fixed, table } from '../report.ts';
import { shuffled } from '../rounds.ts';
import { median, type Ratio, ratioOf } from '../summary.ts';
import type { Verdict } from '../targets.ts';
import { seededRandom } from '../workloads.ts';
import { LANE_NAMES, LANE_TITLES, type LaneName, MAP_THREADS } from './lane.ts';
import type { LaneSample } from './measure-lane.ts';

export const WORKER_PACKAGES = ['@taskmaster-ai/orchestrator', 'tinypool'];

export interface WorkersResult {
  readonly text: string;
  readonly verdicts: readonly Verdict[];
  readonly json: Readonly<Record<string, unknown>>;
}

/** One thing that is measured in every round; the key names it in the figures. */
interface Subject {
  readonly lane: LaneName;
  readonly what: What;
}

type What = 'trips64' | 'trips1' | 'mapInline' | 'mapThreads';
/** `perSecond.get('executor trips64')[round]` */
type Figures = ReadonlyMap<string, readonly number[]>;

const WARM_UP_MS = 1_500;
const SAMPLE_MS = 300;
/** So long threads may take to start. */
const READY_MS = 600;

const TRIPS_MIN = 50_000;
const TRIPS_ALONE_MIN = 13_000;
const MAP_GAIN_MIN = 1.8;

/** The targets are those of the executor; the orchestrator, which does more, is shown beside them. */
const OURS = { executor: 'target', orchestrator: 'goal' } as const;
const BESIDE: LaneName = 'tinypool';
const WITH_MAP: readonly LaneName[] = ['orchestrator', 'tinypool'];

/**
 * What is measured without anything else between. A gain is a ratio, and the speed of a machine changes within seconds:
 * so its two sides take turns, and neither is always the first.
 */
const GROUPS: readonly (readonly Subject[])[] = LANE_NAMES.flatMap((lane): Subject[][] => [
  [{ lane, what: 'trips64' }],
  [{ lane, what: 'trips1' }],
  ...(WITH_MAP.includes(lane)
    ? [(['mapInline', 'mapThreads'] as const).map((what) => ({ lane, what }))]
    : []),
]);

const ASKS = {
  trips64: { kind: 'trips', ask: { inFlight: 64 } },
  trips1: { kind: 'trips', ask: { inFlight: 1 } },
  mapInline: { kind: 'map', ask: { place: 'inline' } },
  mapThreads: { kind: 'map', ask: { place: 'threads' } },
} as const;

interface Plan {
  readonly rounds: number;
  readonly say: (line: string) => void;
}

export async function workersSuite({ rounds, say }: Plan): Promise<WorkersResult> {
  const peers = new Map(LANE_NAMES.map((name) => [name, new Peer<LaneName>(name)]));
  const figures = new Map(GROUPS.flat().map((subject) => [keyOf(subject), [] as number[]]));
  const sample = async (subject: Subject, minimumMs: number): Promise<LaneSample> => {
    const { kind, ask } = ASKS[subject.what];
    const peer = peers.get(subject.lane) as Peer<LaneName>;
    return peer.ask<typeof kind>(kind, { ...ask, minimumMs } as Requests[typeof kind]['ask']);
  };
  try {
    say('warming up');
    for (const subject of GROUPS.flat()) await sample(subject, WARM_UP_MS);
    const random = seededRandom(Date.now());
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      for (const group of shuffled(GROUPS, random)) {
        // Outside the clock: the process slept, and its threads were ended meanwhile perhaps. All that a map is given are to
        // have loaded their module, which takes longer than one repetition on the first of them.
        for (const subject of group) await sample(subject, group.length === 1 ? 0 : READY_MS);
        for (const [subject, perSecond] of await inTurns(group, sample))
          figures.get(keyOf(subject))?.push(perSecond);
      }
    }
  } finally {
    for (const peer of peers.values()) await peer.stop();
  }
  return {
    text: `${tripsTable(figures)}\n\n${mapTable(figures)}`,
    verdicts: judge(figures),
    json: { unit: 'answers per second', samples: Object.fromEntries(figures) },
  };
}

type TakeSample = (subject: Subject, minimumMs: number) => Promise<LaneSample>;

/** One subject alone has one long sample. Of several each has short ones, forth and back, and their mean by time counts. */
async function inTurns(group: readonly Subject[], sample: TakeSample): Promise<Map<Subject, number>> {
  const order =
    group.length === 1 ? group : [...group, ...group.toReversed(), ...group, ...group.toReversed()];
  const taken = new Map<Subject, LaneSample[]>(group.map((subject) => [subject, []]));
  for (const subject of order)
    taken.get(subject)?.push(await sample(subject, group.length === 1 ? SAMPLE_MS : SAMPLE_MS / 2));
  return new Map([...taken].map(([subject, samples]) => [subject, overAll(samples)]));
}

/** All answers by all of the time. */
function overAll(samples: readonly LaneSample[]): number {
  let repetitions = 0;
  let time = 0;
  for (const each of samples) {
    repetitions += each.repetitions;
    time += each.repetitions / each.perSecond;
  }
  return repetitions / time;
}

function keyOf({ lane, what }: Subject): string {
  return `${lane} ${what}`;
}

function of(figures: Figures, lane: LaneName, what: What): readonly number[] {
  return figures.get(keyOf({ lane, what })) ?? [];
}

function tripsTable(figures: Figures): string {
  const rows = [['', '64 in flight', '(range)', 'x tinypool', '1 in flight', '(range)', 'x tinypool']];
  for (const lane of LANE_NAMES) {
    const cells = (['trips64', 'trips1'] as const).flatMap((what) => {
      const own = of(figures, lane, what);
      const beside = lane === BESIDE ? undefined : ratioOf(own, of(figures, BESIDE, what));
      return [rate(median(own)), span(own.map(rate)), beside === undefined ? '' : fixed(beside.median, 2)];
    });
    rows.push([LANE_TITLES[lane], ...cells]);
  }
  return `round trips of 100 B on one thread, or to one process, per second\n${table(rows)}`;
}

function mapTable(figures: Figures): string {
  const rows = [['', 'inline, ms', 'on threads, ms', 'gain', '(range)']];
  for (const lane of WITH_MAP) {
    const gain = gainOf(figures, lane);
    rows.push([
      lane === 'orchestrator' ? 'tasks of a run' : LANE_TITLES[lane],
      fixed(millisecondsEach(of(figures, lane, 'mapInline')), 2),
      fixed(millisecondsEach(of(figures, lane, 'mapThreads')), 2),
      `${fixed(gain?.median, 2)}x`,
      gain === undefined ? '' : span([gain.least, gain.most].map((each) => fixed(each, 2))),
    ]);
  }
  return `a map that keeps processors busy, on ${MAP_THREADS} threads; ms for each item\n${table(rows)}`;
}

function millisecondsEach(perSecond: readonly number[]): number {
  return 1_000 / median(perSecond);
}

function gainOf(figures: Figures, lane: LaneName): Ratio | undefined {
  return ratioOf(of(figures, lane, 'mapThreads'), of(figures, lane, 'mapInline'));
}

function judge(figures: Figures): Verdict[] {
  const trips = (lane: keyof typeof OURS, what: What, least: number, inFlight: number): Verdict => {
    const found = median(of(figures, lane, what));
    const text = `${lane}: ${rate(found)} round trips per second with ${inFlight} in flight, at least ${rate(least)}`;
    return { workload: 'trips', kind: OURS[lane], text, result: found >= least ? 'pass' : 'fail' };
  };
  const gain = gainOf(figures, 'orchestrator')?.median ?? Number.NaN;
  return [
    trips('executor', 'trips64', TRIPS_MIN, 64),
    trips('executor', 'trips1', TRIPS_ALONE_MIN, 1),
    trips('orchestrator', 'trips64', TRIPS_MIN, 64),
    trips('orchestrator', 'trips1', TRIPS_ALONE_MIN, 1),
    {
      workload: 'map',
      kind: 'target',
      text: `${fixed(gain, 2)} times as fast on ${MAP_THREADS} threads as inline, at least ${MAP_GAIN_MIN}`,
      result: gain >= MAP_GAIN_MIN ? 'pass' : 'fail',
    },
  ];
}

function rate(perSecond: number): string {
  return Math.round(perSecond).toLocaleString('en');
}

/** The least and the most of figures that were made into text. */
function span(figures: readonly string[]): string {
  const sorted = figures.toSorted((a, b) => Number(a.replaceAll(',', '')) - Number(b.replaceAll(',', '')));
  return figures.length === 0 ? '' : `(${sorted[0]}-${sorted.at(-1)})`;
}
