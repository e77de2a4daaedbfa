/**
 * Copies the history of a run under the id of a new one, which goes on from there.
 *
 * Owns: nothing. Who may call it: the persistence manager.
 *
 * FK1  The run that is forked does not change and is not waited for.
 * FK2  The fork begins behind a whole step; what was decided together stays together.
 * FK3  The whole beginning of the fork is one append: it is there as a whole or not at all.
 * FK4  What was still to come in the copied history (retries, limits) comes as much later as the fork is made later, also
 *      when that history was copied before.
 */
import type { RunEvent } from '../../machine/events.ts';
import { evolve } from '../../machine/evolve.ts';
import { continuesStep } from '../../machine/fork-point.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { RunHistory } from './run-history.ts';

/** What a fork is made from and becomes. */
export interface ForkRequest {
  readonly runId: string;
  readonly plan: CompiledPlan;
  /** Where it is to begin; the end of the step that this lies in counts. */
  readonly seq: number;
  readonly forkId: string;
  /** When it is made: milliseconds since 1970. */
  readonly at: number;
  /** In the place of the input of the run, if given. */
  readonly input?: { readonly value: unknown } | undefined;
}

/** The events that a fork begins with. */
export async function forkedEvents(
  history: RunHistory,
  { runId, plan, seq, forkId, at, input }: ForkRequest,
): Promise<readonly RunEvent[]> {
  const { state, last } = await history.fold(runId, plan, { toSeq: seq });
  let end = last as RunEvent;
  await history.visit(runId, seq + 1, (event) => {
    if (!continuesStep(state, event, end)) return false;
    evolve(state, event);
    end = event;
    return true;
  });
  let laterMs = 0;
  const events: RunEvent[] = [];
  await history.visit(runId, 1, (event) => {
    // What a fork has copied keeps the time at which it happened, but its limits count from when the fork was made.
    if (event.type === 'RunCreated') laterMs = Math.max(0, at - Math.max(end.at, event.forkedFrom?.at ?? 0));
    events.push(copyOf(event, forkId, laterMs));
    return event.seq < end.seq;
  });
  const created = events[0];
  if (created?.type === 'RunCreated') {
    // The key is that of the run that was started under it.
    const { key: _, ...rest } = created;
    const forkedFrom = { runId, seq: end.seq, at };
    events[0] = { ...rest, forkedFrom, ...(input === undefined ? undefined : { input: input.value }) };
  }
  return events;
}

function copyOf(event: RunEvent, runId: string, laterMs: number): RunEvent {
  switch (event.type) {
    case 'TaskStarted': {
      const { timeoutAt, deadlineAt } = event;
      return {
        ...event,
        runId,
        ...(timeoutAt === undefined ? undefined : { timeoutAt: timeoutAt + laterMs }),
        ...(deadlineAt === undefined ? undefined : { deadlineAt: deadlineAt + laterMs }),
      };
    }
    case 'TaskRetryScheduled':
      return { ...event, runId, dueAt: event.dueAt + laterMs };
    default:
      return { ...event, runId };
  }
}
