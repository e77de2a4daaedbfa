/** The faults one after another, each in a host of its own, and the table of what came of them. */
import { loadavg } from 'node:os';
import { endOf, runHost } from './child-host.ts';
import type { TrialReport } from './fault-host.ts';
import { FAULTS, type Fault, type Isolation, isolationsOf, titleOf } from './fault-table.ts';
import { milliseconds, printTable } from './table.ts';

export interface FaultOptions {
  readonly trials: number;
  /** Only faults whose id or title contains this. */
  readonly only: string | undefined;
  /** Hosts at the same time. */
  readonly jobs: number;
}

interface Row {
  readonly fault: Fault;
  readonly isolation: Isolation;
  readonly passed: number;
  readonly worstMs: number;
  /** The most that a faulty task took beyond its time limit and the grace. */
  readonly lateMs: number | undefined;
  readonly wrongs: readonly string[];
}

/** No trial takes nearly as long on a machine that does something else as well. */
const TRIAL_MS_MAX = 20_000;

/** Returns whether everything was as it has to be. */
export async function faultCampaign(options: FaultOptions): Promise<boolean> {
  const { trials, only, jobs } = options;
  const wanted = FAULTS.flatMap((fault, index) =>
    isolationsOf(fault).map((isolation) => ({ fault, index, isolation })),
  ).filter(({ fault }) => only === undefined || `${fault.id} ${titleOf(fault)}`.includes(only));
  const rows = new Array<Row>(wanted.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < wanted.length; i = next++) {
      const { fault, index, isolation } = wanted[i] as (typeof wanted)[number];
      const row = await tryFault(fault, index, isolation, trials);
      rows[i] = row;
      // Whoever waits sees that it goes on.
      console.error(
        `${fault.id} ${titleOf(fault)} (${isolation}): ${row.passed} of ${trials}`,
        ...row.wrongs,
      );
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  report(rows, trials);
  // A misspelt name would else look like a passed one.
  return rows.length > 0 && rows.every(({ passed }) => passed === trials);
}

async function tryFault(fault: Fault, index: number, isolation: Isolation, trials: number): Promise<Row> {
  const end = await runHost('./fault-host.ts', {
    args: [String(index), isolation, String(trials)],
    limitMs: trials * TRIAL_MS_MAX,
  });
  const reports = end.reports as readonly TrialReport[];
  const wrongs = reports.flatMap(({ trial, wrongs }) => wrongs.map((wrong) => `trial ${trial}: ${wrong}`));
  if (reports.length < trials)
    wrongs.push(`the host ended after ${reports.length} trials with ${endOf(end)}`);
  if (end.code !== 0) wrongs.push(`the host ended with ${endOf(end)}: ${end.noise.slice(0, 500)}`);
  const passed = reports.filter(({ wrongs }) => wrongs.length === 0).length;
  const late = reports.map(({ lateMs }) => lateMs).filter((ms) => ms !== undefined);
  return {
    fault,
    isolation,
    // A host that does not end well, and by itself, has passed nothing.
    passed: end.code === 0 ? passed : 0,
    worstMs: Math.max(0, ...reports.map(({ ms }) => ms)),
    lateMs: late.length === 0 ? undefined : Math.max(...late),
    wrongs,
  };
}

function report(rows: readonly Row[], trials: number): void {
  printTable(
    ['fault', 'shape', 'isolation', 'passed', 'worst, to the end of the run', 'beyond timeout + grace'],
    rows.map(({ fault, isolation, passed, worstMs, lateMs }) => [
      fault.id,
      titleOf(fault),
      isolation,
      `${passed} of ${trials}`,
      milliseconds(worstMs),
      lateMs === undefined ? '' : milliseconds(lateMs),
    ]),
  );
  for (const { fault, isolation, wrongs } of rows)
    for (const wrong of wrongs.slice(0, 3))
      console.log(`WRONG ${fault.id} ${titleOf(fault)} (${isolation}): ${wrong}`);
  const count = rows.reduce((sum, { passed }) => sum + passed, 0);
  const late = Math.max(...rows.map(({ lateMs }) => lateMs ?? Number.NEGATIVE_INFINITY));
  console.log(`${count} of ${rows.length * trials} trials passed; load average ${loadavg()[0]?.toFixed(1)}`);
  if (Number.isFinite(late))
    console.log(
      `a handler that does not end is gone at most ${milliseconds(late)} after its timeout and the grace`,
    );
}
