/**
 * The rounds of the durable workflows: every lane, with either durability, once a round, in an order drawn anew; and the
 * limits of this disk between them. Each lane has a process of its own that lives through all rounds.
 */
import { join } from 'node:path';
import { Peer } from '../peer.ts';
import { count, fixed, table } from '../report.ts';
import { shuffled } from '../rounds.ts';
import { median, type Ratio, ratioOf } from '../summary.ts';
import type { Verdict } from '../targets.ts';
import { seededRandom } from '../workloads.ts';
import { belowProbe, FlowFigures, type FlowSubject, type What } from './flow-figures.ts';
import {
  type BenchDurability,
  DURABILITIES,
  STEPS,
  STORE_LANES,
  STORE_TITLES,
  type StoreLaneName,
} from './lane.ts';
import type { FlowsSample } from './measure-flows.ts';
import { flowVerdicts } from './store-targets.ts';

export interface StoresPlan {
  /** Where all stores are made; whoever calls removes it. */
  readonly folder: string;
  readonly rounds: number;
  readonly say: (line: string) => void;
}

export interface SuitePart {
  readonly text: string;
  readonly verdicts: readonly Verdict[];
  readonly json: unknown;
}

const ASKS: Readonly<Record<What, { readonly workflows: number; readonly atOnce: number }>> = {
  crowd: { workflows: 1_000, atOnce: 100 },
  alone: { workflows: 20, atOnce: 1 },
};

const SUBJECTS: readonly FlowSubject[] = STORE_LANES.flatMap((lane) =>
  DURABILITIES.flatMap((durability) =>
    (['crowd', 'alone'] as const).map((what) => ({ lane, durability, what })),
  ),
);

export async function flowsPart({ folder, rounds, say }: StoresPlan): Promise<SuitePart> {
  const peers = new Map(STORE_LANES.map((name) => [name, new Peer<StoreLaneName>(name)]));
  const figures = new FlowFigures();
  let stores = 0;
  const sample = ({ lane, durability, what }: FlowSubject): Promise<FlowsSample> => {
    const peer = peers.get(lane) as Peer<StoreLaneName>;
    const own = { lane, durability, folder: join(folder, `flows-${++stores}`) };
    return peer.ask('flows', { ...own, ...ASKS[what] });
  };
  const limits = peers.get('probe') as Peer<StoreLaneName>;
  try {
    for (const subject of SUBJECTS) {
      say(`warming up ${subject.lane}`);
      await sample(subject);
    }
    const random = seededRandom(Date.now());
    for (let round = 1; round <= rounds; round++) {
      say(`workflows, round ${round} of ${rounds}`);
      figures.disk.push(await limits.ask('disk', { folder }));
      for (const subject of shuffled(SUBJECTS, random)) figures.of(subject).push(await sample(subject));
    }
  } finally {
    for (const peer of peers.values()) await peer.stop();
  }
  const text = DURABILITIES.map((durability) => flowsTable(figures, durability)).join('\n\n');
  return { text: `${diskLine(figures)}\n\n${text}`, verdicts: flowVerdicts(figures), json: figures };
}

function diskLine({ disk, syncsPerSecond }: FlowFigures): string {
  const rows = median(disk.map((sample) => sample.rowsPerSecond));
  return `this disk: append + fdatasync of 100 B: ${count(syncsPerSecond)} a second; of 100 rows of 100 B: ${count(rows)} rows a second`;
}

function flowsTable(figures: FlowFigures, durability: BenchDurability): string {
  const rows = [
    [
      '',
      'steps/s',
      '(range)',
      'below probe',
      'commits/step',
      'CPU us/step',
      'one, ms',
      '(range)',
      'x probe',
      'commits',
    ],
  ];
  for (const lane of STORE_LANES) {
    const crowd: FlowSubject = { lane, durability, what: 'crowd' };
    const alone: FlowSubject = { lane, durability, what: 'alone' };
    const own = figures.values(crowd, 'stepsPerSecond');
    const each = figures.values(alone, 'eachMs');
    rows.push([
      STORE_TITLES[lane],
      count(median(own)),
      `(${count(Math.min(...own))}-${count(Math.max(...own))})`,
      times(belowProbe(figures, lane, durability)),
      fixed(median(figures.values(crowd, 'commitsPerStep')), 4),
      fixed(median(figures.values(crowd, 'cpuUsPerStep')), 1),
      fixed(median(each), 2),
      `(${fixed(Math.min(...each), 2)}-${fixed(Math.max(...each), 2)})`,
      times(ratioOf(each, figures.values({ ...alone, lane: 'probe' }, 'eachMs'))),
      fixed(median(figures.values(alone, 'commitsPerStep')) * STEPS, 1),
    ]);
  }
  const title = `1,000 workflows of ${STEPS} steps, 100 at once; and one alone; durability ${durability}`;
  return `${title} (SQLite ${durability === 'power' ? 'FULL' : 'NORMAL'})\n${table(rows)}`;
}

function times(found: Ratio | undefined): string {
  return found === undefined ? '-' : `${found.median.toFixed(1)}x`;
}
