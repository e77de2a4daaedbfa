/**
 * How much of the host's thread a run has taken: what whoever serves requests beside a run would feel.
 */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import process from 'node:process';

export type HostLoad = {
  /** The processor time that it used, in milliseconds; before Node 24 the time for which it was busy. */
  busy: number;
  /** The longest time for which it could do nothing else, in milliseconds. */
  pause: number;
};

const RESOLUTION_MS = 5;

/** Begins to watch; the returned function ends that and tells what was seen. */
export function watchHost(): () => HostLoad {
  const busy = watchBusy();
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  return () => {
    delays.disable();
    return {
      busy: busy(),
      // It measures from one look to the next, the wait between them included.
      pause: Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
    };
  };
}

/** Processor time is that of this thread alone, whoever else is at work on the machine. */
function watchBusy(): () => number {
  if (process.threadCpuUsage === undefined) {
    const since = performance.eventLoopUtilization();
    return () => performance.eventLoopUtilization(since).active;
  }
  const since = process.threadCpuUsage();
  return () => {
    const { user, system } = process.threadCpuUsage(since);
    return (user + system) / 1_000;
  };
}
