import { MemoryStore } from '@taskmaster-ai/orchestrator';
import { eventStoreSuite, ScriptedStore } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';

describe('MemoryStore', () => {
  eventStoreSuite(
    () => new MemoryStore(),
    { describe, it },
    (store) => store,
  );

  it('answers at once', () => {
    const store = new MemoryStore();
    expect(store.claim('me')).toBe(1);
    expect(store.read({ stream: 'a', fromSeq: 1, limit: 1 })).toEqual([]);
    expect(store.append([])).toBeUndefined();
  });
});

describe('ScriptedStore without faults', () => {
  describe('on a microtask', () => {
    eventStoreSuite(() => new ScriptedStore(new MemoryStore()), { describe, it });
  });
  describe('after some turns', () => {
    eventStoreSuite(
      () => new ScriptedStore(new MemoryStore(), { appendDelay: ({ number }) => number % 3, readDelay: 1 }),
      { describe, it },
    );
  });
  describe('at once', () => {
    eventStoreSuite(() => new ScriptedStore(new MemoryStore(), { appendDelay: 'none', readDelay: 'none' }), {
      describe,
      it,
    });
  });
});
