/** Connects the events of an orchestrator with the progress shown on the screen. */
import type { AnyTask, Orchestrator, RunEvent } from '@taskmaster-ai/orchestrator';
import { createProgress, type ProgressEvent } from './progress.ts';

/** Where the progress is shown; `process.stderr` fits. */
export type Screen = {
  write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

const REDRAW_EVERY_MS = 200;

/** Shows what the orchestrator does with these tasks; returns how to end that. */
export function showProgress(
  orchestrator: Orchestrator,
  tasks: readonly AnyTask[],
  screen: Screen,
): () => void {
  const progress = createProgress({
    write: (text) => screen.write(text),
    isTty: screen.isTTY === true,
    columns: () => screen.columns ?? 80,
    title: 'research',
  });
  for (const { taskId, agentAssigned } of tasks) {
    const agent = agentAssigned === undefined ? {} : { agent: agentAssigned };
    progress.onEvent({ type: 'planned', path: taskId, at: Date.now(), ...agent });
  }
  const stopObserving = orchestrator.observe({
    observe(event) {
      const shown = asProgress(event);
      if (shown !== undefined) progress.onEvent(shown);
    },
  });
  const ticking = setInterval(() => progress.tick(Date.now()), REDRAW_EVERY_MS);
  ticking.unref();
  return () => {
    clearInterval(ticking);
    stopObserving();
    progress.finish(Date.now());
  };
}

function asProgress(event: RunEvent): ProgressEvent | undefined {
  switch (event.type) {
    case 'TaskStarted':
      return { type: 'started', path: event.path, at: event.at, attempt: event.attempt };
    case 'TaskRetryScheduled':
      return { type: 'retrying', path: event.path, at: event.at, attempt: event.attempt };
    case 'TaskCompleted':
      return { type: 'succeeded', path: event.path, at: event.at };
    case 'TaskFailed':
      return {
        type: 'failed',
        path: event.path,
        at: event.at,
        attempt: event.attempt,
        message: event.failure.message,
      };
    case 'TaskSkipped':
      return { type: 'skipped', path: event.path, at: event.at };
    case 'TaskCancelled':
      return { type: 'cancelled', path: event.path, at: event.at };
    default:
      return undefined;
  }
}
