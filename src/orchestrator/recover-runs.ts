import type { RunCreated } from '../machine/events.ts';
import { upcast } from '../machine/replay.ts';
import { LiveRun } from '../managers/workflows/live-run.ts';
import type { Composition } from './compose.ts';

const END_TYPES: ReadonlySet<string> = new Set(['RunCompleted', 'RunFailed', 'RunCancelled']);

/**
 * Goes on with the runs of a store that have not ended. A run whose workflow version is not registered, or
 * whose handlers are missing, is left as it is and reported.
 *
 * @throws OrchestratorError `EVENT_UNKNOWN`, `HISTORY_INVALID`, and what the store throws
 */
export async function recoverRuns(parts: Composition): Promise<void> {
  for (const { runId, lastType } of await parts.persistence.listRuns()) {
    if (!END_TYPES.has(lastType)) await recoverRun(parts, runId);
  }
}

/**
 * A run of the store, ended or not, whether this process has had it before or not.
 * @throws OrchestratorError `RUN_NOT_FOUND`, and what `recoverRuns` throws
 */
export async function findRun(parts: Composition, runId: string): Promise<LiveRun> {
  const { directory } = parts;
  return directory.find(runId) ?? (await recoverRun(parts, runId)) ?? directory.get(runId);
}

async function recoverRun(parts: Composition, runId: string): Promise<LiveRun | undefined> {
  const { persistence, registry, handlers, scheduler, directory, reloader, logger } = parts;
  const [first] = await persistence.readPage(runId, 1, 1);
  if (first === undefined) return undefined;
  const created = upcast(first) as RunCreated;
  const { workflowId, workflowVersion } = created;
  if (!registry.has(workflowId, workflowVersion)) {
    logger.warn(
      { runId, workflowId, workflowVersion },
      'an unfinished run was left as it is: its workflow version is not registered',
    );
    return undefined;
  }
  const { plan } = registry.get(workflowId, workflowVersion);
  const missing = handlers.missing(plan);
  if (missing.length > 0) {
    logger.warn(
      { runId, workflowId, missing },
      'an unfinished run was left as it is: handlers are not registered',
    );
    return undefined;
  }
  const run = new LiveRun({
    runId,
    plan,
    bound: scheduler.bind(plan),
    submission: directory.nextSubmission(),
  });
  directory.add(run);
  await reloader.recover(run);
  return run;
}
