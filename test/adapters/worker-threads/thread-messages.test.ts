/** What a thread posts and hears in one batch: no message costs another, and none comes too early to count. */
import { expect, it } from 'vitest';
import type { ToHost, ToThread, Wire } from '../../../src/adapters/worker-threads/protocol.ts';
import { Asks } from '../../../src/adapters/worker-threads/thread/asks.ts';
import { Outbox } from '../../../src/adapters/worker-threads/thread/outbox.ts';
import { threadLocks } from '../../../src/adapters/worker-threads/thread/thread-locks.ts';
import { ThreadSession } from '../../../src/adapters/worker-threads/thread/thread-session.ts';
import { CALL } from '../../support/call-message.ts';

/** Posts as a port does: by the structured clone. */
function cloningWire(): { readonly wire: Wire<ToHost, never>; readonly heard: ToHost[] } {
  const heard: ToHost[] = [];
  const wire: Wire<ToHost, never> = {
    post: (batch, transfer) => heard.push(...structuredClone(batch, { transfer: [...transfer] })),
    onBatch: () => {},
  };
  return { wire, heard };
}

/** The types of Node alone do not know WebAssembly. */
function webAssemblyBytes(): ArrayBuffer {
  const { Memory } = (globalThis as Record<string, unknown>).WebAssembly as {
    readonly Memory: new (pages: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
  };
  return new Memory({ initial: 1 }).buffer;
}

it.each([
  ['given away by two calls', () => new ArrayBuffer(8)],
  ['of WebAssembly', () => webAssemblyBytes()],
])('posts all that was said when bytes are %s and cannot be moved', (_, make) => {
  // Given results in one batch, of which two are the same bytes
  const { wire, heard } = cloningWire();
  const outbox = new Outbox(wire);
  const bytes = make();
  outbox.say({ type: 'heartbeat', id: 1 });
  outbox.flush();
  outbox.say({ type: 'ended', id: 2, output: bytes, errors: undefined }, [bytes]);
  outbox.say({ type: 'ended', id: 3, output: bytes, errors: undefined }, [bytes]);
  outbox.say({ type: 'ended', id: 4, output: 'fine', errors: undefined });
  // When they are posted
  outbox.flush();
  // Then each has arrived, copied
  expect(heard.map((message) => message.type)).toEqual(['heartbeat', 'ended', 'ended', 'ended']);
  for (const message of heard.slice(1, 3))
    expect((message as { readonly output: ArrayBuffer }).output.byteLength).toBe(bytes.byteLength);
});

it('fails the one call whose result cannot be posted', () => {
  // Given bytes that were given away twice, once before they are posted
  const { wire, heard } = cloningWire();
  const outbox = new Outbox(wire);
  outbox.say({ type: 'heartbeat', id: 1 });
  outbox.flush();
  const bytes = new ArrayBuffer(8);
  outbox.say({ type: 'ended', id: 2, output: bytes, errors: undefined }, [bytes]);
  structuredClone(bytes, { transfer: [bytes] });
  outbox.say({ type: 'ended', id: 3, output: 'fine', errors: undefined });
  // When all is posted
  outbox.flush();
  // Then only that call has failed
  expect(heard.slice(1)).toMatchObject([
    { type: 'failed', id: 2, error: { fields: { code: 'VALUE_UNSERIALISABLE' } } },
    { type: 'ended', id: 3, output: 'fine' },
  ]);
});

it('aborts a call that came in one batch with its abort', async () => {
  // Given a session without memory that is shared with its host: a call cannot be taken back there
  let tell: (batch: readonly ToThread[]) => void = () => {};
  const heard: ToHost[] = [];
  const wire: Wire<ToHost, ToThread> = {
    post: (batch) => heard.push(...batch),
    onBatch: (listener) => {
      tell = listener;
    },
  };
  const source = `export const waits = ({ signal }) => new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });`;
  const url = `data:text/javascript,${encodeURIComponent(source)}`;
  const session = new ThreadSession(wire, { url, claims: undefined, concurrent: {}, isVirtual: false });
  const over = session.run(1);
  while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
  // When host sends both at once
  tell([CALL, { type: 'abort', id: 1, reason: { kind: 'value', value: 'enough' }, now: 0 }, { type: 'end' }]);
  // Then the call hears it, and ends
  await over;
  expect(heard).toContainEqual({ type: 'failed', id: 1, error: { kind: 'value', value: 'enough' } });
});

it.each(['taken back', 'over'])(
  'knows that a lock is not held which was %s in the turn of its grant',
  async (how) => {
    // Given a wait for a lock
    const asks = new Asks(() => {});
    const { signal } = new AbortController();
    const pending = threadLocks(CALL, asks, { signal, isOver: false }).acquire('cache');
    // When one batch says that it is granted and, next, that it was taken back, or its call has ended
    asks.answer(1, { grant: 5, token: 9, names: ['cache'] });
    if (how === 'over') asks.end(1, () => new Error('over'));
    else asks.taken(5);
    // Then its handler sees a lock that is gone
    const lock = await pending;
    expect(lock.isHeld).toBe(false);
    expect(lock.signal.aborted).toBe(true);
  },
);
