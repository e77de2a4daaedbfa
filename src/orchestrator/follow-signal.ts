import type { LiveRun } from '../managers/workflows/live-run.ts';
import { reading } from '../model/checks.ts';

/** The signals by which runs can be cancelled already: whoever asks for a run again and again mostly gives the same one. */
const followed = new WeakMap<LiveRun, WeakSet<AbortSignal>>();

/**
 * Calls back when a signal of the host is aborted, unless the run has ended by then. The listener is gone when the
 * run is over, so a signal that outlives many runs does not grow; and of a run and a signal there is one.
 *
 * @returns how to let go of the signal at once
 * @throws OrchestratorError `OPTION_INVALID` when the signal is one of the host's own making and cannot be listened to
 */
export function followSignal(run: LiveRun, signal: AbortSignal, onAbort: () => void): () => void {
  if (signal.aborted) return () => {};
  const signals = followed.get(run) ?? new WeakSet();
  if (signals.has(signal)) return () => {};
  reading('manageWorkflow/signal', 'an AbortSignal', () =>
    signal.addEventListener('abort', onAbort, { once: true }),
  );
  signals.add(signal);
  followed.set(run, signals);
  const letGo = (): void => {
    try {
      signal.removeEventListener('abort', onAbort);
    } catch {
      // What a signal of the host's own making throws now is of no use to anybody: the run has ended.
    }
  };
  run.onOver(letGo);
  return letGo;
}
