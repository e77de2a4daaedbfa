/**
 * Keeps checkpoints of runs by itself, so that a run whose log has grown long is read again quickly.
 *
 * Owns: the states that wait until they are durable. Who may call it: the run loop, after each append; the reloader.
 *
 * AC1  A checkpoint is of a state that is durable: one that is ahead of its log waits, and is dropped when its append fails.
 * AC2  Of a run at most one is being kept at a time, and nobody waits for it.
 * AC3  One that could not be kept costs a warning, and is tried again after as many events as before.
 * AC4  A run is asked one question for each append; one whose log is not long costs nothing else.
 */
import { type StateSnapshot, snapshotOf } from '../../machine/snapshot.ts';
import type { RunState } from '../../machine/state.ts';
import { isRunFinished } from '../../model/status.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Checkpoint } from './checkpoints.ts';

/** What it has to know of a run, and what it notes there. */
export interface CheckpointedRun {
  readonly runId: string;
  readonly state: RunState;
  readonly durableSeq: number;
  /** The last event that was folded into a checkpoint, or was to be. */
  checkpointSeq: number;
}

/** What it is made of. */
export interface AutoCheckpointsParts {
  readonly clock: Pick<Clock, 'now'>;
  readonly logger: Logger;
  readonly save: (snapshot: StateSnapshot, at: number) => Promise<Checkpoint>;
  /** How many events a log has to grow by. */
  readonly everyEvents: number;
}

/** A run with more tasks than this is read from its log: making a checkpoint of it would hold up the host. */
const TASKS_MAX = 10_000;

/** To read a checkpoint costs about what a few events for each task cost; below that it would save nothing. */
const EVENTS_PER_TASK = 8;

export class AutoCheckpoints {
  readonly #parts: AutoCheckpointsParts;
  /** By run, what is to be kept, or is being kept. */
  readonly #underWay = new Map<
    CheckpointedRun,
    { readonly state: RunState; snapshot: StateSnapshot | undefined }
  >();

  constructor(parts: AutoCheckpointsParts) {
    this.#parts = parts;
  }

  /** More events of a run are durable. */
  onDurable(run: CheckpointedRun): void {
    if (run.durableSeq - run.checkpointSeq >= this.#parts.everyEvents) this.#look(run);
    else if (this.#underWay.size > 0) this.#keepIfDurable(run);
  }

  /** The state of a run is not what it was: it was read again. */
  forget(run: CheckpointedRun): void {
    const waiting = this.#underWay.get(run);
    if (waiting?.snapshot !== undefined) this.#underWay.delete(run);
  }

  #look(run: CheckpointedRun): void {
    const { state, durableSeq } = run;
    const { size } = state.plan;
    if (isRunFinished(state.status) || size > TASKS_MAX || this.#underWay.has(run)) {
      this.#keepIfDurable(run);
      return;
    }
    if (durableSeq - run.checkpointSeq < size * EVENTS_PER_TASK) return;
    run.checkpointSeq = state.seq;
    this.#underWay.set(run, { state, snapshot: snapshotOf(state) });
    this.#keepIfDurable(run);
  }

  #keepIfDurable(run: CheckpointedRun): void {
    const waiting = this.#underWay.get(run);
    const snapshot = waiting?.snapshot;
    if (waiting === undefined || snapshot === undefined) return;
    if (waiting.state !== run.state) {
      this.#underWay.delete(run);
      return;
    }
    if (snapshot.seq > run.durableSeq) return;
    waiting.snapshot = undefined;
    const { save, clock, logger } = this.#parts;
    const end = (): void => {
      this.#underWay.delete(run);
    };
    save(snapshot, clock.now()).then(end, (error: unknown) => {
      end();
      logger.warn({ runId: run.runId, seq: snapshot.seq, error }, 'a checkpoint could not be kept');
    });
  }
}
