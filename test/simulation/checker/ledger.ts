/**
 * What handlers did, as the world outside has seen it, against what the log said at that moment: I1, I2, I3, I6, I7, I25,
 * I26, I28.
 *
 * Owns: the bodies that are at work. Who may call it: the checker, in the order of the rows.
 */
import type { EndRow, HostRow, LogEvent, NestedRow, StartRow } from '../rows.ts';
import type { Scenario } from '../scenario.ts';
import { Holdings } from './holdings.ts';
import { isSame, type Judge } from './judge.ts';
import { isEnded, letsOn, type RunModel, specOf, type TaskModel } from './run-model.ts';

export class Ledger {
  readonly #judge: Judge;
  readonly #holdings: Holdings;
  /** Starts by run, path, attempt and restart: there is one of each. */
  readonly #starts = new Set<string>();
  /** Bodies at work, by process, run and path. */
  readonly #atWork = new Map<string, StartRow>();
  /** How bodies ended, by run, path and attempt. */
  readonly #ends = new Map<string, EndRow[]>();
  readonly #keys = new Map<string, { readonly life: number; readonly key: string }>();
  /** Processes that do not know that they have lost the store. */
  readonly #fenced = new Set<number>();
  /** Runs whose cancellation was acknowledged. */
  readonly #cancelled = new Set<string>();

  constructor(scenario: Scenario, judge: Judge) {
    this.#judge = judge;
    this.#holdings = new Holdings(scenario, judge);
  }

  /** It has lost the store, and gives its runs up as soon as it writes; what locks protect has to look at tokens then. */
  fence(process: number): void {
    this.#fenced.add(process);
    this.#holdings.die(process);
  }

  /** Its store has failed. */
  trouble(process: number): void {
    this.#holdings.trouble(process);
  }

  isFenced(process: number): boolean {
    return this.#fenced.has(process);
  }

  /** Nothing of a process is at work any more. */
  die(process: number): void {
    for (const [key, row] of this.#atWork) if (row.process === process) this.#atWork.delete(key);
    this.#holdings.die(process);
  }

  cancelled(run: string): void {
    this.#cancelled.add(run);
  }

  start(row: StartRow, run: RunModel | undefined): void {
    const { process, path, attempt, restart } = row;
    const name = `${row.run}: the body of ${path}, attempt ${attempt}, restart ${restart}`;
    const wrong = (invariant: string, message: string): void =>
      this.#judge.wrong(invariant, `${name} ${message}`);
    const task = run?.tasks.get(path);
    if (run === undefined || task === undefined) {
      // Who has lost the store does not know that a move has taken the task away.
      const wasThere = this.#fenced.has(process) && attempt <= (run?.gone.get(path) ?? 0);
      if (!wasThere) wrong('I2', 'has no run or task in the log');
      return;
    }
    // Also of a task that a move has taken away, and another one has brought back.
    const start = `${row.run} ${path} ${attempt} ${restart}`;
    if (this.#starts.has(start)) wrong('I2', 'starts twice');
    this.#starts.add(start);
    this.#judgeMoment(row, run, task, wrong);
    this.#judgeInput(row, run, wrong);
    this.#judgeKey(row, run, wrong);
    const place = `${process} ${row.run} ${path}`;
    if (this.#atWork.has(place)) wrong('I3', 'overlaps with the one before');
    this.#atWork.set(place, row);
    const spec = specOf(run, path);
    if (spec !== undefined && !this.#fenced.has(process)) this.#holdings.start(row, run.spec, spec);
  }

  /** All attempts have one key, until a move lets the task begin anew: then it does other work, under another one. */
  #judgeKey(
    { run: runId, path, idempotencyKey }: StartRow,
    run: RunModel,
    wrong: (invariant: string, message: string) => void,
  ): void {
    const life = run.events.filter(
      ({ type, added, again }) =>
        type === 'RunMoved' &&
        ((added as readonly string[]).includes(path) || (again as readonly string[]).includes(path)),
    ).length;
    const task = `${runId} ${path}`;
    const known = this.#keys.get(task);
    if (known === undefined || known.life < life) {
      if (known?.key === idempotencyKey) wrong('I2', 'has the idempotency key of other work');
      this.#keys.set(task, { life, key: idempotencyKey });
    } else if (known.life === life && known.key !== idempotencyKey)
      wrong('I2', 'has another idempotency key');
  }

  /** Whether the log lets it start now. */
  #judgeMoment(
    { process, attempt, restart, run: runId }: StartRow,
    run: RunModel,
    task: TaskModel,
    wrong: (invariant: string, message: string) => void,
  ): void {
    const isKnown = attempt < task.attempt || (attempt === task.attempt && restart <= task.restarts);
    if (!isKnown) wrong('I2', `starts before the log says so (${task.attempt}, ${task.restarts})`);
    // Who has lost the store cannot know how the log goes on.
    if (this.#fenced.has(process)) return;
    if (task.state !== 'in_progress') wrong('I5', `starts while the task is ${task.state}`);
    else if (attempt !== task.attempt || restart !== task.restarts)
      wrong('I2', `starts, but the log is at ${task.attempt}, ${task.restarts}`);
    if (run.end !== undefined) wrong('I11', 'starts after the end of the run');
    if (this.#cancelled.has(runId)) wrong('I37', 'starts after the cancellation was acknowledged');
  }

  /** Whether what it is given is what the log says of its dependencies. */
  #judgeInput(row: StartRow, run: RunModel, wrong: (invariant: string, message: string) => void): void {
    // Who has lost the store does not know that the run was moved.
    const spec = this.#fenced.has(row.process) ? undefined : specOf(run, row.path);
    if (spec === undefined) return;
    for (const { id, settled } of spec.dependencies) {
      const needed = run.tasks.get(id) as TaskModel;
      const given = row.dependencies[id];
      if (settled ? !isEnded(needed) : !letsOn(needed)) wrong('I1', `starts while ${id} is ${needed.state}`);
      const value = settled ? (given as { readonly output?: unknown } | undefined)?.output : given;
      const isRight = isSame(value, needed.state === 'completed' ? needed.output : undefined);
      if (!isRight) wrong('I6', `gets ${JSON.stringify(given)} of ${id}`);
      const { status } = (given ?? {}) as { readonly status?: string };
      if (settled && status !== needed.state)
        wrong('I6', `hears that ${id} is ${status}, not ${needed.state}`);
    }
  }

  end(row: EndRow): void {
    const { process, run, path, attempt } = row;
    const key = `${run} ${path} ${attempt}`;
    this.#ends.set(key, [...(this.#ends.get(key) ?? []), row]);
    const place = `${process} ${run} ${path}`;
    if (this.#atWork.get(place)?.attempt === attempt) this.#atWork.delete(place);
    this.#holdings.end(process, run, path, attempt);
  }

  nested(row: NestedRow): void {
    // A body that was given up on may still say that it gives back what was taken from it.
    if (row.kind === 'unlocked') this.#holdings.unlock(row);
    else if (!this.#fenced.has(row.process)) this.#holdings.lock(row);
  }

  host(row: HostRow): void {
    if (!this.#fenced.has(row.process)) this.#holdings.host(row);
  }

  /** The log says that an attempt is over: what its body still does, if it is at work, holds nothing. */
  attemptOver({ runId, path = '', attempt = 0, at }: LogEvent, process: number): void {
    const place = `${process} ${runId} ${path}`;
    if (this.#atWork.get(place)?.attempt === attempt) this.#atWork.delete(place);
    this.#holdings.over(process, `${runId} ${path} ${attempt}`, at);
  }

  /** A process has given up on a run. */
  lost(process: number, run: string, t: number): void {
    this.#holdings.lost(process, run, t);
  }

  /** Everything has been seen. */
  finish(): void {
    this.#holdings.finish();
  }

  judgeOutput({ runId, path, attempt, output }: LogEvent): void {
    const ends = this.#ends.get(`${runId} ${path} ${attempt}`) ?? [];
    const isGiven = ends.some((end) => end.how === 'returned' && isSame(end.output, output));
    const name = `${runId}: ${path}, attempt ${attempt}`;
    this.#judge.must(isGiven, 'I6', () => `${name} has completed with what no body has returned`);
  }

  judgeFailure({ runId, path, attempt, failure, type }: LogEvent, task: TaskModel): void {
    if (task.stop !== undefined) return;
    if ((failure as { readonly code?: string } | undefined)?.code === 'DEADLOCK_VICTIM') return;
    const ends = this.#ends.get(`${runId} ${path} ${attempt}`) ?? [];
    const hasThrown = ends.some(({ how }) => how === 'threw');
    const name = `${runId}: ${type} of ${path}, attempt ${attempt}`;
    this.#judge.must(hasThrown, 'I7', () => `${name}, but no body has failed`);
  }
}
