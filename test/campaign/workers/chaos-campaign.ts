/** Rounds of mixed tasks under random seeds, and the table of what came of them. */
import { loadavg } from 'node:os';
import type { ChaosReport } from './chaos-host.ts';
import { endOf, runHost } from './child-host.ts';
import { printTable } from './table.ts';

export interface ChaosOptions {
  readonly tasks: number;
  readonly rounds: number;
  readonly seed: number;
}

const ROUND_MS_MAX = 300_000;
/** Rounds in which code is compiled, and what is kept for long is filled. */
const WARM_UP = 3;
/** How much more may be kept at the end than after those, in bytes. */
const GROWTH_MAX = 2 * 1024 * 1024;

/** Returns whether everything was as it has to be. */
export async function chaosCampaign({ tasks, rounds, seed }: ChaosOptions): Promise<boolean> {
  console.log(`seed ${seed}: ${rounds} rounds of ${tasks} tasks`);
  const end = await runHost('./chaos-host.ts', {
    args: [String(seed), String(tasks), String(rounds)],
    node: ['--expose-gc'],
    limitMs: rounds * ROUND_MS_MAX,
  });
  const reports = end.reports as readonly ChaosReport[];
  printTable(
    ['round', 'seed', 'tasks', 'seconds', 'wrong', 'heap, MiB', 'external, MiB', 'resident, MiB'],
    reports.map((report, i) => [
      String(i + 1),
      String(report.seed),
      String(report.tasks),
      (report.ms / 1000).toFixed(1),
      String(report.wrongs.length),
      mebibytes(report.heapBytes),
      mebibytes(report.externalBytes),
      mebibytes(report.rssBytes),
    ]),
  );
  printTable(['a task ended as', 'times'], endsOf(reports));
  const wrongs = reports.flatMap(({ seed: of, wrongs }) => wrongs.map((wrong) => `seed ${of}: ${wrong}`));
  if (reports.length < rounds) wrongs.push(`the host ended after ${reports.length} rounds`);
  if (end.code !== 0) wrongs.push(`the host ended with ${endOf(end)}: ${end.noise.slice(0, 1_000)}`);
  const growth = growthOf(reports);
  if (growth !== undefined) {
    console.log(
      `heap and external after round ${reports.length} less those after round ${WARM_UP}: ${mebibytes(growth)} MiB`,
    );
    if (growth > GROWTH_MAX) wrongs.push('memory grows');
  }
  for (const wrong of wrongs.slice(0, 20)) console.log(`WRONG ${wrong}`);
  console.log(`load average ${loadavg()[0]?.toFixed(1)}`);
  return wrongs.length === 0;
}

function endsOf(reports: readonly ChaosReport[]): string[][] {
  const sums = new Map<string, number>();
  for (const { ends } of reports)
    for (const [kind, times] of Object.entries(ends)) sums.set(kind, (sums.get(kind) ?? 0) + times);
  return [...sums].sort((a, b) => b[1] - a[1]).map(([kind, times]) => [kind, String(times)]);
}

/** How much more is kept at the end than when everything was warm; `undefined` after too few rounds to say. */
function growthOf(reports: readonly ChaosReport[]): number | undefined {
  const kept = ({ heapBytes, externalBytes }: ChaosReport): number => heapBytes + externalBytes;
  const [early, late] = [reports[WARM_UP - 1], reports.at(-1)];
  return early === undefined || late === undefined || early === late ? undefined : kept(late) - kept(early);
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
