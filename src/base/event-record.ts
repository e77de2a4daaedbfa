/**
 * What a store keeps of an event that was appended to a stream.
 */

/** What a record says beside the event itself. */
interface Head {
  readonly type: string;
  readonly seq: number;
  readonly at: number;
}

/**
 * The record of an event: its head, the version of its shape, and the event as the payload.
 *
 * @param versions - the version of the shape of each type; 1 for a type that is not named
 */
export function toRecord<Event extends Head>(
  stream: string,
  event: Event,
  versions: Readonly<Record<string, number>>,
): Head & { readonly stream: string; readonly schemaVersion: number; readonly payload: Event } {
  const { type, seq, at } = event;
  const schemaVersion = Object.hasOwn(versions, type) ? (versions[type] as number) : 1;
  return { stream, seq, type, at, schemaVersion, payload: event };
}
