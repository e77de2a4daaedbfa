/**
 * The three suites beside the rounds: large graphs, memory, cold start. Each asks a fresh process per peer, since
 * what a process did before is just what must not count here. They print figures and have no gate; a peer that fails
 * (a stack overflow, say) is told of, and makes the exit code 1.
 */
import { PEER_TITLES, type PeerName } from './adapter.ts';
import type { Cold } from './cold-start.ts';
import { GROWTH_SMALL, type Growth, type GrowthShape } from './growth.ts';
import type { Options } from './options.ts';
import { askFresh } from './peer.ts';
import type { RequestKind, Requests } from './peer-process.ts';
import { fixed, table } from './report.ts';
import { median } from './summary.ts';

export interface SuiteResult {
  readonly text: string;
  readonly failed: boolean;
  readonly json: unknown;
}

/** The answers of those that gave one, and a line for each of those that failed. */
interface Answers<Value> {
  readonly values: ReadonlyMap<PeerName, readonly Value[]>;
  readonly failures: readonly string[];
}

/** Round by round, so that a slow moment of the machine falls on all of them. */
async function askEach<Kind extends RequestKind>(
  peers: readonly PeerName[],
  rounds: number,
  kind: Kind,
  ask: Requests[Kind]['ask'],
): Promise<Answers<Requests[Kind]['answer']>> {
  const values = new Map<PeerName, Requests[Kind]['answer'][]>(peers.map((peer) => [peer, []]));
  const failures: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [peer, answers] of values) {
      try {
        answers.push(await askFresh(peer, kind, ask));
      } catch (error) {
        values.delete(peer);
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  }
  return { values, failures };
}

/** Failures stand below the table, where a long message widens no column. */
function tableAndFailures(rows: readonly (readonly string[])[], failures: readonly string[]): string {
  return [table(rows), ...failures.map((failure) => `  FAILED: ${failure.split('\n', 1)[0]}`)].join('\n');
}

export async function largeSuite({ peers, size }: Options): Promise<SuiteResult> {
  const json: Record<string, unknown> = {};
  const parts: string[] = [];
  let failed = false;
  for (const shape of ['chain', 'fan'] satisfies GrowthShape[]) {
    const { values, failures } = await askEach(peers, 1, 'growth', { shape, size });
    const rows = [['', 'first, ms', `us/task at ${size}`, `at ${GROWTH_SMALL}`, 'growth']];
    for (const [peer, growths] of values) rows.push(...growths.map((growth) => growthRow(peer, growth)));
    parts.push(`${shape} of ${size.toLocaleString('en')}\n${tableAndFailures(rows, failures)}`);
    json[shape] = { ...Object.fromEntries(values), failures };
    failed ||= failures.length > 0;
  }
  const note =
    'growth: us/task there over us/task here; at most 2 is the goal, a scan per step would show as 10 or more';
  return { text: `${parts.join('\n\n')}\n\n  ${note}`, failed, json };
}

function growthRow(peer: PeerName, growth: Growth): string[] {
  return [
    PEER_TITLES[peer],
    fixed(growth.firstMs, 0),
    fixed(growth.largeTotal, 3),
    fixed(growth.smallTotal, 3),
    `${fixed(growth.largeTotal / growth.smallTotal, 2)}x`,
  ];
}

export async function memorySuite({ peers, size }: Options): Promise<SuiteResult> {
  const { values, failures } = await askEach(peers, 1, 'footprint', { size });
  const rows = [['bytes/task', 'built', 'half-way', 'ended, held', 'results released', 'all let go']];
  for (const [peer, footprints] of values) {
    for (const { built, halfWay, held, released, dropped } of footprints) {
      const stages = [built, halfWay, held, released, dropped];
      rows.push([PEER_TITLES[peer], ...stages.map((bytes) => fixed(bytes, 0))]);
    }
  }
  const title = `layered graph of ${size.toLocaleString('en')} tasks, 3 parents each`;
  return {
    text: `${title}\n${tableAndFailures(rows, failures)}`,
    failed: failures.length > 0,
    json: { ...Object.fromEntries(values), failures },
  };
}

export async function coldSuite({ peers, rounds }: Options): Promise<SuiteResult> {
  const { values, failures } = await askEach(peers, rounds, 'cold', {});
  const rows = [['fresh process, ms', 'import', '(range)', 'first 900 tasks', '(range)']];
  for (const [peer, colds] of values) rows.push(coldRow(peer, colds));
  return {
    text: tableAndFailures(rows, failures),
    failed: failures.length > 0,
    json: { ...Object.fromEntries(values), failures },
  };
}

function coldRow(peer: PeerName, colds: readonly Cold[]): string[] {
  const imports = colds.flatMap(({ importMs }) => (importMs === undefined ? [] : [importMs]));
  const firsts = colds.map(({ firstGraphMs }) => firstGraphMs);
  return [
    PEER_TITLES[peer],
    fixed(median(imports), 1),
    spread(imports),
    fixed(median(firsts), 1),
    spread(firsts),
  ];
}

function spread(values: readonly number[]): string {
  if (values.length === 0) return '';
  return `(${Math.min(...values).toFixed(1)}-${Math.max(...values).toFixed(1)})`;
}
