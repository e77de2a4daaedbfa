/** What the host of a store and its thread say to each other. */
import type { ErrorCode } from '../../model/error-codes.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { StreamFacts } from '../../ports/event-store.ts';
import type { EngineSettings, Method, TextAppend, TextEvent } from './requests.ts';

/** The name under which a thread finds its settings, and by which it knows that it is one of ours. */
export const SQLITE_THREAD = '@taskmaster-ai/orchestrator/sqlite-thread';

export interface ThreadData {
  readonly [SQLITE_THREAD]: EngineSettings;
}

export interface ToThread {
  readonly id: number;
  /** `close` is the last one. */
  readonly method: Method | 'close';
  /** Of an append, packed. */
  readonly given: readonly unknown[];
}

export type ToHost =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: CarriedError };

/**
 * Appends on their way to the thread, field by field in one list. To carry an object costs its names, every time: a
 * group of a hundred small appends crosses in this form at a third of the price.
 */
export type PackedAppends = readonly (string | number | readonly string[] | StreamFacts | null)[];

export function packAppends(batch: readonly TextAppend[]): PackedAppends {
  const packed: PackedAppends[number][] = [];
  for (const { stream, expectedSeq, epoch, events, keys, facts } of batch) {
    packed.push(stream, expectedSeq, epoch, keys.length === 0 ? null : keys, facts ?? null, events.length);
    for (const { type, at, version, text } of events) packed.push(type, at, version, text);
  }
  return packed;
}

export function unpackAppends(packed: PackedAppends): readonly TextAppend[] {
  const batch: TextAppend[] = [];
  let at = 0;
  // What stands where is said by `packAppends` alone, in the same file and the same version of the package.
  const next = <Field>(): Field => packed[at++] as Field;
  while (at < packed.length) {
    const stream = next<string>();
    const expectedSeq = next<number>();
    const epoch = next<number>();
    const keys = next<readonly string[] | null>() ?? [];
    const facts = next<StreamFacts | null>() ?? undefined;
    const events: TextEvent[] = [];
    for (let left = next<number>(); left > 0; left--)
      events.push({ type: next(), at: next(), version: next(), text: next() });
    batch.push({ stream, expectedSeq, epoch, events, keys, facts });
  }
  return batch;
}

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
