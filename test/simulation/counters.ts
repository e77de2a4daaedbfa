/**
 * What has happened at least once over many seeds: a campaign in which one of these never did has gone blind.
 *
 * Who may call it: the campaign.
 */
import type { Row } from './rows.ts';
import type { Scenario } from './scenario.ts';

/** Everything that has to come about. */
export const EXPECTED = [
  'a crash before an append',
  'a crash during an append',
  'a crash after an append',
  'a crash while opening',
  'a crash around a checkpoint',
  'something unsynced was lost',
  'something unsynced was kept',
  'an append that failed unwritten',
  'an append that failed and was written',
  'a poisoned store',
  'a run given up on',
  'a takeover',
  'an old owner fenced out',
  'a store closed and opened again',
  'a run recovered',
  'a body started again after a death',
  'a dead letter',
  'a retry',
  'an attempt out of time',
  'a task out of its total time',
  'a heartbeat that did not come',
  'a body given up on',
  'a deadlock broken',
  'a lock taken while a body ran',
  'a host that held a lock',
  'a run cancelled',
  'a task cancelled',
  'a run paused',
  'a task skipped for a dependency',
  'a task skipped by its condition',
  'a condition that threw',
  'a failure that ended a run',
  'a failure handed on',
  'a run moved',
  'a move refused',
  'a fork',
  'a run tried again',
  'a checkpoint',
  'a key that was known',
  'a key refused',
  'a run completed',
  'a run failed',
  'a run cancelled to its end',
  'a clock that jumped',
  'a store that answers at once',
  'a run removed',
  'a crash around a removal',
  'a key of a removed run',
  'an output beside the log',
  'an output read from beside the log',
  'an output that could not be kept beside the log',
] as const;

export type Counter = (typeof EXPECTED)[number];
export type Counts = Map<Counter, number>;

/** Counts what came about in one play. */
export function count(counts: Counts, scenario: Scenario, rows: readonly Row[]): void {
  const add = (counter: Counter): void => void counts.set(counter, (counts.get(counter) ?? 0) + 1);
  if (scenario.store.isImmediate) add('a store that answers at once');
  for (const row of rows) {
    if (row.kind === 'log') {
      if (row.isLarge) add('an output beside the log');
      countEvent(add, row.event);
    } else if (row.kind === 'fault') countFault(add, row.what);
    else countTold(add, scenario, row);
  }
}

const FAULTS: readonly (readonly [RegExp, Counter])[] = [
  [/^dies before append/, 'a crash before an append'],
  [/^dies during append/, 'a crash during an append'],
  [/^dies after append/, 'a crash after an append'],
  [/^dies while it opens/, 'a crash while opening'],
  [/^dies (during|after) checkpoint/, 'a crash around a checkpoint'],
  [/^lost/, 'something unsynced was lost'],
  [/^kept/, 'something unsynced was kept'],
  [/unwritten$/, 'an append that failed unwritten'],
  [/ written$/, 'an append that failed and was written'],
  [/poisoned$/, 'a poisoned store'],
  [/^has lost the store/, 'a takeover'],
  [/^dies closed$/, 'a store closed and opened again'],
  [/^the clock jumps/, 'a clock that jumped'],
  [/^dies (during|after) removal/, 'a crash around a removal'],
  [/^blob/, 'an output that could not be kept beside the log'],
];

function countFault(add: (counter: Counter) => void, what: string): void {
  for (const [pattern, counter] of FAULTS) if (pattern.test(what)) add(counter);
}

const EVENTS: Readonly<Record<string, Counter>> = {
  TaskRestarted: 'a body started again after a death',
  TaskRetryScheduled: 'a retry',
  RunPaused: 'a run paused',
  RunMoved: 'a run moved',
  RunCompleted: 'a run completed',
  RunFailed: 'a run failed',
  RunCancelled: 'a run cancelled to its end',
  RunCancelRequested: 'a run cancelled',
};

const STOPS: Readonly<Record<string, Counter>> = {
  timeout: 'an attempt out of time',
  total_timeout: 'a task out of its total time',
  heartbeat: 'a heartbeat that did not come',
  run_failed: 'a failure that ended a run',
};

function countEvent(add: (counter: Counter) => void, event: Readonly<Record<string, unknown>>): void {
  const { type, cause, failure, abandoned, forkedFrom } = event;
  const known = EVENTS[type as string];
  if (known !== undefined) add(known);
  if (type === 'TaskStopRequested' && STOPS[cause as string] !== undefined)
    add(STOPS[cause as string] as Counter);
  if (abandoned === true) add('a body given up on');
  const { code } = (failure ?? {}) as { readonly code?: string };
  if (code === 'TASK_DEAD_LETTER') add('a dead letter');
  if (code === 'DEADLOCK_VICTIM') add('a deadlock broken');
  if (code === 'CONDITION_FAILED') add('a condition that threw');
  if (type === 'TaskCancelled' && cause === 'task_cancelled') add('a task cancelled');
  if (type === 'TaskSkipped') {
    const { kind } = cause as { readonly kind: string };
    add(kind === 'condition' ? 'a task skipped by its condition' : 'a task skipped for a dependency');
  }
  if (type === 'RunCreated' && forkedFrom !== undefined)
    add('kept' in (forkedFrom as object) ? 'a run tried again' : 'a fork');
}

function countTold(add: (counter: Counter) => void, scenario: Scenario, row: Row): void {
  switch (row.kind) {
    case 'open':
      for (const _ of row.recovered) add('a run recovered');
      return;
    case 'over':
      if (row.status === 'lost') add('a run given up on');
      return;
    case 'conflict':
      if (row.what === 'epoch') add('an old owner fenced out');
      return;
    case 'locked':
      add('a lock taken while a body ran');
      return;
    case 'host_holds':
      if (row.lock !== undefined) add('a host that held a lock');
      return;
    case 'checkpoint':
      add('a checkpoint');
      return;
    case 'removed':
      add('a run removed');
      return;
    case 'blob_read':
      add('an output read from beside the log');
      return;
    case 'start':
      for (const value of Object.values(row.dependencies))
        if ((value as { readonly status?: string } | undefined)?.status === 'failed')
          add('a failure handed on');
      return;
    case 'ack':
      if (row.refused === 'RUN_MOVE_REFUSED') add('a move refused');
      if (row.refused === 'RUN_KEY_CONFLICT') add('a key refused');
      if (row.refused === 'RUN_PRUNED') add('a key of a removed run');
      if (row.what === 'start' && row.refused === undefined && isKnownKey(scenario, row.action))
        add('a key that was known');
  }
}

/** Whether an action before has the same key. */
function isKnownKey({ actions }: Scenario, action: number): boolean {
  const deed = actions[action]?.deed;
  if (deed?.type !== 'start' || deed.key === undefined) return false;
  return actions.slice(0, action).some((one) => one.deed.type === 'start' && one.deed.key === deed.key);
}
