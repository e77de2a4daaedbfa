/** Whether this machine, at this moment, can be measured on. */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Processors that others may keep busy, and syncs a second that the disk must do, for a target to decide anything. */
export const OTHERS_MAX = 0.3;
export const SYNCS_MIN = 3_000;

const LOOK_MS = 500;

/** How many processors others keep busy, while this process sleeps. */
export async function busyByOthers(): Promise<number> {
  const before = busyMs();
  await sleep(LOOK_MS);
  return (busyMs() - before) / LOOK_MS;
}

function busyMs(): number {
  let busy = 0;
  for (const { times } of cpus()) busy += times.user + times.nice + times.sys + times.irq;
  return busy;
}
