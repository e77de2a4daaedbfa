/** What becomes of calls when threads end, never begin, or are not to be had: the threads are played by the test. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FakeThread } from '../../support/fake-threads.ts';
import { type PoolStage, type StagedCall, stage } from '../../support/pool-stage.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const codeOf = ({ outcomes: [outcome] }: StagedCall): unknown =>
  outcome?.ok === false ? (outcome.thrown as { readonly code?: unknown }).code : outcome?.ok;

/** A thread that has loaded the module, and taken what it was sent. */
async function ready(s: PoolStage, index = 0): Promise<FakeThread> {
  await s.turn();
  const thread = s.links.living[index] as FakeThread;
  thread.load();
  await s.turn();
  while (thread.take()) {}
  return thread;
}

it('executes nothing twice as the same attempt: what had ended unheard in a thread that died has failed', async () => {
  // Given a call whose result was not posted when its neighbour brought the thread down
  const s = stage({ threads: 1 });
  const [first, second, third] = [s.submit('any'), s.submit('any'), s.submit('any')];
  const thread = await ready(s);
  thread.begin();
  thread.finish();
  thread.begin();
  // When it dies
  thread.die('crashed');
  // Then the first one may be tried again as another attempt, and what was never begun is sent again
  await s.finishAll();
  expect([codeOf(first), codeOf(second), codeOf(third)]).toEqual(['WORKER_LOST', 'WORKER_CRASHED', true]);
  expect([...s.links.witness.begun.values()]).toEqual([1, 1, 1]);
  s.checkEmpty();
});

it('starts a thread in place of one that was ended, for what waits behind the others', async () => {
  // Given two threads that execute something for ever, and a call behind each
  const s = stage({ threads: 2 });
  const hung = s.submit('any');
  s.submit('any');
  const one = await ready(s, 0);
  const two = await ready(s, 1);
  one.begin();
  two.begin();
  const behind = [s.submit('any'), s.submit('any')];
  await s.turn();
  // When the first is ended by force: what waited there went to the other
  s.cancel(hung.call);
  vi.advanceTimersByTime(31);
  await s.turn();
  one.die('asTold');
  await s.turn();
  // Then a new one takes over what waits, though the other is busy for ever
  expect(s.links.living.length).toBe(2);
  const fresh = await ready(s, 1);
  for (const _ of behind) {
    await s.turn();
    while (fresh.take()) {}
    fresh.begin();
    fresh.finish();
    fresh.flush();
  }
  expect(behind.map(codeOf)).toEqual([true, true]);
  s.check();
});

it('gives up on a module that is never loaded', async () => {
  // Given a module that waits at its top for what never comes
  const s = stage({ threads: 1 });
  const call = s.submit('any');
  const names = s.pool.names().catch((error: { readonly code: unknown }) => error.code);
  await s.turn();
  const [thread] = s.links.living;
  // When its time is over
  vi.advanceTimersByTime(60_000);
  await new Promise(setImmediate);
  // Then its calls fail, and its thread is ended by force
  expect(codeOf(call)).toBe('HANDLER_LOAD_FAILED');
  expect(await names).toBe('HANDLER_LOAD_FAILED');
  expect(thread?.isKilled).toBe(true);
  thread?.die('asTold');
  await s.turn();
  expect(s.links.living).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

it('does not start threads for ever when only the first one can load the module', async () => {
  // Given a thread that is busy, and calls that wait
  const s = stage({ threads: 2 });
  s.submit('any');
  const busy = await ready(s);
  busy.begin();
  for (let i = 0; i < 300; i++) s.submit('any');
  // When every other thread finds that the module cannot be loaded
  for (let i = 0; i < 20; i++) {
    await s.turn();
    const other = s.links.living.find((thread) => thread !== busy);
    other?.refuse();
    while (other?.take()) {}
    other?.die('asTold');
  }
  // Then it is not tried for ever, and the one that works does all
  expect(s.links.started).toBe(4);
  await s.finishAll();
  expect(s.calls.every((call) => codeOf(call) === true)).toBe(true);
});

it('starts nothing after its close, and fails what waits', async () => {
  // Given calls that wait, in the queue and behind a busy thread
  const s = stage({ threads: 1 });
  const calls = Array.from({ length: 300 }, () => s.submit('any'));
  const thread = await ready(s);
  thread.begin();
  // When the pool is closed
  await s.pool.close();
  await s.turn();
  const late = s.submit('any');
  // Then nobody is left, each call is over, and no thread was started again
  expect(calls.map(codeOf).slice(0, 3)).toEqual([
    'WORKER_LOST',
    'ORCHESTRATOR_CLOSED',
    'ORCHESTRATOR_CLOSED',
  ]);
  expect(codeOf(late)).toBe('ORCHESTRATOR_CLOSED');
  expect(s.links.started).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
  await expect(s.pool.names()).resolves.toEqual(['any']);
  s.check();
});

it('tells the names of a module also when it is asked while its only thread ends', async () => {
  // Given a pool whose only thread cannot load the module, and is about to end
  const s = stage({ threads: 1 });
  const first = s.pool.names().catch((error: { readonly code: unknown }) => error.code);
  await s.turn();
  s.links.living[0]?.refuse();
  expect(await first).toBe('HANDLER_LOAD_FAILED');
  // When the names are asked for now
  const names = s.pool.names();
  await s.turn();
  while (s.links.living[0]?.take()) {}
  expect(s.links.living[0]?.die('asTold')).toBe(true);
  await s.turn();
  // Then another thread is started for them
  s.links.living[0]?.load(['parse']);
  expect(await names).toEqual(['parse']);
});

it('helps the thread behind which calls wait, not one that executes more of them at once', async () => {
  // Given a thread that executes two calls at once, and two that have nothing to do
  const s = stage({ threads: 3, handlers: { many: { concurrent: 4 } } });
  s.pool.warmUp(3);
  for (const index of [0, 1, 2]) await ready(s, index);
  const [, busy, helper] = s.links.living as [FakeThread, FakeThread, FakeThread];
  for (let i = 0; i < 6; i++) s.submit('many');
  await s.turn();
  for (const thread of s.links.living) while (thread.take() || thread.begin()) {}
  for (const thread of [busy, helper]) {
    while (thread.finish()) {}
    thread.flush();
  }
  // When each of these gets two calls, and only one of them ever ends its own
  const [, , behind] = Array.from({ length: 4 }, () => s.submit('any'));
  await s.turn();
  for (const thread of [busy, helper]) while (thread.take()) {}
  busy.begin();
  while (helper.begin() && helper.finish()) {}
  helper.flush();
  await s.turn();
  // Then that takes over what waits behind the other
  while (helper.take()) {}
  expect(helper.begin()).toBe(true);
  expect([...helper.executing].map(({ path }) => path)).toEqual([behind?.path]);
  await s.finishAll();
  s.checkEmpty();
});

it('does not try for ever to start threads before the first call when none can be started', () => {
  // Given a machine that gives no thread
  const s = stage({ threads: 2 });
  s.links.failsToStart = true;
  // When two are wanted
  s.pool.warmUp(2);
  // Then that is all
  expect(s.links.started).toBe(0);
  expect(s.pool.stats()).toMatchObject({ threads: 0, started: 1 });
});
