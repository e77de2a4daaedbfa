/**
 * The runs that this process knows.
 *
 * Owns: the table from id to run, and how many ended runs are kept. Who may call it: the facade and the run loop's
 * owner.
 *
 * RD1  A run that has not ended is never forgotten.
 * RD2  Of ended runs the last `retain` are kept; older ones are forgotten, first ended first.
 */
import { LinkedSet } from '../../base/linked-set.ts';
import { describeName } from '../../base/values.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { LiveRun } from './live-run.ts';

export class RunDirectory {
  readonly #runs = new Map<string, LiveRun>();
  readonly #ended = new LinkedSet<LiveRun>();
  readonly #retain: number;
  readonly #forget: (runs: readonly LiveRun[]) => void;
  #submissions = 0;

  /** @param forget - called with runs that were put out of the table */
  constructor(retain: number, forget: (runs: readonly LiveRun[]) => void) {
    this.#retain = retain;
    this.#forget = forget;
  }

  /** The number of the next run. */
  nextSubmission(): number {
    return this.#submissions++;
  }

  /** Told when a run has ended. */
  onEnded: (() => void) | undefined;

  /** The orchestrator closes: no run is taken up any more that is not live. */
  isClosing = false;

  add(run: LiveRun): void {
    this.#runs.set(run.runId, run);
  }

  /** Adds a run in the place of one that was given up on and is read again; the log of that one stays. */
  replace(run: LiveRun): void {
    const before = this.#runs.get(run.runId);
    if (before !== undefined) this.#ended.delete(before);
    this.#runs.set(run.runId, run);
  }

  /** Takes a run out that cannot go on here after all; its log stays. */
  withdraw(run: LiveRun): void {
    if (this.#runs.get(run.runId) === run) this.#runs.delete(run.runId);
  }

  find(runId: string): LiveRun | undefined {
    return this.#runs.get(runId);
  }

  /** @throws OrchestratorError `RUN_NOT_FOUND` */
  get(runId: string): LiveRun {
    const run = this.#runs.get(runId);
    if (run === undefined || run.whenRead !== undefined) {
      throw new OrchestratorError(
        'RUN_NOT_FOUND',
        `no run ${describeName(runId)} is known here; ended runs are forgotten after the last ${this.#retain}, and what recoverState() left is not known before its workflow is registered and it was called again`,
        {
          details: { runId },
        },
      );
    }
    return run;
  }

  /** How many have not ended. */
  get unfinishedCount(): number {
    return this.#runs.size - this.#ended.size;
  }

  /** The runs that have not ended. */
  unfinished(): readonly LiveRun[] {
    return [...this.#runs.values()].filter((run) => !run.isOver);
  }

  /** The ids of the runs of a workflow that have not ended: of one version, or of any. */
  unfinishedOf(workflowId: string, version?: number): readonly string[] {
    return this.unfinished()
      .filter((run) => run.plan.workflowId === workflowId)
      .filter((run) => version === undefined || run.state.workflowVersion === version)
      .map((run) => run.runId);
  }

  /** All that are known; one that is being read for the first time is not yet. */
  *all(): IterableIterator<LiveRun> {
    for (const run of this.#runs.values()) if (run.whenRead === undefined) yield run;
  }

  /** Counts a run as ended. */
  ended(run: LiveRun): void {
    this.#ended.add(run);
    if (this.#ended.size > this.#retain) {
      const { oldest } = this.#ended;
      if (oldest !== undefined) this.release(oldest);
    }
    this.onEnded?.();
  }

  /** Forgets a run. */
  release(run: LiveRun): void {
    if (this.#runs.get(run.runId) !== run) return;
    this.#runs.delete(run.runId);
    this.#ended.delete(run);
    this.#forget([run]);
  }
}
