/** Judges a history by the numbered invariants. It imports nothing of the product: only plain data comes in. */
import type { History, LedgerLine, LoggedFact, Violation } from '../history.ts';

type Check = (history: History) => string | undefined;

const ENDED = new Set(['TaskCompleted', 'TaskFailed', 'TaskCancelled', 'TaskSkipped']);
const RUN_ENDED = new Set(['RunCompleted', 'RunFailed', 'RunCancelled']);
const BODY = new Set(['TaskStarted', 'TaskRestarted']);

function known({ logs }: History, line: LedgerLine): readonly LoggedFact[] {
  return (logs.get(line.runId) ?? []).slice(0, line.durable);
}

function starts({ ledger }: History): readonly LedgerLine[] {
  return ledger.filter(({ what }) => what === 'start');
}

function where({ runId, path, attempt }: LedgerLine): string {
  return `${runId} ${path} attempt ${attempt}`;
}

/** I1: no body starts before the ends of its dependencies are durable. */
const dependenciesFirst: Check = (history) => {
  for (const line of starts(history)) {
    const log = known(history, line);
    for (const id of history.tasks.find((task) => task.id === line.path)?.dependencies ?? [])
      if (!log.some(({ type, path }) => type === 'TaskCompleted' && path === id))
        return `${where(line)} began before ${id} had completed`;
  }
  return undefined;
};

/** I2: each start of a body was durable before. */
const startsAreLogged: Check = (history) => {
  const begun = new Map<string, number>();
  for (const line of starts(history)) {
    const key = where(line);
    const count = (begun.get(key) ?? 0) + 1;
    begun.set(key, count);
    const logged = known(history, line).filter(
      ({ type, path, attempt }) => BODY.has(type) && path === line.path && attempt === line.attempt,
    ).length;
    if (count > logged) return `${key}: body ${count}, ${logged} starts in the log`;
  }
  return undefined;
};

/** I3 and I25: no body beside itself in one process, no two holders of an exclusive lock. */
function overlapCheck(keyOf: (history: History, line: LedgerLine) => string | undefined): Check {
  return (history) => {
    const held = new Map<string, LedgerLine>();
    for (const line of history.ledger) {
      if (line.what === 'crash') held.clear();
      if (line.what !== 'start' && line.what !== 'end') continue;
      const key = keyOf(history, line);
      if (key === undefined) continue;
      const other = held.get(key);
      if (line.what === 'end') held.delete(key);
      else if (other === undefined) held.set(key, line);
      else return `${where(line)} beside ${where(other)}: ${key}`;
    }
    return undefined;
  };
}

function ofLogs(check: (log: readonly LoggedFact[], history: History) => string | undefined): Check {
  return (history) => {
    for (const [runId, log] of history.logs) {
      const found = check(log, history);
      if (found !== undefined) return `${runId} ${found}`;
    }
    return undefined;
  };
}

/** I4: attempts count from 1 without a gap, and are no more than allowed. */
const attemptsCount = ofLogs((log, { tasks }) => {
  const last = new Map<string, number>();
  for (const { type, path, attempt, seq } of log) {
    if (type !== 'TaskStarted' || path === undefined) continue;
    const before = last.get(path) ?? 0;
    const most = tasks.find(({ id }) => id === path)?.maxAttempts ?? 1;
    if (attempt !== before + 1 || attempt > most)
      return `seq ${seq}: attempt ${attempt} of ${path} after ${before}, at most ${most}`;
    last.set(path, attempt);
  }
  return undefined;
});

/** I5 and I7: nothing happens to a task that has ended. */
const endsAbsorb = ofLogs((log) => {
  const ended = new Set<string>();
  for (const { type, path, seq } of log) {
    if (path === undefined || !type.startsWith('Task')) continue;
    if (ended.has(path)) return `seq ${seq}: ${type} of ${path}, which has ended`;
    if (ENDED.has(type)) ended.add(path);
  }
  return undefined;
});

/** I8 and I9: a start that was acknowledged is durable at that moment, and for ever. */
const acksAreKept: Check = ({ ledger, logs }) => {
  for (const { what, runId, durable } of ledger)
    if (what === 'ack' && (durable < 1 || (logs.get(runId)?.length ?? 0) < durable))
      return `${runId}: acknowledged with ${durable} records, ${logs.get(runId)?.length ?? 0} are there`;
  return undefined;
};

/** I11: a run ends once, as its last event, when all its tasks have ended. */
const runsEndOnce = ofLogs((log, { tasks }) => {
  const end = log.findIndex(({ type }) => RUN_ENDED.has(type));
  if (end < 0) return 'has not ended';
  if (end !== log.length - 1) return `has events after its end at seq ${end + 1}`;
  const ended = log.filter(({ type }) => ENDED.has(type)).length;
  return ended === tasks.length ? undefined : `${ended} of ${tasks.length} tasks have ended`;
});

/** I19: `seq` counts from 1 without a gap. */
const seqCounts = ofLogs((log) => {
  const at = log.findIndex(({ seq }, i) => seq !== i + 1);
  return at < 0 ? undefined : `seq ${log[at]?.seq} stands at ${at + 1}`;
});

/** What is judged, in this order. */
export const CHECKS: Readonly<Record<string, Check>> = {
  I19: seqCounts,
  I1: dependenciesFirst,
  I2: startsAreLogged,
  I3: overlapCheck((_, { runId, path }) => `${runId} ${path}`),
  I4: attemptsCount,
  I5: endsAbsorb,
  I8: acksAreKept,
  I25: overlapCheck(({ tasks }, { path }) => tasks.find(({ id }) => id === path)?.lock),
  I11: runsEndOnce,
};

/** The first offending place of each invariant that does not hold. */
export function checkHistory(history: History): readonly Violation[] {
  return Object.entries(CHECKS).flatMap(([invariant, check]) => {
    const at = check(history);
    return at === undefined ? [] : [{ invariant, at }];
  });
}
