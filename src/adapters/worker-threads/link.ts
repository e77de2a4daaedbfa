/**
 * The way to one thread or process, whatever it is.
 */
import type { SessionStart, ToHost, ToThread, Wire } from './protocol.ts';

/** Why a thread or process has ended. */
export type LinkEnd =
  /** It was told to. */
  | { readonly kind: 'ended' }
  /** We have killed it. */
  | { readonly kind: 'killed' }
  | { readonly kind: 'memory'; readonly cause: unknown }
  | { readonly kind: 'crashed'; readonly cause: unknown };

/** One thread or process. */
export interface Link extends Wire<ToThread, ToHost> {
  /** Calls back once, after the last batch that came. */
  onEnd(listener: (end: LinkEnd) => void): void;
  /** Ends it at once, whatever it does. */
  kill(): void;
}

/** Starts threads or processes. */
export interface LinkFactory {
  /** Whether host and session see the same memory, so that calls can be taken back. */
  readonly sharesMemory: boolean;
  start(start: SessionStart): Link;
  /** Ends all that were started. */
  close(): Promise<void>;
}
