import type { LiveRun } from '../managers/workflows/live-run.ts';
import { reading } from '../model/checks.ts';

/**
 * Calls back when a signal of the host is aborted, unless the run has ended by then. The listener is gone when the
 * run is over, so a signal that outlives many runs does not grow.
 *
 * @returns how to let go of the signal at once
 * @throws OrchestratorError `OPTION_INVALID` when the signal is one of the host's own making and cannot be listened to
 */
export function followSignal(run: LiveRun, signal: AbortSignal, onAbort: () => void): () => void {
  if (signal.aborted) return () => {};
  reading('manageWorkflow/signal', 'an AbortSignal', () =>
    signal.addEventListener('abort', onAbort, { once: true }),
  );
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
