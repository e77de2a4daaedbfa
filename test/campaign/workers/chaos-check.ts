/** Whether the log of a run of mixed tasks says of each of them what has to come of it, once. */
import type { RunEvent } from '@taskmaster-ai/orchestrator';
import type { Expectation, Mix } from './chaos-mix.ts';

export type TaskEnd = Extract<
  RunEvent,
  { readonly type: 'TaskCompleted' | 'TaskFailed' | 'TaskCancelled' | 'TaskSkipped' }
>;

const ENDS: ReadonlySet<string> = new Set(['TaskCompleted', 'TaskFailed', 'TaskCancelled', 'TaskSkipped']);
const RUN_ENDS: ReadonlySet<string> = new Set(['RunCompleted', 'RunFailed', 'RunCancelled']);

/** The ends of its tasks by path, and what is wrong with them. */
export function checkLog(
  { expected, isFailFast }: Pick<Mix, 'expected' | 'isFailFast'>,
  events: readonly RunEvent[],
  wasCancelled: boolean,
): { readonly ends: ReadonlyMap<string, TaskEnd>; readonly wrongs: readonly string[] } {
  const wrongs: string[] = [];
  const ends = new Map<string, TaskEnd>();
  for (const event of events.filter(({ type }) => ENDS.has(type)) as TaskEnd[]) {
    if (ends.has(event.path)) wrongs.push(`${event.path} has ended twice`);
    ends.set(event.path, event);
  }
  const runEnds = events.filter(({ type }) => RUN_ENDS.has(type));
  if (runEnds.length !== 1 || events.at(-1) !== runEnds[0]) wrongs.push(`the run has ${runEnds.length} ends`);
  checkRunEnd(runEnds[0], ends, wasCancelled, wrongs);
  // Where a run is given up on as a whole, any of its tasks may be cancelled.
  const mayStop = wasCancelled || isFailFast;
  for (const [path, expectation] of expected) {
    const end = ends.get(path);
    const why = end === undefined ? 'it has no end' : wrongEnd(expectation, end, ends, mayStop);
    if (why !== undefined) wrongs.push(`${path} (${expectation.kind}): ${why}`);
  }
  return { ends, wrongs };
}

function checkRunEnd(
  event: RunEvent | undefined,
  ends: ReadonlyMap<string, TaskEnd>,
  wasCancelled: boolean,
  wrongs: string[],
): void {
  const isBad = [...ends.values()].some(
    (end) => end.type === 'TaskFailed' || (end.type === 'TaskCancelled' && end.cause === 'task_cancelled'),
  );
  const should = isBad ? 'RunFailed' : 'RunCompleted';
  if (event?.type !== should && !(wasCancelled && event?.type === 'RunCancelled'))
    wrongs.push(`the run ended with ${event?.type} instead of ${should}`);
}

function wrongEnd(
  { needs, output, code, isCancelled, hangs }: Expectation,
  end: TaskEnd,
  ends: ReadonlyMap<string, TaskEnd>,
  mayStop: boolean,
): string | undefined {
  const isFree = needs.every((need) => ends.get(need)?.type === 'TaskCompleted');
  switch (end.type) {
    case 'TaskSkipped':
      return isFree && !mayStop ? 'skipped, though all that it needs has completed' : undefined;
    case 'TaskCancelled':
      return isCancelled || mayStop ? undefined : `cancelled (${end.cause}), and nobody did`;
    case 'TaskCompleted':
      if (!isFree) return 'completed without what it needs';
      if (code !== undefined || hangs || end.output !== output)
        return `completed with ${String(end.output)} instead of ${code ?? (hangs ? 'hanging' : String(output))}`;
      return undefined;
    case 'TaskFailed':
      if (!isFree) return 'failed without what it needs';
      if (end.failure.code !== code)
        return `failed with ${end.failure.code} (${end.failure.message}) instead of ${code ?? String(output)}`;
      return undefined;
  }
}
