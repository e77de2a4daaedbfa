/**
 * What host and thread tell each other. Both sides gather what they have to say and post it once a turn: a message
 * costs far more than what it carries.
 *
 * PR1  Everything here survives the structured clone.
 * PR2  A call has one `ended` at most; whoever looks at the claims knows whether it was begun when none came.
 */
import type { ErrorEnvelope } from './error-envelope.ts';

/** The argument by which a child process knows that it is one of ours. */
export const SESSION_ARGUMENT = 'taskmaster-session';

/** What a thread is started with. */
export interface SessionStart {
  /** The module of the handlers. */
  readonly url: string;
  /** For each call that was sent, whether it was begun; `undefined` where no memory is shared. */
  readonly claims: SharedArrayBuffer | undefined;
  /** How many calls of a handler may be executed at once; 1 for a handler that is not named. */
  readonly concurrent: Readonly<Record<string, number>>;
  /** Whether the clock of the host is a virtual one, so that waits are its own. */
  readonly isVirtual: boolean;
}

/** A call of a handler. */
export interface CallMessage {
  readonly type: 'call';
  /** Unique in the session. */
  readonly id: number;
  /** Its place among the claims. */
  readonly slot: number;
  readonly name: string;
  readonly runId: string;
  readonly path: string;
  readonly taskId: string;
  readonly input: unknown;
  readonly inputData: unknown;
  readonly dependencies: Readonly<Record<string, unknown>>;
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** The fencing token of each lock that the task holds. */
  readonly tokens: Readonly<Record<string, number>>;
  /** Whether the host wants to be told when the call is begun. */
  readonly tellsBegin: boolean;
  /** By the host's clock. */
  readonly now: number;
}

/** What a thread asks of its host while it executes a call. */
export type Ask =
  | { readonly what: 'sleep'; readonly durationMs: number }
  | { readonly what: 'acquire'; readonly names: readonly string[]; readonly options: AcquireOptions }
  | { readonly what: 'release' | 'renew'; readonly grant: number };

/** The options of a wait for locks that can be sent; an abort is a message of its own. */
export interface AcquireOptions {
  readonly mode?: 'exclusive' | 'shared' | undefined;
  readonly priority?: number | undefined;
  readonly timeout?: number | string | undefined;
  readonly lease?: number | string | undefined;
  readonly heartbeat?: number | string | undefined;
}

/** What the host posts. */
export type ToThread =
  | CallMessage
  | { readonly type: 'abort'; readonly id: number; readonly reason: ErrorEnvelope }
  /** The answer to an ask: a value, or an error. */
  | { readonly type: 'answer'; readonly ask: number; readonly value: unknown; readonly now: number }
  | { readonly type: 'refusal'; readonly ask: number; readonly error: ErrorEnvelope }
  /** A lock that a call took was taken back. */
  | { readonly type: 'taken'; readonly id: number; readonly grant: number }
  /** Nothing more will come. */
  | { readonly type: 'end' };

/** What a thread posts. */
export type ToHost =
  /** The module was loaded: the names of its functions. */
  | { readonly type: 'ready'; readonly threadId: number; readonly names: readonly string[] }
  /** The module could not be loaded. */
  | { readonly type: 'unloadable'; readonly error: ErrorEnvelope }
  | { readonly type: 'begun'; readonly id: number }
  | { readonly type: 'ended'; readonly id: number; readonly output: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorEnvelope }
  | { readonly type: 'heartbeat'; readonly id: number }
  | { readonly type: 'progress'; readonly id: number; readonly value: unknown }
  | {
      readonly type: 'log';
      readonly id: number;
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>> | undefined;
    }
  | { readonly type: 'ask'; readonly id: number; readonly ask: number; readonly about: Ask }
  /** An ask is of no interest any more. */
  | { readonly type: 'unask'; readonly id: number; readonly ask: number };

/** What host code and thread code see of the way between them. */
export interface Wire<Out, In> {
  post(batch: readonly Out[], transfer: readonly ArrayBuffer[]): void;
  onBatch(listener: (batch: readonly In[]) => void): void;
}
