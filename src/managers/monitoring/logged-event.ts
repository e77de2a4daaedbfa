/**
 * What the monitoring service keeps of an event: enough to tell what happened, and never an input or an output.
 *
 * Owns: nothing. Who may call it: the monitoring service.
 *
 * LE1  What is kept of one event is bounded, whatever a task returned: an output belongs to the log of its run.
 */
import { guardValue } from '../../base/values.ts';
import { EVENT_SCHEMA_VERSIONS, type RunEvent } from '../../machine/events.ts';
import { checkRecord, invalidOption, reading, sentence } from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';

/** An event of the host's own. */
export interface HostEvent {
  /** Its name: an id that is no name of an event of a run, such as `DeployFinished`. */
  readonly type: string;
  /** When it happened: milliseconds since 1970. Default: now. */
  readonly at?: number | undefined;
  /** Anything else, as plain data of at most 64 KiB. */
  readonly [field: string]: unknown;
}

/** An event as it is kept. */
export interface LoggedEvent {
  readonly type: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** For an event of a run. */
  readonly runId?: string;
  /** For an event of a run: its position in the log. */
  readonly seq?: number;
  /** For an event of a task. */
  readonly path?: string;
  /** For an event of an attempt. */
  readonly attempt?: number;
  /** What failed, in words. */
  readonly message?: string;
  /** What a host's own event says beside type and time. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** How much an event of the host's own may say, in bytes. */
export const FIELDS_BYTES_MAX = 64 * 1024;

/** Whether something has the shape of an event of a run. */
export function isRunEvent(event: object): event is RunEvent {
  const { type, runId, seq, at } = event as Partial<RunEvent>;
  return (
    typeof type === 'string' &&
    Object.hasOwn(EVENT_SCHEMA_VERSIONS, type) &&
    typeof runId === 'string' &&
    typeof seq === 'number' &&
    typeof at === 'number'
  );
}

/** Whoever feeds a monitor by hand may give it anything. @throws OrchestratorError `OPTION_INVALID` */
export function checkRunEvent(event: RunEvent): void {
  const allowed = 'an event of a run';
  const isOfRun = (): boolean => typeof (event as RunEvent | undefined)?.runId === 'string';
  if (!reading('observe', allowed, isOfRun)) throw invalidOption('observe', event, allowed);
}

/** What is kept of an event of a run. */
export function briefOf(event: RunEvent): LoggedEvent {
  const { type, at, runId, seq } = event;
  if (!('path' in event)) return { type, at, runId, seq };
  const { path } = event;
  if (!('attempt' in event)) return { type, at, runId, seq, path };
  const { attempt } = event;
  if (!('failure' in event)) return { type, at, runId, seq, path, attempt };
  return { type, at, runId, seq, path, attempt, message: event.failure.message };
}

/** @throws OrchestratorError `OPTION_INVALID`, `ID_INVALID`, `VALUE_UNSERIALISABLE` */
export function checkHostEvent(given: unknown, now: number): LoggedEvent {
  const at = 'logEvent';
  return reading(at, 'an object { type, at, … }', () => {
    const record = checkRecord(given, at, 'an object { type, at, … }');
    const { type: name, at: when, ...rest } = record;
    const type = checkId(name, `${at}/type`, 'the type of an event');
    if (Object.hasOwn(EVENT_SCHEMA_VERSIONS, type))
      throw invalidOption(`${at}/type`, type, 'a name that is no event of a run', 'Choose another name.');
    if (when !== undefined && !(typeof when === 'number' && Number.isFinite(when)))
      throw invalidOption(`${at}/at`, when, 'milliseconds since 1970');
    const guarded = guardValue(rest, { depth: 20, bytes: FIELDS_BYTES_MAX });
    if (!guarded.ok)
      throw refuse('VALUE_UNSERIALISABLE', {
        at: `${at}${guarded.pointer}`,
        found: guarded.found,
        allowed: `plain data of at most ${FIELDS_BYTES_MAX} bytes`,
        hint: sentence(guarded.hint),
      });
    return { type, at: when ?? now, fields: guarded.value as Readonly<Record<string, unknown>> };
  });
}
