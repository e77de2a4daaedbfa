/**
 * The rounds of the stores in which much is stored: three sizes, two stores, a fresh process for every measurement. Before
 * each, twenty runs are left unfinished in it; what must not grow is what it costs to go on with them.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Peer } from '../peer.ts';
import type { RequestKind, Requests } from '../peer-process.ts';
import { count, fixed, table } from '../report.ts';
import { shuffled } from '../rounds.ts';
import { median } from '../summary.ts';
import type { Verdict } from '../targets.ts';
import { seededRandom } from '../workloads.ts';
import type { StoresPlan, SuitePart } from './flows-suite.ts';
import type { StoredAsk, StoredSample } from './measure-stored.ts';
import type { StoreKind } from './orchestrator-lane.ts';
import { type GrowthCase, growthVerdict } from './store-targets.ts';

const KINDS = ['file', 'node-sqlite'] as const satisfies readonly StoreKind[];
type Kind = (typeof KINDS)[number];

const TITLES: Readonly<Record<Kind, string>> = {
  file: 'fileStore',
  'node-sqlite': 'sqliteStore, node:sqlite',
};

/** What is shown, and under which name its growth is judged, if it is; those of one name together, by the worst. */
const FIELDS: readonly (readonly [keyof StoredSample, string, JudgedName?])[] = [
  ['claim', 'open the store and claim it', 'claim'],
  ['unfinished', 'list the unfinished', 'unfinished'],
  ['open', 'Orchestrator.open: claim, list, read 20 runs', 'open'],
  ['resume', 'from there to their end, 2,000 steps', 'resume'],
  ['workflowFirst', 'page of 100 by workflow, first', 'page'],
  ['workflowMiddle', '… in the middle', 'page'],
  ['completedFirst', 'page of 100 by status completed, first', 'page'],
  ['completedMiddle', '… in the middle', 'page'],
  ['failedFirst', 'page by status failed (1 in 1,000)', 'page'],
  ['tenantFirst', 'page of 100 by attribute (1 in 100), first', 'page'],
  ['tenantMiddle', '… in the middle', 'page'],
  ['history', 'state of one finished run', 'history'],
  ['claimedMb', 'memory of the claimed store, MB'],
];

const JUDGED = {
  claim: { what: 'to open the store and claim it', kind: 'target' },
  unfinished: { what: 'to list the unfinished', kind: 'target' },
  open: { what: 'Orchestrator.open with 20 unfinished runs', kind: 'target' },
  resume: { what: 'to bring them to their end', kind: 'target' },
  page: { what: 'the listing that grows most', kind: 'goal' },
  history: { what: 'the state of one finished run', kind: 'goal' },
} as const;
type JudgedName = keyof typeof JUDGED;

/** Far less than anybody waits for, and more than two measurements differ by. */
const SLACK_MS: Readonly<Record<Verdict['kind'], number>> = { target: 20, goal: 3 };

interface Stored {
  readonly kind: Kind;
  readonly size: number;
  readonly ask: StoredAsk;
  readonly samples: StoredSample[];
  filledMs: number;
  filledEvents: number;
}

export async function storedPart(plan: StoresPlan & { readonly size: number }): Promise<SuitePart> {
  const { folder, rounds, say, size: largest } = plan;
  const sizes = [largest / 100, largest / 10, largest].map((size) => Math.max(1, Math.round(size)));
  const stores = KINDS.flatMap((kind) =>
    sizes.map((size): Stored => {
      const ask: StoredAsk = { kind, folder: join(folder, `${kind}-${size}`), events: size };
      return { kind, size, ask, samples: [], filledMs: 0, filledEvents: 0 };
    }),
  );
  for (const stored of stores) {
    say(`filling ${stored.kind} with ${count(stored.size)} events`);
    const { ms, events } = await askAnew('fill', stored.ask);
    stored.filledMs = ms;
    stored.filledEvents = events;
  }
  const random = seededRandom(Date.now());
  for (let round = 1; round <= rounds; round++) {
    say(`stored events, round ${round} of ${rounds}`);
    for (const { size, ask, samples } of shuffled(stores, random))
      samples.push(await (size === largest ? goOn(ask) : goOnWithCopy(ask)));
  }
  return {
    text: KINDS.map((kind) => storedTable(TITLES[kind], of(stores, kind))).join('\n\n'),
    verdicts: KINDS.flatMap((kind) => verdictsOf(kind, of(stores, kind))),
    json: stores,
  };
}

/** What every round leaves in a store would soon be most of a small one; in the largest it is nothing. */
async function goOnWithCopy(ask: StoredAsk): Promise<StoredSample> {
  const folder = `${ask.folder}-copy`;
  cpSync(ask.folder, folder, { recursive: true });
  try {
    return await goOn({ ...ask, folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function goOn(ask: StoredAsk): Promise<StoredSample> {
  await askAnew('leave', ask);
  return askAnew('stored', ask);
}

async function askAnew<Kind extends RequestKind>(
  kind: Kind,
  ask: Requests[Kind]['ask'],
): Promise<Requests[Kind]['answer']> {
  const peer = new Peer('stored');
  try {
    return await peer.ask(kind, ask);
  } finally {
    await peer.stop();
  }
}

function of(stores: readonly Stored[], kind: Kind): Stored[] {
  return stores.filter((stored) => stored.kind === kind);
}

function values({ samples }: Stored, field: keyof StoredSample): number[] {
  return samples.map((sample) => sample[field]);
}

function storedTable(title: string, stores: readonly Stored[]): string {
  const rows = [
    ['ms', ...stores.flatMap(({ filledEvents }) => [`${count(filledEvents)} events`, '(range)'])],
  ];
  for (const [field, text] of FIELDS)
    rows.push([text, ...stores.flatMap((stored) => cells(values(stored, field)))]);
  rows.push([
    'filled by appends, events a second',
    ...stores.flatMap(({ filledEvents, filledMs }) => [count((filledEvents * 1_000) / filledMs), '']),
  ]);
  return `${title}, with 20 unfinished runs of 200 steps at their middle, half of them with a checkpoint\n${table(rows)}`;
}

function cells(all: readonly number[]): string[] {
  const digits = median(all) < 10 ? 2 : 0;
  return [
    fixed(median(all), digits),
    `(${fixed(Math.min(...all), digits)}-${fixed(Math.max(...all), digits)})`,
  ];
}

function verdictsOf(store: Kind, stores: readonly Stored[]): Verdict[] {
  const [small] = stores;
  const large = stores.at(-1);
  if (small === undefined || large === undefined) return [];
  return Object.entries(JUDGED).map(([name, { what, kind }]) => {
    const cases = FIELDS.filter(([, , judgedAs]) => judgedAs === name).map(([field]) => ({
      kind,
      what: `${store}: ${what}`,
      small: values(small, field),
      large: values(large, field),
      slackMs: SLACK_MS[kind],
    }));
    return growthVerdict(cases.toSorted((a, b) => grownBy(b) - grownBy(a))[0]!);
  });
}

function grownBy({ small, large }: GrowthCase): number {
  return median(large) - median(small);
}
