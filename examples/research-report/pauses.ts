/** How long the main thread was kept from everything else: what whoever serves requests beside a run would feel. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Begins to watch; the returned function ends that and tells the longest pause, in milliseconds. */
export function watchPauses(): () => number {
  const delays = monitorEventLoopDelay({ resolution: 5 });
  delays.enable();
  return () => {
    delays.disable();
    return delays.max / 1e6;
  };
}
