/**
 * What the processes of the soak tell each other: the parent gives a child its orders, the child says what was
 * acknowledged to it, how much it holds, and what is wrong.
 */

export type StoreKind = 'memory' | 'file' | 'sqlite';

/** Faults that are planted on request, to see that the soak finds them. */
export const PLANTS = ['leak', 'handles', 'loss', 'stuck'] as const;
export type Plant = (typeof PLANTS)[number];

export interface Orders {
  readonly kind: StoreKind;
  readonly folder: string;
  /** From 1. */
  readonly process: number;
  readonly seed: number;
  readonly runsPerSecond: number;
  readonly sampleMs: number;
  /** When it stops starting runs, brings everything to its end and closes; without it, it goes on until it is killed. */
  readonly endAfterMs?: number | undefined;
  /** A run that has not ended by then never will, in milliseconds. */
  readonly stuckMs: number;
  /** How many ended runs a store keeps, if the package can prune one. */
  readonly keepMs: number;
  readonly plant?: Plant | undefined;
  /** Only these scenes are played, to find out which of them leaks; all if there are none. */
  readonly scenes: readonly string[];
}

/** What a child is to look up in the store before it begins: in a file, since it can be long. */
export interface Question {
  readonly runs: readonly string[];
  readonly keys: readonly { readonly key: string; readonly run: string }[];
}

/** How much a process holds at one moment. Sizes are bytes. */
export interface Sample {
  /** Since the process began, in milliseconds. */
  readonly ageMs: number;
  readonly heap: number;
  readonly rss: number;
  readonly external: number;
  readonly handles: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
  /** Runs that have ended in this process. */
  readonly finished: number;
  /** Whether nothing was under way. */
  readonly isAtRest: boolean;
}

/** A line that a child writes at once. */
export type Line =
  | { readonly type: 'open'; readonly recovered: number; readonly openMs: number; readonly canPrune: boolean }
  | { readonly type: 'key'; readonly run: string; readonly key: string }
  /** The completion of a task was told to a listener, and so is durable. */
  | { readonly type: 'task'; readonly run: string; readonly path: string; readonly digest: string }
  /** A run was moved: these tasks begin anew, or are gone. */
  | { readonly type: 'again'; readonly run: string; readonly paths: readonly string[] }
  /** A task of a run that was recovered begins. */
  | { readonly type: 'begin'; readonly run: string; readonly path: string }
  | { readonly type: 'end'; readonly run: string; readonly status: string; readonly digest: string }
  /** What the store has; without a status there is no such run. */
  | {
      readonly type: 'state';
      readonly run: string;
      readonly status: string | undefined;
      readonly tasks: Readonly<Record<string, string>>;
    }
  /** What was asked has been answered. */
  | { readonly type: 'checked' }
  /** From here on the states of all runs are told, after everything has ended. */
  | { readonly type: 'last' }
  /** Of the runs that have ended all but the newest are about to be removed. */
  | { readonly type: 'prunes'; readonly keepMs: number }
  | ({ readonly type: 'sample' } & Sample)
  | { readonly type: 'fault'; readonly what: string }
  /** How often each scene was played, and what is still open after `close()`. */
  | {
      readonly type: 'done';
      readonly scenes: Readonly<Record<string, number>>;
      readonly left: Readonly<Record<string, number>>;
    };
