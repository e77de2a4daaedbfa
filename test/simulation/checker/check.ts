/**
 * Folds everything that a simulation has written down over the invariants, in one pass.
 *
 * Who may call it: the campaign, the shrinker, tests.
 */
import type { LogRow, Row } from '../rows.ts';
import type { Scenario } from '../scenario.ts';
import { Judge, type Violation } from './judge.ts';
import { Ledger } from './ledger.ts';
import { judgeEnds, LogRules } from './log-rules.ts';
import { PromiseRules } from './promise-rules.ts';
import { beginRun, foldEvent, type RunModel } from './run-model.ts';

const ATTEMPT_ENDS: ReadonlySet<string> = new Set([
  'TaskCompleted',
  'TaskFailed',
  'TaskRetryScheduled',
  'TaskCancelled',
]);

/** What is wrong with a trace; nothing, if nothing is. */
export function check(scenario: Scenario, rows: readonly Row[]): readonly Violation[] {
  const judge = new Judge();
  const runs = new Map<string, RunModel>();
  const ledger = new Ledger(scenario, judge);
  const logs = new LogRules(scenario, judge, ledger);
  const promises = new PromiseRules(scenario, judge, ledger, runs);
  for (const [at, row] of rows.entries()) {
    judge.row = at;
    switch (row.kind) {
      case 'log':
        foldLog(row);
        break;
      case 'start':
        ledger.start(row, runs.get(row.run));
        break;
      case 'end':
        ledger.end(row);
        break;
      case 'locked':
      case 'unlocked':
        ledger.nested(row);
        break;
      case 'host_holds':
      case 'host_releases':
        ledger.host(row);
        break;
      case 'fault':
        if (row.what.startsWith('append')) ledger.trouble(row.process);
        if (row.what === 'has lost the store') ledger.fence(row.process);
        if (row.what.startsWith('dies')) ledger.die(row.process);
        break;
      default:
        promises.see(row);
    }
  }
  ledger.finish();
  for (const run of runs.values()) judgeEnds(judge, run);
  return judge.violations;

  function foldLog(row: LogRow): void {
    const { event, process } = row;
    const run = runs.get(event.runId);
    if (run === undefined) {
      const begun = beginRun(scenario, event);
      judge.must(begun !== undefined && event.seq === 1, 'I19', () => `a log begins with ${event.type}`);
      if (begun !== undefined) runs.set(event.runId, begun);
      promises.created(event);
      return;
    }
    logs.judge(run, row);
    // What a run began with was not started by whoever made it.
    foldEvent(run, event, event.seq <= run.history ? 0 : process);
    if (ATTEMPT_ENDS.has(event.type)) ledger.attemptOver(event, process);
  }
}
