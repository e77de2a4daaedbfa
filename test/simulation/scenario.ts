/**
 * All that a simulation is told: plain data, drawn from a seed or read from a file. A scenario is what is replayed and
 * what is shrunk; of the seed only what happens by the way depends (latencies, which of several things comes first).
 */

/** What a handler does in one attempt. */
export interface Behaviour {
  /** Waits, one after the other, in milliseconds; none for a handler that answers at once. */
  readonly waits: readonly number[];
  readonly end: 'return' | 'throw' | 'throw_null' | 'fatal' | 'hang';
  /** Its waits do not end with its signal. */
  readonly deaf?: true;
  /** Told after each wait. */
  readonly tells?: 'progress' | 'heartbeat';
  /** Asked for one after the other, each after one of the waits, and held until the end. */
  readonly locks?: readonly LockSpec[];
  /** It does not give them back itself. */
  readonly keepsLocks?: true;
  /** The milliseconds that it waits for them, if there is a limit. */
  readonly lockTimeout?: number;
  /** Changes what it has returned a moment later. */
  readonly changesOutput?: true;
  /** What it returns is too large for the log. */
  readonly isLarge?: true;
}

export interface LockSpec {
  readonly name: string;
  readonly mode: 'exclusive' | 'shared';
}

export interface RetrySpec {
  readonly maxAttempts: number;
  readonly delay: number;
  readonly factor: number;
  readonly jitter: number;
}

export interface TaskSpec {
  readonly id: string;
  readonly dependencies: readonly { readonly id: string; readonly settled: boolean }[];
  /** By attempt; the last one for all later ones. */
  readonly behaviours: readonly Behaviour[];
  readonly priority?: number;
  readonly agent?: string;
  readonly resources?: Readonly<Record<string, number>>;
  readonly locks?: readonly LockSpec[];
  readonly retry?: RetrySpec;
  readonly timeout?: number;
  readonly totalTimeout?: number;
  readonly heartbeatTimeout?: number;
  readonly maxRestarts?: number;
  /** What its `when` says. */
  readonly when?: boolean | 'throws';
}

export type FailurePolicy = 'fail-fast' | 'finish-running' | 'continue';

export interface WorkflowSpec {
  readonly name: string;
  readonly failurePolicy: FailurePolicy;
  readonly concurrency?: number;
  /** What each of its versions consists of, the first one first. */
  readonly versions: readonly (readonly TaskSpec[])[];
}

/** What the program around the orchestrator does, at a time. `run` is the number of the action that started one. */
export type Deed =
  | {
      readonly type: 'start';
      readonly workflow: number;
      readonly key?: string;
      readonly priority?: number;
      readonly input: number;
    }
  | { readonly type: 'cancel' | 'pause' | 'resume' | 'checkpoint' | 'save' | 'fork'; readonly run: number }
  | { readonly type: 'cancelTask'; readonly run: number; readonly task: string }
  | { readonly type: 'setPriority'; readonly run: number; readonly task: string; readonly priority: number }
  | { readonly type: 'move'; readonly run: number; readonly version: number }
  | { readonly type: 'retry'; readonly run: number }
  | { readonly type: 'rerun'; readonly run: number; readonly task: string }
  | { readonly type: 'lock'; readonly lock: LockSpec; readonly holdMs: number; readonly timeout?: number }
  | { readonly type: 'grant'; readonly resource: string; readonly amount: number; readonly holdMs: number }
  | { readonly type: 'pauseAll' | 'resumeAll' | 'recover' | 'list' }
  | { readonly type: 'prune'; readonly keepLast: number; readonly olderThan?: number }
  | { readonly type: 'capacity'; readonly resource: string; readonly capacity: number };

export interface Action {
  readonly at: number;
  readonly deed: Deed;
}

/** What goes wrong. Numbers of calls count over all processes, from 1. */
export type Fault =
  /** The process dies: before the append is written, while it may be or not, or before anybody hears that it was. */
  | { readonly type: 'crash'; readonly append: number; readonly when: 'before' | 'during' | 'after' }
  | { readonly type: 'crash_at'; readonly at: number }
  /** It dies when it calls the store for the nth time while it opens, as process `process`. */
  | { readonly type: 'crash_opening'; readonly process: number; readonly call: number }
  /** It dies while a checkpoint may be written or not. */
  | { readonly type: 'crash_saving'; readonly checkpoint: number; readonly when: 'during' | 'after' }
  /** It dies while runs may be removed or not. */
  | { readonly type: 'crash_removing'; readonly removal: number; readonly when: 'during' | 'after' }
  /** An append fails: nothing was written, all was, or nobody will ever know and nothing is taken any more. */
  | {
      readonly type: 'append_fails';
      readonly append: number;
      readonly how: 'unwritten' | 'written' | 'poisoned';
      readonly times: number;
    }
  | { readonly type: 'slow'; readonly append: number; readonly ms: number }
  /** From that number on, so many times. */
  | { readonly type: 'read_fails'; readonly read: number; readonly times?: number }
  /** What was to be kept beside the log is not. */
  | { readonly type: 'blob_fails'; readonly blob: number }
  /** The process stands still; another one takes the store; it goes on and does not know. */
  | { readonly type: 'takeover'; readonly at: number; readonly ms: number }
  /** Closed in good order and opened again. */
  | { readonly type: 'reopen'; readonly at: number; readonly grace: number }
  /** What the machine says of the time of day jumps. */
  | { readonly type: 'skew'; readonly at: number; readonly ms: number };

export interface Scenario {
  readonly seed: number;
  readonly store: {
    /** Answers at once, without a promise. */
    readonly isImmediate: boolean;
    readonly latency: number;
    readonly hasCheckpoints: boolean;
  };
  readonly options: {
    readonly policy: 'fifo' | 'priority' | 'critical-path';
    readonly concurrency?: number;
    readonly cancelGrace: number;
    readonly maxRestarts: number;
    readonly resources: Readonly<Record<string, number>>;
    readonly agents: Readonly<Record<string, number>>;
    readonly retainRuns: number;
  };
  /** A monitor that throws, now and then. */
  readonly hasBadMonitor: boolean;
  readonly workflows: readonly WorkflowSpec[];
  readonly actions: readonly Action[];
  readonly faults: readonly Fault[];
}

/** When the faults end and everything has to come to its end. */
export const SAFETY_MS = 400;
