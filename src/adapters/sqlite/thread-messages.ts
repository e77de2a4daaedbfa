/** What the host of a store and its thread say to each other. */
import type { ErrorCode } from '../../model/error-codes.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { EngineSettings, Method } from './requests.ts';

/** The name under which a thread finds its settings, and by which it knows that it is one of ours. */
export const SQLITE_THREAD = '@taskmaster-ai/orchestrator/sqlite-thread';

export interface ThreadData {
  readonly [SQLITE_THREAD]: EngineSettings;
}

export interface ToThread {
  readonly id: number;
  /** `close` is the last one. */
  readonly method: Method | 'close';
  readonly given: readonly unknown[];
}

export type ToHost =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: CarriedError };

/** An error as it comes through a thread, which would lose its class, its code and its details. */
export interface CarriedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly cause: string | undefined;
}

export function carryError(error: unknown): CarriedError {
  if (!OrchestratorError.is(error))
    return { code: 'INTERNAL', message: `the SQLite store: ${String(error)}`, details: {}, cause: undefined };
  const { code, message, details, cause } = error;
  return { code, message, details, cause: cause instanceof Error ? cause.message : undefined };
}

export function carriedError({ code, message, details, cause }: CarriedError): OrchestratorError {
  return new OrchestratorError(code, message, {
    details,
    ...(cause === undefined ? undefined : { cause: new Error(cause) }),
  });
}
