/**
 * What a store is told in the campaign, step by step, and what it must know after each of them.
 *
 * Owns: nothing. Who may call it: the campaign.
 *
 * ST1  What a store knows after a number of steps follows from them alone (`knownAfter`).
 * ST2  A step is whole or not at all, except that blobs are files of their own.
 */
import type { EventStore, LoggedEvent } from '../../../src/ports/event-store.ts';

/** One call. */
export type Step =
  | { readonly do: 'append'; readonly to: readonly Addition[] }
  | { readonly do: 'checkpoint'; readonly id: string; readonly stream: string }
  | { readonly do: 'dropCheckpoint'; readonly id: string }
  | { readonly do: 'blob'; readonly stream: string; readonly id: string }
  | { readonly do: 'remove'; readonly streams: readonly string[] }
  | { readonly do: 'compact' }
  | { readonly do: 'reopen' };

/** What one stream gets in an append. */
export interface Addition {
  readonly stream: string;
  readonly count: number;
  readonly key?: string;
}

/** A store that can be compacted, as the file store can. */
export type Store = EventStore & { compact(): Promise<void> };

/** What there is to be known, by what it is asked for; each as JSON text. */
export type Known = ReadonlyMap<string, string>;

export const OWNER = 'campaign';
const MORE = 'more ';

function eventOf(stream: string, seq: number): LoggedEvent & { readonly text: string } {
  return { type: `T${seq % 3}`, seq, at: 1_000 + seq, text: `${stream} ${seq} ${'é'.repeat(40)}` };
}

function blobOf(stream: string, id: string, step: number): Uint8Array {
  return Uint8Array.from({ length: 200 }, (_, i) => (i * 7 + stream.length + id.length + step) % 256);
}

function add(...to: readonly (readonly [stream: string, count: number, key?: string])[]): Step {
  return {
    do: 'append',
    to: to.map(([stream, count, key]) => ({ stream, count, ...(key === undefined ? undefined : { key }) })),
  };
}

/** About 8 KiB of log with all kinds of entries, over several segments and two claims. */
export const STEPS: readonly Step[] = [
  add(['a', 2, 'key-a']),
  add(['b', 1], ['c', 2, 'key-c']),
  { do: 'checkpoint', id: 'first', stream: 'a' },
  { do: 'blob', stream: 'a', id: 'large' },
  add(['a', 3], ['b', 2], ['c', 1]),
  add(['gone', 4, 'key-gone']),
  { do: 'blob', stream: 'gone', id: 'gone' },
  { do: 'checkpoint', id: 'first', stream: 'a' },
  add(['a', 4], ['d', 3]),
  { do: 'remove', streams: ['gone'] },
  add(['b', 5]),
  { do: 'reopen' },
  { do: 'checkpoint', id: 'second', stream: 'b' },
  add(['d', 2], ['e', 6, 'key-e']),
  { do: 'dropCheckpoint', id: 'first' },
  add(['a', 6]),
  { do: 'compact' },
  add(['e', 1], ['a', 1]),
  { do: 'blob', stream: 'e', id: 'large' },
  add(['f', 9, 'key-f']),
  add(['b', 4], ['f', 3]),
  { do: 'checkpoint', id: 'third', stream: 'f' },
  add(['a', 1]),
];

const STREAMS = ['a', 'b', 'c', 'd', 'e', 'f', 'gone'];
const KEYS = ['key-a', 'key-c', 'key-e', 'key-f', 'key-gone'];
const CHECKPOINTS = ['first', 'second', 'third'];
const BLOBS = [
  ['a', 'large'],
  ['e', 'large'],
  ['gone', 'gone'],
] as const;

/** Whether something is kept beside the log, in a file of its own. */
export function isBeside(name: string): boolean {
  return name.startsWith('blob ');
}

interface Model {
  readonly streams: Map<string, number>;
  readonly keys: Map<string, string>;
  readonly checkpoints: Map<string, { readonly stream: string; readonly seq: number; readonly step: number }>;
  readonly blobs: Map<string, number>;
}

function fold(steps: readonly Step[], count: number): Model {
  const model: Model = { streams: new Map(), keys: new Map(), checkpoints: new Map(), blobs: new Map() };
  for (let i = 0; i < count; i++) foldStep(model, steps[i] as Step, i);
  return model;
}

function foldStep({ streams, keys, checkpoints, blobs }: Model, step: Step, i: number): void {
  if (step.do === 'append')
    for (const { stream, count, key } of step.to) {
      streams.set(stream, (streams.get(stream) ?? 0) + count);
      if (key !== undefined) keys.set(key, stream);
    }
  if (step.do === 'checkpoint') {
    checkpoints.delete(step.id);
    checkpoints.set(step.id, { stream: step.stream, seq: streams.get(step.stream) ?? 0, step: i });
  }
  if (step.do === 'dropCheckpoint') checkpoints.delete(step.id);
  if (step.do === 'blob') blobs.set(`${step.stream} ${step.id}`, i);
  if (step.do === 'remove')
    for (const stream of step.streams) {
      streams.delete(stream);
      for (const [key, of] of keys) if (of === stream) keys.delete(key);
      for (const [id, { stream: of }] of checkpoints) if (of === stream) checkpoints.delete(id);
      for (const blob of blobs.keys()) if (blob.startsWith(`${stream} `)) blobs.delete(blob);
    }
}

/** What a store must know after so many steps. */
export function knownAfter(steps: readonly Step[], count: number): Known {
  const { streams, keys, checkpoints, blobs } = fold(steps, count);
  const known = new Map<string, string>();
  const put = (name: string, value: unknown) => known.set(name, JSON.stringify(value ?? null));
  put('list', [...streams]);
  for (const stream of STREAMS) {
    const length = streams.get(stream) ?? 0;
    put(
      `stream ${stream}`,
      Array.from({ length }, (_, i) => eventOf(stream, i + 1)),
    );
    put(
      `checkpoints of ${stream}`,
      [...checkpoints].filter(([, { stream: of }]) => of === stream).map(([id]) => id),
    );
  }
  for (const key of KEYS) put(`key ${key}`, keys.get(key));
  for (const id of CHECKPOINTS) put(`checkpoint ${id}`, checkpoints.get(id));
  for (const [stream, id] of BLOBS) {
    const step = blobs.get(`${stream} ${id}`);
    put(
      `blob ${stream} ${id}`,
      step === undefined ? undefined : Buffer.from(blobOf(stream, id, step)).toString('hex'),
    );
  }
  return known;
}

/** What to ask a store for, and what it says. */
export function questions(store: Store): ReadonlyMap<string, () => Promise<unknown>> {
  const asked = new Map<string, () => Promise<unknown>>();
  asked.set('list', async () =>
    (await store.list({ prefix: '', limit: 1_000 }))
      .filter(({ stream }) => !stream.startsWith(MORE))
      .map(({ stream, lastSeq }) => [stream, lastSeq]),
  );
  for (const stream of STREAMS) {
    asked.set(`stream ${stream}`, async () =>
      (await store.read({ stream, fromSeq: 1, limit: 1_000 })).map(({ payload }) => payload),
    );
    asked.set(`checkpoints of ${stream}`, async () =>
      (await store.listCheckpoints?.(stream))?.map(({ id }) => id),
    );
  }
  for (const key of KEYS) asked.set(`key ${key}`, async () => store.findKey(key));
  for (const id of CHECKPOINTS)
    asked.set(`checkpoint ${id}`, async () => (await store.loadCheckpoint?.(id))?.payload);
  for (const [stream, id] of BLOBS)
    asked.set(`blob ${stream} ${id}`, async () => {
      const bytes = await store.loadBlob?.(stream, id);
      return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
    });
  return asked;
}

/** Takes the steps on a store that is claimed, and says after each of them that it was acknowledged. */
export async function play(
  store: Store,
  epoch: number,
  steps: readonly Step[],
  acknowledged: (steps: number) => void,
): Promise<void> {
  let claim = epoch;
  for (const [i, step] of steps.entries()) {
    if (step.do === 'reopen') {
      await store.release(OWNER);
      claim = await store.claim(OWNER);
    } else await take(store, claim, steps, i);
    acknowledged(i + 1);
  }
}

async function take(store: Store, epoch: number, steps: readonly Step[], i: number): Promise<void> {
  const step = steps[i] as Step;
  const { streams } = fold(steps, i);
  switch (step.do) {
    case 'append':
      await store.append(
        step.to.map(({ stream, count, key }) => {
          const expectedSeq = streams.get(stream) ?? 0;
          const events = Array.from({ length: count }, (_, n) => eventOf(stream, expectedSeq + n + 1));
          const uniqueKeys = key === undefined ? undefined : [key];
          return { stream, expectedSeq, epoch, events, versions: {}, uniqueKeys };
        }),
      );
      break;
    case 'checkpoint': {
      const { id, stream } = step;
      const seq = streams.get(stream) ?? 0;
      const payload = { stream, seq, step: i };
      await store.saveCheckpoint?.({ id, stream, seq, at: 5, schemaVersion: 1, payload }, epoch);
      break;
    }
    case 'dropCheckpoint':
      await store.removeCheckpoint?.(step.id);
      break;
    case 'blob': {
      const { stream, id } = step;
      await store.saveBlob?.({ stream, id, bytes: blobOf(stream, id, i) }, epoch);
      break;
    }
    case 'remove':
      await store.remove(step.streams);
      break;
    case 'compact':
      await store.compact();
      break;
    default:
  }
}

/** One more append, to see whether a store goes on. Its stream is none of the story's. */
export async function appendMore(store: Store, epoch: number, name: string): Promise<void> {
  const stream = `${MORE}${name}`;
  await store.append([{ stream, expectedSeq: 0, epoch, events: [eventOf(stream, 1)], versions: {} }]);
}

/** Whether that append is there. */
export async function hasMore(store: Store, name: string): Promise<boolean> {
  return (await store.read({ stream: `${MORE}${name}`, fromSeq: 1, limit: 2 })).length === 1;
}
