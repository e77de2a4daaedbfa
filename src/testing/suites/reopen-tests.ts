import assert from 'node:assert/strict';
import type { EventStore, LoggedEvent, MaybePromise } from '../../ports/event-store.ts';
import { Probe, recordOf } from './store-probe.ts';
import type { SuiteRunner } from './suite-runner.ts';

/** Payloads with everything that a run may keep; JSON alone would lose most of it. */
const VALUES: Readonly<Record<string, unknown>> = {
  missing: undefined,
  minusZero: -0,
  notANumber: Number.NaN,
  endless: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  big: 10n ** 40n,
  date: new Date(1_700_000_000_123),
  map: new Map<unknown, unknown>([
    ['a', 1],
    [{ key: 2 }, new Set(['x', undefined])],
  ]),
  bytes: new Uint8Array([0, 1, 254, 255]),
  floats: new Float64Array([1.5, -0]),
  error: new Error('too far', { cause: new Error('below') }),
  text: 'naïve 🙂 \u0000 \u2028 \ud800 "quoted" \\ \r\n',
  list: [1, [undefined, null, ['~', '~~']]],
  odd: JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1,"":2}') as unknown,
};

/** What a store must still have when it is opened anew. */
export function reopened(
  create: () => MaybePromise<EventStore>,
  reopen: (store: EventStore) => MaybePromise<EventStore>,
  { it }: SuiteRunner,
): void {
  it('has everything that was appended before: records, keys, facts, checkpoints, blobs', async () => {
    const before = await create();
    const epoch = await before.claim('first');
    const probe = new Probe(before, epoch);
    const facts = { workflowId: 'w', status: 'paused', startedAt: 5, attributes: { tenant: 'x' } };
    await before.append([{ ...probe.batch('a', 0, 40, ['k']), facts }, probe.batch('b', 0, 2)]);
    await probe.append(probe.batch('a', 40, 2), probe.batch('gone', 0, 3, ['l']));
    await before.remove(['gone']);
    const checkpoint = { id: 'a/42', stream: 'a', seq: 42, at: 7, schemaVersion: 1, payload: VALUES };
    await before.saveCheckpoint?.(checkpoint, epoch);
    await before.saveBlob?.({ stream: 'a', id: 'x', bytes: new Uint8Array([1, 2]) }, epoch);
    await before.release('first');

    const after = await reopen(before);
    const again = await after.claim('second');
    assert.ok(again > epoch, 'a later claim has a greater epoch');
    const records = await after.read({ stream: 'a', fromSeq: 41, limit: 10 });
    assert.deepEqual([...records], [recordOf('a', 41), recordOf('a', 42)]);
    assert.deepEqual([await after.findKey('k'), await after.findKey('l')], ['a', undefined]);
    const [found] = await after.list({ prefix: '', limit: 10, statuses: ['paused'] });
    assert.deepEqual([found?.stream, found?.lastSeq, found?.facts], ['a', 42, facts]);
    const streams = await after.list({ prefix: '', limit: 10 });
    assert.deepEqual(
      streams.map(({ stream }) => stream),
      ['a', 'b'],
    );
    if (after.loadCheckpoint !== undefined) assert.deepEqual(await after.loadCheckpoint('a/42'), checkpoint);
    const bytes = await after.loadBlob?.('a', 'x');
    if (after.loadBlob !== undefined) assert.deepEqual([...(bytes ?? [])], [1, 2]);
    await new Probe(after, again).append(new Probe(after, again).batch('a', 42));
    await after.release('second');
  });

  it('has every kind of value as it was', async () => {
    const before = await create();
    const epoch = await before.claim('first');
    const event = { type: 'T', seq: 1, at: 1, values: VALUES } as LoggedEvent;
    await before.append([{ stream: 'a', expectedSeq: 0, epoch, events: [event], versions: {} }]);
    await before.release('first');
    const after = await reopen(before);
    const [record] = await after.read({ stream: 'a', fromSeq: 1, limit: 1 });
    assert.ok(record !== undefined);
    const { values } = record.payload as { readonly values: typeof VALUES };
    assert.deepEqual(values, VALUES);
    assert.equal(((values.error as Error).cause as Error).message, 'below');
    await after.claim('second');
    await after.release('second');
  });
}
