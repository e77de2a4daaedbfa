/**
 * What the world around a run is to do because of an event. Plain data; one interpreter carries it out.
 *
 * Who may make them: `react`. Who carries them out: the run loop.
 *
 * N1  `Schedule`, `Release`, `Reprioritise`, `Replan`, `Hold` and `Unhold` are carried out at once, in memory, before the append.
 * N2  All others are carried out after the event is durable, in the order of `seq`.
 * N3  What every task brings about is handed over by a method of its own, so that no object is made for it.
 */
import type { TaskFailure } from '../model/failure.ts';
import type { StopCause } from './events.ts';
import type { ScopeState } from './state.ts';

interface AboutTask {
  readonly scope: ScopeState;
  readonly index: number;
}

/** The task may start as soon as its needs are free. */
export interface Schedule extends AboutTask {
  readonly type: 'Schedule';
}
/** The attempt is over: give back what it holds, forget its timers. */
export interface Release extends AboutTask {
  readonly type: 'Release';
}
/** Run the body of the attempt. */
export interface Dispatch extends AboutTask {
  readonly type: 'Dispatch';
  readonly attempt: number;
}
/** Abort the signal of the body, and give up on it after its grace. */
export interface Abort extends AboutTask {
  readonly type: 'Abort';
  readonly cause: StopCause;
  readonly reason: TaskFailure;
}
/** Schedule the task again at this time; fail it at `deadlineAt` if that comes first. */
export interface RetryAt extends AboutTask {
  readonly type: 'RetryAt';
  readonly dueAt: number;
  readonly deadlineAt: number | undefined;
}
/** Ask the `when` of the task. */
export interface EvaluateCondition extends AboutTask {
  readonly type: 'EvaluateCondition';
}
/** Put the task at its new place in the queue. */
export interface Reprioritise extends AboutTask {
  readonly type: 'Reprioritise';
}
/** The run has another plan: tickets find their new places, and what waits is scheduled anew behind this. */
export interface Replan {
  readonly type: 'Replan';
}
/** Start nothing of this run until `Unhold`. */
export interface Hold {
  readonly type: 'Hold';
}
export interface Unhold {
  readonly type: 'Unhold';
}
/** The run has ended: tell who waits for it, forget its timers. */
export interface EndRun {
  readonly type: 'EndRun';
}

export type Instruction =
  | Schedule
  | Release
  | Dispatch
  | Abort
  | RetryAt
  | EvaluateCondition
  | Reprioritise
  | Replan
  | Hold
  | Unhold
  | EndRun;

/** What most tasks never bring about. */
export type RareInstruction = Exclude<Instruction, Schedule | Release | Dispatch>;

/** Takes instructions, in their order. */
export interface InstructionSink {
  schedule(scope: ScopeState, index: number): void;
  release(scope: ScopeState, index: number): void;
  dispatch(scope: ScopeState, index: number, attempt: number): void;
  push(instruction: RareInstruction): void;
}

/** Keeps instructions as they come. */
export class InstructionList implements InstructionSink {
  readonly all: Instruction[] = [];

  schedule(scope: ScopeState, index: number): void {
    this.all.push({ type: 'Schedule', scope, index });
  }

  release(scope: ScopeState, index: number): void {
    this.all.push({ type: 'Release', scope, index });
  }

  dispatch(scope: ScopeState, index: number, attempt: number): void {
    this.all.push({ type: 'Dispatch', scope, index, attempt });
  }

  push(instruction: RareInstruction): void {
    this.all.push(instruction);
  }
}
