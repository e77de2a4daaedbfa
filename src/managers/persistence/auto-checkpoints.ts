/**
 * Keeps checkpoints of runs by itself, so that a run whose log has grown long is read again quickly.
 *
 * Owns: the states that wait until they are durable, and which are being kept. Who may call it: the run loop, after each
 * append and when one has failed; whoever closes asks whether it is quiet.
 *
 * AC1  A checkpoint is of a state that is durable: one that is ahead of its log waits, and is dropped when its append fails.
 * AC2  Of a run at most one is being kept at a time, of all runs at most `KEPT_AT_ONCE`; no task waits for one.
 * AC3  One that could not be kept costs a warning, and is tried again after as many events as before.
 * AC4  A run is asked one question for each append; it is weighed once for as many events as lie between two checkpoints.
 * AC5  A state that would hold up the host, because of its tasks in all scopes or its values, is not kept.
 * AC6  Virtual time does not pass while one is being kept.
 * AC7  Nothing that goes wrong here reaches whoever calls.
 */
import { type StateSnapshot, snapshotOf } from '../../machine/snapshot.ts';
import type { RunState } from '../../machine/state.ts';
import { OrchestratorError } from '../../model/errors.ts';
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
  /** Before this event it is not weighed again. */
  weighedUntil: number;
}

/** What it is made of. */
export interface AutoCheckpointsParts {
  readonly clock: Pick<Clock, 'now' | 'hold'>;
  readonly logger: Logger;
  readonly save: (snapshot: StateSnapshot, at: number) => Promise<Checkpoint>;
  /** About how many bytes a value has; 0 for one that is small. */
  readonly sizeOf: (value: unknown) => number;
  /** How many events a log has to grow by. */
  readonly everyEvents: number;
  /** Told when one is no longer being kept. */
  readonly onKept: () => void;
}

/** A run with more tasks than this is read from its log: making a checkpoint of it would hold up the host. */
export const CHECKPOINT_TASKS_MAX = 10_000;

/** The same for what its input and outputs have together, in bytes: twice as many would take more than 50 ms. */
export const CHECKPOINT_BYTES_MAX = 2 * 1024 * 1024;

/** What an object counts as that is too small for anybody to know its size. */
const SMALL_OBJECT_BYTES = 512;

/** To read a checkpoint costs about what a few events for each task cost; below that it would save nothing. */
const EVENTS_PER_TASK = 8;

/** Appends wait behind them in a store that does one thing at a time. */
const KEPT_AT_ONCE = 4;

interface UnderWay {
  /** The state that it was made of: a run that is read again has another one. */
  readonly state: RunState;
  /** What waits until it is durable; nothing once it is being kept. */
  snapshot: StateSnapshot | undefined;
}

export class AutoCheckpoints {
  readonly #parts: AutoCheckpointsParts;
  /** By run, what is to be kept, or is being kept. */
  readonly #underWay = new Map<CheckpointedRun, UnderWay>();
  #beingKept = 0;

  constructor(parts: AutoCheckpointsParts) {
    this.#parts = parts;
  }

  /** Whether none is being kept. */
  get isQuiet(): boolean {
    return this.#beingKept === 0;
  }

  /** More events of a run are durable. */
  onDurable(run: CheckpointedRun): void {
    const { durableSeq } = run;
    if (durableSeq - run.checkpointSeq >= this.#parts.everyEvents && durableSeq >= run.weighedUntil)
      this.#look(run);
    if (this.#underWay.size > 0) this.#keepIfDurable(run);
  }

  /** The state of a run is not what it was: it is read again. */
  forget(run: CheckpointedRun): void {
    if (this.#underWay.get(run)?.snapshot !== undefined) this.#underWay.delete(run);
  }

  #look(run: CheckpointedRun): void {
    const { state, durableSeq, checkpointSeq } = run;
    if (isRunFinished(state.status) || this.#underWay.has(run)) return;
    if (this.#underWay.size >= KEPT_AT_ONCE) return;
    const tasks = tasksOf(state);
    run.weighedUntil = checkpointSeq + tasks * EVENTS_PER_TASK;
    if (durableSeq < run.weighedUntil) return;
    if (tasks > CHECKPOINT_TASKS_MAX || this.#isTooLarge(state)) {
      run.weighedUntil = durableSeq + this.#parts.everyEvents;
      return;
    }
    run.checkpointSeq = state.seq;
    try {
      this.#underWay.set(run, { state, snapshot: snapshotOf(state) });
    } catch (error) {
      this.#warn(run, state.seq, error);
    }
  }

  #isTooLarge({ input, scopes }: RunState): boolean {
    let bytes = this.#sizeOf(input);
    for (const { outputs } of scopes) {
      for (const output of outputs) bytes += this.#sizeOf(output);
      if (bytes > CHECKPOINT_BYTES_MAX) return true;
    }
    return bytes > CHECKPOINT_BYTES_MAX;
  }

  #sizeOf(value: unknown): number {
    const bytes = this.#parts.sizeOf(value);
    return bytes === 0 && typeof value === 'object' && value !== null ? SMALL_OBJECT_BYTES : bytes;
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
    this.#keep(run, snapshot);
  }

  #keep(run: CheckpointedRun, snapshot: StateSnapshot): void {
    const { save, clock, onKept } = this.#parts;
    const letGo = clock.hold();
    this.#beingKept++;
    const end = (): void => {
      this.#underWay.delete(run);
      this.#beingKept--;
      letGo();
      onKept();
    };
    save(snapshot, clock.now()).then(end, (error: unknown) => {
      // The store was given back meanwhile: that is nothing to be told of.
      if (!OrchestratorError.is(error, 'ORCHESTRATOR_CLOSED')) this.#warn(run, snapshot.seq, error);
      end();
    });
  }

  #warn({ runId }: CheckpointedRun, seq: number, error: unknown): void {
    this.#parts.logger.warn({ runId, seq, error }, 'a checkpoint could not be kept');
  }
}

/** How many tasks a state has, in all its scopes; it stops counting when they are too many. */
function tasksOf({ scopes }: RunState): number {
  let tasks = 0;
  for (const { plan } of scopes) {
    tasks += plan.size;
    if (tasks > CHECKPOINT_TASKS_MAX) break;
  }
  return tasks;
}
