/** What the bench prints. Figures first, then how they stand to the targets. */
import { cpus, loadavg } from 'node:os';
import process from 'node:process';
import { PEER_TITLES, type PeerName } from './adapter.ts';
import type { Samples, Verifications } from './rounds.ts';
import { medianOf, type Ratio, ratio } from './summary.ts';
import type { Verdict } from './targets.ts';
import { WORKLOADS, type WorkloadName } from './workloads.ts';

const RELEASE_WORTH_TELLING_US = 0.005;

/** Columns as wide as their widest cell; the first is text, the others are numbers. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    );
    return `  ${cells.join('   ')}`.trimEnd();
  });
  return lines.join('\n');
}

export function fixed(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits);
}

/** A whole number as people read it. */
export function count(value: number): string {
  return Number.isNaN(value) ? '-' : Math.round(value).toLocaleString('en');
}

export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `Node ${process.versions.node}, ${cpus().length} x ${model}, load ${loadLine()}`;
}

/** Others at work on the machine are the first reason for odd figures, so it is said before and after. */
export function loadLine(): string {
  return loadavg()
    .map((load) => load.toFixed(2))
    .join(' ');
}

export function workloadTable(workload: WorkloadName, peers: readonly PeerName[], samples: Samples): string {
  const rows = [['', 'us/task', 'define', 'run', 'x limit', '(range)', 'run x limit', 'x probe']];
  for (const peer of peers) {
    const taken = samples.get(workload)?.get(peer) ?? [];
    if (taken.length === 0) continue;
    rows.push([
      PEER_TITLES[peer],
      fixed(medianOf(taken, 'total'), 3),
      fixed(medianOf(taken, 'define'), 3),
      fixed(medianOf(taken, 'run'), 3),
      times(ratio(samples, workload, peer, 'limit')),
      range(ratio(samples, workload, peer, 'limit')),
      times(ratio(samples, workload, peer, 'limit', 'run')),
      times(ratio(samples, workload, peer, 'probe')),
    ]);
  }
  return `${workload}  ${WORKLOADS[workload].title}\n${table(rows)}${releaseNote(workload, peers, samples)}`;
}

/** Release is part of no total, so what it costs must not go unsaid. */
function releaseNote(workload: WorkloadName, peers: readonly PeerName[], samples: Samples): string {
  const notes = peers.map((peer) => {
    const release = medianOf(samples.get(workload)?.get(peer) ?? [], 'release');
    return release >= RELEASE_WORTH_TELLING_US ? `${peer} ${release.toFixed(3)}` : '';
  });
  const told = notes.filter((note) => note !== '').join(', ');
  return told === '' ? '' : `\n  not in the total: release of the results, us/task: ${told}`;
}

function times(found: Ratio | undefined): string {
  if (found === undefined) return '-';
  return found.median.toFixed(found.median < 10 ? 2 : 1);
}

function range(found: Ratio | undefined): string {
  return found === undefined ? '' : `(${found.least.toFixed(1)}-${found.most.toFixed(1)})`;
}

/** One line per peer: that it does the work, and how it treats the limit and the priorities of W5. */
export function verificationLines(verifications: Verifications): string {
  const lines: string[] = [];
  for (const [peer, proofs] of verifications) {
    const faults = [...proofs].flatMap(([workload, proof]) =>
      proof.faults.map((fault) => `${workload}: ${fault}`),
    );
    const limited = proofs.get('W5');
    const order =
      limited === undefined ? '' : `; W5: ${limited.mostAtOnce} at once, ${limited.inversions} inversions`;
    lines.push(
      faults.length === 0 ? `  ${peer}: verified${order}` : `  ${peer}: NOT TIMED, ${faults.join('; ')}`,
    );
  }
  return lines.join('\n');
}

export function verdictLines(verdicts: readonly Verdict[]): string {
  const marks = { pass: 'pass', fail: 'FAIL', 'not judged': '   ?' } as const;
  return verdicts
    .map(({ workload, kind, result, text }) => {
      const mark = kind === 'goal' && result === 'fail' ? 'miss' : marks[result];
      return `  ${mark}  ${workload.padEnd(3)}  ${text}${kind === 'goal' ? ' (goal)' : ''}`;
    })
    .join('\n');
}
