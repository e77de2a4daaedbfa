/**
 * What runs first in a child process of handlers. The worker-threads executor starts its door as a program.
 */
import { SESSION_ARGUMENT, type SessionStart, type ToHost, type ToThread, type Wire } from '../protocol.ts';
import { guardProcess } from './guard-process.ts';
import { ThreadSession } from './thread-session.ts';

type Given = { readonly start: SessionStart } | { readonly batch: readonly ToThread[] };

/** Listens to the host that has started this process, and lives until that ends it, or is gone. */
export function listenToHost(): void {
  const exit = process.exit.bind(process);
  const send = process.send?.bind(process);
  let hear: (batch: readonly ToThread[]) => void = () => {};
  const wire: Wire<ToHost, ToThread> = {
    // Under a name: whatever else comes from this process is of some other code, and not for the host.
    post: (batch) => {
      if (process.connected) send?.({ batch });
    },
    onBatch: (listener) => {
      hear = listener;
    },
  };
  guardProcess({
    message: (given: Given) => {
      if ('batch' in given) hear(given.batch);
      else if ('start' in given)
        void new ThreadSession(wire, given.start).run(0).then(() => process.disconnect());
    },
    // Without its host nobody would hear what comes of it.
    disconnect: () => exit(0),
  });
}

// Only as the program of a child process: whoever imports it has no host to listen to.
if (process.argv[2] === SESSION_ARGUMENT) listenToHost();
