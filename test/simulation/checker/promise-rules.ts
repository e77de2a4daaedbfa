/**
 * What the program around was told, against what is durable: I6, I8, I9, I13, I14, I15, I19, I21, I29, I49, A30.
 *
 * Who may call it: the checker.
 */
import type {
  AckRow,
  LogEvent,
  OpenRow,
  OverRow,
  Row,
  StateRow,
  StoreRow,
  ToldRow,
  ViewRow,
} from '../rows.ts';
import type { Scenario } from '../scenario.ts';
import { isSame, type Judge } from './judge.ts';
import type { Ledger } from './ledger.ts';
import { beginRun, foldEvent, isEnded, type RunModel } from './run-model.ts';

export class PromiseRules {
  readonly #scenario: Scenario;
  readonly #judge: Judge;
  readonly #ledger: Ledger;
  readonly #runs: ReadonlyMap<string, RunModel>;
  /** The last event that a process has told its monitors of, by run. */
  readonly #told = new Map<string, number>();
  readonly #byKey = new Map<string, string>();
  /** Checkpoints that somebody has asked for, by run. */
  readonly #checkpoints = new Map<string, Set<string>>();
  readonly #removed = new Set<string>();
  /** Runs whose state was looked at when all had ended. */
  readonly #listed = new Set<string>();

  constructor(scenario: Scenario, judge: Judge, ledger: Ledger, runs: ReadonlyMap<string, RunModel>) {
    this.#scenario = scenario;
    this.#judge = judge;
    this.#ledger = ledger;
    this.#runs = runs;
  }

  see(row: Row): void {
    switch (row.kind) {
      case 'told':
        this.#toldOf(row);
        return;
      case 'ack':
        if (row.refused === undefined) this.#acked(row);
        return;
      case 'over':
        this.#over(row);
        return;
      case 'open':
        this.#opened(row);
        return;
      case 'view':
        this.#viewed(row);
        return;
      case 'state':
        this.#stateOf(row);
        return;
      case 'checkpoint':
      case 'checkpoint_removed':
      case 'removed':
      case 'conflict':
        this.#store(row);
        return;
      case 'idle':
        this.#allThere();
        this.#must(row.left.length === 0, 'I29', `after all has ended: ${row.left.join(', ')}`);
        return;
      case 'closed':
        this.#must(row.left.length === 0, 'I49', `after it was closed: ${row.left.join(', ')}`);
        return;
      case 'wrong':
        this.#judge.wrong(row.invariant, row.message);
    }
  }

  /** A run began: nobody else may have begun one under its key. */
  created({ runId, key }: LogEvent): void {
    if (typeof key !== 'string') return;
    const other = this.#byKey.get(key);
    this.#must(other === undefined, 'A30', `${runId} was started under the key of ${other}`);
    this.#byKey.set(key, runId);
  }

  #checkpointsOf(run: string): Set<string> {
    const known = this.#checkpoints.get(run) ?? new Set();
    this.#checkpoints.set(run, known);
    return known;
  }

  #must(isTrue: boolean, invariant: string, message: string): void {
    if (!isTrue) this.#judge.wrong(invariant, message);
  }

  #toldOf({ process, run, seq, type }: ToldRow): void {
    const found = this.#runs.get(run)?.events[seq - 1];
    this.#must(found?.type === type, 'I9', `${run}: told of event ${seq} (${type}), which is not durable`);
    const key = `${process} ${run}`;
    const last = this.#told.get(key);
    this.#must(last === undefined || seq === last + 1, 'I19', `${run}: told of event ${seq} after ${last}`);
    this.#told.set(key, seq);
  }

  #acked({ action, what, run, answer }: AckRow): void {
    const name = `action ${action}, ${what} of ${run}`;
    if (run === undefined) return;
    const model = this.#runs.get(run);
    if (model === undefined) {
      this.#must(false, 'I8', `${name}, is acknowledged and not in the store`);
      return;
    }
    const has = (type: string): boolean => model.events.some((event) => event.type === type);
    if (what === 'cancel' && answer === true) {
      this.#must(has('RunCancelRequested'), 'I9', `${name}, is acknowledged and not durable`);
      this.#ledger.cancelled(run);
    }
    // Nobody may hear that a run has ended, or was cancelled, before that is durable.
    if (what === 'cancel' && answer === false)
      this.#must(model.end !== undefined || model.isCancelled, 'I9', `${name}, is refused too early`);
    if (what === 'pause' && answer === true)
      this.#must(has('RunPaused'), 'I9', `${name}, is acknowledged and not durable`);
    if (what === 'checkpoint' || what === 'save')
      this.#must((answer as number) <= model.seq, 'I15', `${name}, is of event ${answer} of ${model.seq}`);
    if (what === 'move') this.#moved(name, model, answer as { readonly to: number });
    const deed = this.#scenario.actions[action]?.deed;
    if (deed?.type !== 'start' || deed.key === undefined) return;
    this.#must(
      this.#byKey.get(deed.key) === run,
      'A30',
      `${name}, but the key ${deed.key} is of another run`,
    );
  }

  #moved(name: string, model: RunModel, { to }: { readonly to: number }): void {
    const isThere = model.events.some(
      ({ type, workflowVersion }) => workflowVersion === to && (type === 'RunMoved' || type === 'RunCreated'),
    );
    this.#must(isThere, 'I9', `${name}, is acknowledged and not durable`);
  }

  #over({ run, status, outputs, process, t }: OverRow): void {
    if (status === 'lost') {
      this.#ledger.lost(process, run, t);
      return;
    }
    const model = this.#runs.get(run);
    this.#must(model?.end === status, 'I9', `${run} is told to be ${status}, but it is ${model?.end}`);
    if (model === undefined || this.#ledger.isFenced(process)) return;
    for (const [path, task] of model.tasks) {
      const expected = task.state === 'completed' ? task.output : undefined;
      this.#must(
        isSame(outputs[path], expected),
        'I6',
        `${run}: the output of ${path} is not that of the log`,
      );
    }
  }

  /** Every run that goes on is taken up. */
  #opened({ recovered, process }: OpenRow): void {
    for (const [runId, { end }] of this.#runs)
      this.#must(
        end !== undefined || recovered.includes(runId),
        'I14',
        `${runId} is not taken up by process ${process}`,
      );
  }

  #viewed({ run, tasks }: ViewRow): void {
    const model = this.#runs.get(run);
    for (const { path, status, attempt } of tasks) {
      const task = model?.tasks.get(path);
      if (task === undefined) {
        this.#must(false, 'I13', `${run}: ${path} is seen and not in the log`);
        continue;
      }
      const isSeenEnded = ['completed', 'failed', 'cancelled', 'skipped'].includes(status);
      this.#must(
        !isSeenEnded || status === task.state,
        'I13',
        `${run}: ${path} is ${task.state}, seen as ${status}`,
      );
      this.#must(attempt <= task.attempt, 'I13', `${run}: ${path} is at ${task.attempt}, seen at ${attempt}`);
    }
  }

  #stateOf({ run, seq, status, tasks, finishedAt, isCancelled }: StateRow): void {
    this.#listed.add(run);
    const model = this.#runs.get(run);
    const [first, ...events] = model?.events.slice(0, seq) ?? [];
    const then = first === undefined ? undefined : beginRun(this.#scenario, first);
    if (then === undefined) {
      this.#must(false, 'I15', `${run}: a state that is not in the log`);
      return;
    }
    for (const event of events) foldEvent(then, event, 0);
    this.#must(
      then.end === undefined || then.end === status,
      'I15',
      `${run} at ${seq}: ${status}, not ${then.end}`,
    );
    const endedAt = then.end === undefined ? undefined : then.events.at(-1)?.at;
    this.#must(finishedAt === endedAt, 'I15', `${run} at ${seq} ended at ${finishedAt}, not ${endedAt}`);
    this.#must(isCancelled === then.isCancelled, 'I15', `${run} at ${seq}: cancelled is ${isCancelled}`);
    this.#must(tasks.length === then.tasks.size, 'I15', `${run} at ${seq}: ${tasks.length} tasks`);
    for (const { path, status: seen, attempt, output } of tasks) {
      const task = then.tasks.get(path);
      const isRight =
        task !== undefined &&
        seen === task.state &&
        attempt === task.attempt &&
        isSame(output, isEnded(task) ? task.output : undefined);
      this.#must(
        isRight,
        'I15',
        `${run} at ${seq}: ${path} is ${seen} (${attempt}), not ${task?.state} (${task?.attempt})`,
      );
    }
  }

  /** What was not removed is still listed, and what was removed is not. */
  #allThere(): void {
    for (const run of this.#runs.keys()) {
      const isListed = this.#listed.has(run);
      if (this.#removed.has(run)) this.#must(!isListed, 'I21', `${run} is removed, and listed all the same`);
      else this.#must(isListed, 'I8', `${run} was not removed, and is not listed`);
    }
  }

  #store({ kind, process, run, seq, what = '' }: StoreRow): void {
    const model = this.#runs.get(run);
    if (kind === 'checkpoint' && what !== `${run}/latest`) this.#checkpointsOf(run).add(what);
    if (kind === 'checkpoint_removed') this.#checkpointsOf(run).delete(what);
    if (kind === 'checkpoint')
      this.#must(
        model !== undefined && seq <= model.seq,
        'I15',
        `${run}: a checkpoint of event ${seq} before it is durable (${model?.seq})`,
      );
    if (kind === 'removed') {
      this.#removed.add(run);
      this.#must(model?.end !== undefined, 'I21', `${run} is removed before it has ended`);
      const wanted = [...this.#checkpointsOf(run)].join(', ');
      this.#must(
        wanted === '',
        'I21',
        `${run} is removed with the checkpoints that somebody asked for: ${wanted}`,
      );
    }
    if (kind === 'conflict' && what !== 'key')
      this.#must(
        this.#ledger.isFenced(process),
        'I19',
        `${run}: process ${process} appends what does not fit (${what})`,
      );
  }
}
