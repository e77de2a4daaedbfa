/** How long the main thread stands still while eight threads are busy. */
import { availableParallelism, loadavg } from 'node:os';
import { endOf, runHost } from './child-host.ts';
import type { Pause, PauseReport } from './pause-host.ts';
import { milliseconds, printTable } from './table.ts';

const PAUSE_MS_MAX = 50;
const TRIES = 3;

/**
 * Returns whether the longest pause was short enough in one of a few tries. The machine may serve others, too: what it
 * costs by itself is printed beside, and what of a pause was work of the thread.
 */
export async function pauseCampaign(): Promise<boolean> {
  const rows: string[][] = [];
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES; i++) {
    for (const how of ['turning', 'sleeping']) {
      const end = await runHost('./pause-host.ts', { args: [how], limitMs: 120_000 });
      const told = end.reports[0] as PauseReport | undefined;
      if (told?.completed !== true || end.code !== 0) {
        console.log(`WRONG pauses: the host ended with ${endOf(end)}: ${end.noise.slice(0, 500)}`);
        return false;
      }
      if (how === 'sleeping') best = Math.min(best, told.busy.ms);
      const load = (loadavg()[0] as number).toFixed(1);
      rows.push([how, brief(told.quiet), brief(told.starting), brief(told.busy), load]);
    }
  }
  console.log('longest pause of the main thread; in brackets the most that one turn took of a processor');
  printTable(['main thread', 'nothing to do', 'threads start', '8 threads busy', 'load average'], rows);
  console.log(
    `${availableParallelism()} processors; best with 8 threads busy ${milliseconds(best)}, allowed ${PAUSE_MS_MAX} ms`,
  );
  return best <= PAUSE_MS_MAX;
}

function brief({ ms, cpuMs }: Pause): string {
  return cpuMs === undefined ? milliseconds(ms) : `${milliseconds(ms)} (${milliseconds(cpuMs)})`;
}
