/**
 * What a simulation writes down, in the one true order: what became durable, what handlers did, what the program around
 * was told, and what went wrong. The checker judges by this alone.
 */

/** An event as it stands in a log; the checker knows it by its fields, not by the machine's types. */
export interface LogEvent {
  readonly type: string;
  readonly runId: string;
  readonly seq: number;
  readonly at: number;
  readonly path?: string;
  readonly attempt?: number;
  readonly [field: string]: unknown;
}

interface Of<Kind extends string> {
  readonly kind: Kind;
  /** The number of the process, from 1; 0 for the store itself. */
  readonly process: number;
  /** The true time. */
  readonly t: number;
}

interface Body extends Of<'start' | 'end'> {
  readonly run: string;
  readonly path: string;
  readonly attempt: number;
  readonly restart: number;
}

/** An event became durable. */
export interface LogRow extends Of<'log'> {
  readonly event: LogEvent;
  /** The same for all events of one append. */
  readonly append: number;
  /** Its output stands beside the log. */
  readonly isLarge?: true;
}

/** A body began. */
export interface StartRow extends Body {
  readonly kind: 'start';
  /** What it was given of its dependencies. */
  readonly dependencies: Readonly<Record<string, unknown>>;
  readonly tokens: Readonly<Record<string, number>>;
  readonly idempotencyKey: string;
}

/** A body ended; what it reports comes later. */
export interface EndRow extends Body {
  readonly kind: 'end';
  readonly how: 'returned' | 'threw';
  /** What it returned. */
  readonly output?: unknown;
}

/** A body got locks while it ran, or gave them back. */
export interface NestedRow extends Of<'locked' | 'unlocked'> {
  readonly run: string;
  readonly path: string;
  readonly attempt: number;
  readonly name: string;
  readonly mode: 'exclusive' | 'shared';
}

/** The host holds a lock or an amount, or gives it back. */
export interface HostRow extends Of<'host_holds' | 'host_releases'> {
  readonly id: number;
  readonly lock?: { readonly name: string; readonly mode: 'exclusive' | 'shared' };
  readonly resource?: { readonly name: string; readonly amount: number };
}

/** A monitor was told of an event. */
export interface ToldRow extends Of<'told'> {
  readonly run: string;
  readonly seq: number;
  readonly type: string;
}

/** A call of the host was answered. */
export interface AckRow extends Of<'ack'> {
  /** The number of the action. */
  readonly action: number;
  readonly what: string;
  readonly run?: string;
  /** What came back; for a refusal, its code. */
  readonly answer: unknown;
  readonly refused?: string;
}

/** A run was reported as over. */
export interface OverRow extends Of<'over'> {
  readonly run: string;
  readonly status: string;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly failures: readonly string[];
}

/** What a process is told of the tasks of a run that it has just recovered. */
export interface ViewRow extends Of<'view'> {
  readonly run: string;
  readonly tasks: readonly { readonly path: string; readonly status: string; readonly attempt: number }[];
}

/** A state that was loaded. */
export interface StateRow extends Of<'state'> {
  readonly run: string;
  readonly seq: number;
  readonly status: string;
  readonly finishedAt: number | undefined;
  readonly isCancelled: boolean;
  readonly tasks: readonly {
    readonly path: string;
    readonly status: string;
    readonly attempt: number;
    readonly output?: unknown;
  }[];
}

export interface OpenRow extends Of<'open'> {
  readonly recovered: readonly string[];
}

export interface StoreRow
  extends Of<'checkpoint' | 'checkpoint_removed' | 'removed' | 'conflict' | 'blob_read'> {
  readonly run: string;
  readonly seq: number;
  /** Of a checkpoint its id, of a conflict what does not fit. */
  readonly what?: string;
}

/** Something of the world around: a crash, a pause, a fault of the store. */
export interface FaultRow extends Of<'fault'> {
  readonly what: string;
}

/** What is left when everything has ended. */
export interface IdleRow extends Of<'idle' | 'closed'> {
  readonly left: readonly string[];
}

/** Something that must never be: found where it happened. */
export interface WrongRow extends Of<'wrong'> {
  readonly invariant: string;
  readonly message: string;
}

export type Row =
  | LogRow
  | StartRow
  | EndRow
  | NestedRow
  | HostRow
  | ToldRow
  | AckRow
  | OverRow
  | ViewRow
  | StateRow
  | OpenRow
  | StoreRow
  | FaultRow
  | IdleRow
  | WrongRow;
