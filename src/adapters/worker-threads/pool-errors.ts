/**
 * What a call fails with when it was not its handler that threw.
 */
import { OrchestratorError } from '../../model/errors.ts';
import type { Call } from './call.ts';
import type { LinkEnd } from './link.ts';

function nameOf({ invocation, name }: Call): string {
  return `task ${JSON.stringify(invocation.path)} (handler ${JSON.stringify(name)})`;
}

function detailsOf({ invocation, name }: Call): Record<string, unknown> {
  return { runId: invocation.runId, path: invocation.path, attempt: invocation.attempt, handler: name };
}

/** The thread ended by itself, and this call is why. */
export function crashed(call: Call, end: LinkEnd): OrchestratorError {
  const details = detailsOf(call);
  const cause = 'cause' in end ? end.cause : undefined;
  if (end.kind === 'memory')
    return new OrchestratorError('WORKER_OUT_OF_MEMORY', `${nameOf(call)}: its thread ran out of memory`, {
      cause,
      details,
    });
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new OrchestratorError(
    'WORKER_CRASHED',
    `${nameOf(call)}: its thread ended while it was executed${why}`,
    { cause, details },
  );
}

/** The thread ended, for whatever another call in it did. */
export function lost(call: Call, end: LinkEnd): OrchestratorError {
  const cause = 'cause' in end ? { cause: end.cause } : undefined;
  return new OrchestratorError(
    'WORKER_LOST',
    `${nameOf(call)}: its thread ended because of a call beside it`,
    {
      ...cause,
      details: detailsOf(call),
    },
  );
}

/** The thread was ended because this call had not. */
export function terminated(call: Call, reason: unknown, when: string): unknown {
  return new OrchestratorError('WORKER_TERMINATED', `${nameOf(call)}: its thread was ended, ${when}`, {
    cause: reason,
    details: detailsOf(call),
  });
}

/** No thread is started any more. */
export function closed(): OrchestratorError {
  return new OrchestratorError('ORCHESTRATOR_CLOSED', 'the orchestrator was closed');
}
