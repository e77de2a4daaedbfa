/**
 * Folds a log into a state.
 *
 * Who may call it: whoever has read a log: the run loop, tools, tests.
 *
 * P1  The same log and plan give the same state, in every process and version.
 * P2  An event of an unknown type or a newer version is refused by name; it is never skipped.
 */
import { OrchestratorError } from '../model/errors.ts';
import type { CompiledPlan } from '../model/plan.ts';
import { EVENT_SCHEMA_VERSIONS, type RunEvent, type RunEventType } from './events.ts';
import { evolve } from './evolve.ts';
import { initialState, type PlanOf, type RunState } from './state.ts';

/** An event as a store returns it. */
export interface StoredEvent {
  readonly type: string;
  readonly seq: number;
  readonly schemaVersion: number;
  readonly payload: unknown;
}

/** Brings an event of an older version of its shape up to the next version. */
export type Upcaster = (payload: unknown) => unknown;

/** By event type, then by the version that an upcaster starts from. Every type is at its first version so far. */
const UPCASTERS: ReadonlyMap<string, ReadonlyMap<number, Upcaster>> = new Map();

/**
 * The event in the current version of its shape.
 * @throws OrchestratorError `EVENT_UNKNOWN`
 */
export function upcast(record: StoredEvent, upcasters = UPCASTERS): RunEvent {
  const current: number | undefined = Object.hasOwn(EVENT_SCHEMA_VERSIONS, record.type)
    ? EVENT_SCHEMA_VERSIONS[record.type as RunEventType]
    : undefined;
  if (current === undefined || !(record.schemaVersion >= 1 && record.schemaVersion <= current))
    throw unknown(record, current);
  let { payload } = record;
  for (let version = record.schemaVersion; version < current; version++) {
    const lift = upcasters.get(record.type)?.get(version);
    if (lift === undefined) throw unknown(record, current);
    payload = lift(payload);
  }
  return payload as RunEvent;
}

/** The state after a log, read from its beginning. */
export function replay(
  runId: string,
  plan: CompiledPlan,
  records: Iterable<StoredEvent>,
  planOf?: PlanOf,
): RunState {
  const state = initialState(runId, plan, planOf);
  for (const record of records) evolve(state, upcast(record));
  return state;
}

function unknown(record: StoredEvent, current: number | undefined): OrchestratorError {
  const known = current === undefined ? 'no such event type is known' : `versions 1 to ${current} are known`;
  return new OrchestratorError(
    'EVENT_UNKNOWN',
    `event ${record.seq}: ${record.type} version ${record.schemaVersion}: ${known}`,
    {
      details: { seq: record.seq, type: record.type, schemaVersion: record.schemaVersion },
    },
  );
}
