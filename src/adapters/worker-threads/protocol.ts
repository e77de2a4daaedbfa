/**
 * What host and thread tell each other. Both sides gather what they have to say and post it once a turn: a message
 * costs far more than what it carries.
 *
 * PR1  Everything here survives the structured clone.
 * PR2  A call has one `ended` at most; whoever looks at the claims knows whether it was begun when none came.
 */
import type { MessagePort } from 'node:worker_threads';
import type { LockNeed } from '../../model/needs.ts';
import type { TraceCarrier } from '../../model/trace.ts';
import type { CarriedError } from './carried-errors.ts';
import type { ErrorEnvelope } from './error-envelope.ts';

/** The argument by which a child process knows that it is one of ours. */
export const SESSION_ARGUMENT = 'taskmaster-session';

/** The file descriptors of a child process by which its host talks to it, and it to its host. */
export const FROM_HOST = 3;
export const TO_HOST = 4;

/** The name in `workerData` by which a thread without tinypool knows its session. */
export const OWN_SESSION = 'taskmasterSession';

/** What the host hands to a session in a thread. */
export interface SessionGiven {
  readonly port: MessagePort;
  readonly start: SessionStart;
}

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
  readonly restart: number;
  readonly idempotencyKey: string;
  /** The trace that the call belongs to, if to one. */
  readonly trace: TraceCarrier | undefined;
  /** The fencing token of each lock that the task holds. */
  readonly tokens: Readonly<Record<string, number>>;
  /** Whether the host wants to be told when the call is begun. */
  readonly tellsBegin: boolean;
  /** By the host's clock. */
  readonly now: number;
  /** The errors among what it is given. */
  readonly errors: readonly CarriedError[] | undefined;
}

/** What a thread asks of its host while it executes a call. */
export type Ask =
  | { readonly what: 'sleep'; readonly durationMs: number }
  | { readonly what: 'acquire'; readonly locks: readonly LockNeed[]; readonly options: AcquireOptions }
  /** What is said of a grant; to `rest` is to be renewed no longer by itself. */
  | { readonly what: 'release' | 'renew' | 'rest'; readonly grant: number }
  /** Something real is under way, for which a virtual clock has to stand still; or it is over. */
  | { readonly what: 'real'; readonly isOn: boolean };

/** The options of a wait for locks, checked; an abort is a message of its own. Spans are in milliseconds. */
export interface AcquireOptions {
  readonly priority: number | undefined;
  readonly timeout: number | undefined;
  readonly lease: number | undefined;
  readonly heartbeat: number | undefined;
}

/** What the host posts. */
export type ToThread =
  | CallMessage
  | { readonly type: 'abort'; readonly id: number; readonly reason: ErrorEnvelope; readonly now: number }
  /** The answer to an ask: a value, or an error. */
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly ask: number;
      readonly value: unknown;
      readonly now: number;
    }
  | {
      readonly type: 'refusal';
      readonly id: number;
      readonly ask: number;
      readonly error: ErrorEnvelope;
      readonly now: number;
    }
  /** A lock that a call took was taken back. */
  | { readonly type: 'taken'; readonly id: number; readonly grant: number; readonly now: number }
  /** Nothing more will come. */
  | { readonly type: 'end' };

/** What a thread posts. */
export type ToHost =
  /** The module was loaded: the names of its functions. */
  | { readonly type: 'ready'; readonly threadId: number; readonly names: readonly string[] }
  /** The module could not be loaded. */
  | { readonly type: 'unloadable'; readonly error: ErrorEnvelope }
  | { readonly type: 'begun'; readonly id: number }
  | {
      readonly type: 'ended';
      readonly id: number;
      readonly output: unknown;
      readonly errors: readonly CarriedError[] | undefined;
    }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorEnvelope }
  | { readonly type: 'heartbeat'; readonly id: number }
  | {
      readonly type: 'progress';
      readonly id: number;
      readonly value: unknown;
      readonly errors: readonly CarriedError[] | undefined;
    }
  | {
      readonly type: 'log';
      readonly id: number;
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>> | undefined;
      readonly errors: readonly CarriedError[] | undefined;
    }
  | { readonly type: 'ask'; readonly id: number; readonly ask: number; readonly about: Ask }
  /** An ask is of no interest any more. */
  | { readonly type: 'unask'; readonly id: number; readonly ask: number }
  /** An error that nobody catches ends the thread or process now. */
  | { readonly type: 'dying'; readonly error: ErrorEnvelope };

/** What host code and thread code see of the way between them. */
export interface Wire<Out, In> {
  post(batch: readonly Out[], transfer: readonly ArrayBuffer[]): void;
  onBatch(listener: (batch: readonly In[]) => void): void;
}
