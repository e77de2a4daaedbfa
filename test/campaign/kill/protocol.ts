/**
 * What the processes of the campaign tell each other: the parent gives a child its orders, the child says what was
 * acknowledged to it, and both know the ledger that handlers write.
 */

export type StoreKind = 'file' | 'sqlite';

/** Where a child dies. */
export const PHASES = ['opening', 'append', 'sync', 'checkpoint', 'compaction', 'index'] as const;
export type Phase = (typeof PHASES)[number];

/** SQLite keeps its files itself: when it tidies up, and what it finds things by, is not for us to know. */
export function phasesOf(kind: StoreKind): readonly Phase[] {
  return kind === 'file' ? PHASES : PHASES.filter((phase) => phase !== 'compaction' && phase !== 'index');
}

export interface Orders {
  readonly kind: StoreKind;
  readonly durability: 'os' | 'power';
  readonly folder: string;
  /** From 1. */
  readonly process: number;
  /** Where it dies; without one it brings everything to its end, and tells what there is. */
  readonly kill?: { readonly phase: Phase; readonly nth: number; readonly isAfter: boolean } | undefined;
}

/** A line that a child writes at once. */
export type Line =
  /** It is about to die here. */
  | { readonly type: 'dies'; readonly phase: Phase }
  | { readonly type: 'open'; readonly recovered: number }
  /** The completion of a task was told to a listener, and so is durable; of a large output, `{ large: id }`. */
  | { readonly type: 'task'; readonly run: string; readonly path: string; readonly output: unknown }
  | { readonly type: 'run'; readonly run: string; readonly status: string }
  | { readonly type: 'key'; readonly run: string; readonly key: string }
  /** What the store has at the end. */
  | {
      readonly type: 'state';
      readonly run: string;
      readonly status: string;
      readonly key: string | undefined;
      readonly tasks: readonly {
        readonly path: string;
        readonly status: string;
        readonly output?: unknown;
        /** The id of the reference, when the output is kept beside the log. */
        readonly large?: string | undefined;
      }[];
    }
  | { readonly type: 'notice'; readonly what: string };

/** A line of the ledger: a body began or ended. */
export interface LedgerLine {
  readonly what: 'start' | 'end';
  readonly process: number;
  readonly run: string;
  readonly path: string;
  readonly attempt: number;
  readonly output?: unknown;
}
