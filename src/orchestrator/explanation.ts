import type { Lacked, Wait } from '../managers/scheduling/explain.ts';
import type { PausedBy } from '../managers/scheduling/holds.ts';
import type { TaskFailure } from '../model/failure.ts';
import type { TaskPath } from '../model/path.ts';
import type { TaskStatus } from '../model/status.ts';

/** A dependency that is not met. */
export interface UnmetDependency {
  readonly path: TaskPath;
  readonly status: TaskStatus;
  /** Whether any end of it is enough, instead of completion. */
  readonly anyOutcome: boolean;
}

/** One thing that has to happen before a task starts; all of them have to. */
export type StartStep =
  /** This task has to end: well, or in any way where `anyOutcome`. */
  | ({ readonly step: 'dependency' } & UnmetDependency)
  /** So much has to be given back by those who hold it, or there has to be more of it. */
  | ({ readonly step: 'release' } & Lacked)
  /** So much time has to pass. */
  | { readonly step: 'time'; readonly inMs: number }
  /** There has to be more of it: what was used does not come back. */
  | {
      readonly step: 'capacity';
      readonly kind: Lacked['kind'];
      readonly name: string;
      readonly atLeast: number;
    }
  /** Whoever paused this has to resume it. */
  | { readonly step: 'resume'; readonly by: PausedBy }
  /** Its `when` has to answer true. */
  | { readonly step: 'condition' }
  /** Those who come first are served first, as far as what becomes free is enough for them. */
  | { readonly step: 'queue'; readonly ahead: number };

/** What every explanation has. */
export interface ExplainedTask {
  readonly runId: string;
  readonly path: TaskPath;
  readonly status: TaskStatus;
  /** The attempt that is under way or was the last one; 0 before the first. */
  readonly attempt: number;
  /** In plain English. */
  readonly text: string;
  /** Everything that has to happen; empty when it starts by itself, runs, has ended, or will not start. */
  readonly whatWouldStart: readonly StartStep[];
}

/** Why a task does not run; told apart by `reason`. */
export type Explanation = ExplainedTask &
  (
    | { readonly reason: 'finished'; readonly failure: TaskFailure | undefined }
    | { readonly reason: 'running'; readonly isStopping: boolean }
    | {
        readonly reason: 'child';
        readonly open: number;
        /** The child scopes that are open, as their tasks' paths begin. */
        readonly scopes: readonly TaskPath[];
      }
    | { readonly reason: 'dependency'; readonly unmet: readonly UnmetDependency[] }
    | { readonly reason: 'condition' }
    | {
        readonly reason: 'timer';
        readonly dueAt: number;
        readonly inMs: number;
        readonly failure: TaskFailure | undefined;
      }
    | ({ readonly reason: 'paused' } & Omit<Wait, 'reason'>)
    | ({ readonly reason: Lacked['kind'] } & Omit<Wait, 'reason'>)
    | { readonly reason: 'ready'; readonly position: number | undefined }
    | { readonly reason: 'closing' }
  );

/** An explanation without its text and its steps. */
export type Cause = Explanation extends infer Each
  ? Each extends unknown
    ? Omit<Each, keyof ExplainedTask>
    : never
  : never;
