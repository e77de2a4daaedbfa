import { MemoryStore, type StreamAppend } from '@taskmaster-ai/orchestrator';
import { type AppendFault, ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { rejection } from '../support/errors.ts';

function batch(expectedSeq: number): readonly StreamAppend[] {
  const events = [{ seq: expectedSeq + 1, type: 'T', at: 0 }];
  return [{ stream: 'a', expectedSeq, epoch: 1, events, versions: {} }];
}

function setUp(
  fault: AppendFault,
  times = 1,
): { readonly store: ScriptedStore; readonly length: () => number } {
  const inner = new MemoryStore();
  const store = new ScriptedStore(inner, { appends: [{ at: 2, times, fault }] });
  inner.claim('me');
  return { store, length: () => inner.read({ stream: 'a', fromSeq: 1, limit: 100 }).length };
}

describe('ScriptedStore', () => {
  it.each([
    { fault: 'refuse' as const, code: 'STORE_UNAVAILABLE', written: 1 },
    { fault: 'conflict' as const, code: 'STORE_CONFLICT', written: 1 },
    { fault: 'unknown' as const, code: 'STORE_UNAVAILABLE', written: 2 },
  ])('$fault: fails with $code and leaves $written records', async ({ fault, code, written }) => {
    const { store, length } = setUp(fault);
    await store.append(batch(0));
    expect((await rejection(Promise.resolve(store.append(batch(1))))).code).toBe(code);
    expect(length()).toBe(written);
    await store.append(batch(written));
    expect(length()).toBe(written + 1);
    expect(store.appendCount).toBe(3);
  });

  it('late: writes it just before the next one, which then meets a conflict', async () => {
    const { store, length } = setUp('late');
    await store.append(batch(0));
    await rejection(Promise.resolve(store.append(batch(1))));
    expect(length()).toBe(1);
    expect((await rejection(Promise.resolve(store.append(batch(1))))).code).toBe('STORE_CONFLICT');
    expect(length()).toBe(2);
  });

  it('fails for ever when told so', async () => {
    const { store } = setUp('refuse', Number.POSITIVE_INFINITY);
    await store.append(batch(0));
    for (let i = 0; i < 10; i++) await rejection(Promise.resolve(store.append(batch(1))));
  });

  it('refuses reads by their number, and notes every call', async () => {
    const store = new ScriptedStore(new MemoryStore(), { reads: [{ at: 2, times: 2, fault: 'refuse' }] });
    const read = async () => store.read({ stream: 'a', fromSeq: 1, limit: 7 });
    expect(await read()).toEqual([]);
    await rejection(read());
    await rejection(read());
    expect(await read()).toEqual([]);
    expect(store.readCount).toBe(4);
    expect(store.calls[3]).toEqual({ method: 'read', number: 4, records: 7 });
  });

  it('takes as long as it is told, on a clock', async () => {
    const clock = new VirtualClock({ auto: false });
    const inner = new MemoryStore();
    inner.claim('me');
    const store = new ScriptedStore(inner, { appendDelay: 250, clock });
    let done = false;
    void Promise.resolve(store.append(batch(0))).then(() => {
      done = true;
    });
    await clock.advance(249);
    expect({ done, underWay: store.appendsUnderWay }).toEqual({ done: false, underWay: 1 });
    await clock.advance(1);
    expect({ done, underWay: store.appendsUnderWay }).toEqual({ done: true, underWay: 0 });
  });
});
