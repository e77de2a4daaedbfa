import assert from 'node:assert/strict';
import type {
  BlobRecord,
  EventStore,
  ListRequest,
  StreamAppend,
  StreamFacts,
} from '../../ports/event-store.ts';
import { FENCED, type Probe, type Test } from './store-probe.ts';
import { codeOf } from './suite-runner.ts';

function factsOf(n: number, status = 'in_progress'): StreamFacts {
  const attributes = { tenant: `t${n % 3}`, urgent: n % 2 === 0, size: n };
  return { workflowId: `w${n % 4}`, status, startedAt: 1_000 + n, attributes };
}

function withFacts(append: StreamAppend, facts: StreamFacts): StreamAppend {
  return { ...append, facts };
}

async function found(probe: Probe, request: Omit<ListRequest, 'prefix' | 'limit'>): Promise<string[]> {
  return (await probe.store.list({ prefix: 's', limit: 1_000, ...request })).map(({ stream }) => stream);
}

/** Twelve streams with facts, in order, and one without. */
async function fill(probe: Probe): Promise<void> {
  await probe.append(probe.batch('s-bare', 0));
  for (let n = 0; n < 12; n++) await probe.append(withFacts(probe.batch(`s${n}`, 0, 2), factsOf(n)));
}

/** What streams can be found by. */
export function facts(test: Test): void {
  test('tells the facts that were appended last, and when its last record was written', async (probe) => {
    await probe.append(withFacts(probe.batch('a', 0, 2), factsOf(1)));
    await probe.append(probe.batch('a', 2, 1));
    const [first] = await probe.store.list({ prefix: 'a', limit: 1 });
    assert.deepEqual([first?.facts, first?.lastAt, first?.lastSeq], [factsOf(1), 1_003, 3]);
    const { attributes: _, ...bare } = factsOf(2, 'completed');
    await probe.append(withFacts(probe.batch('a', 3, 1), bare));
    const [second] = await probe.store.list({ prefix: 'a', limit: 1 });
    assert.deepEqual([second?.facts, second?.lastAt], [bare, 1_004]);
    assert.deepEqual(await probe.store.list({ prefix: 'a', limit: 1, attributes: { size: 1 } }), []);
  });

  test('finds streams by each fact, and by several at once', async (probe) => {
    await fill(probe);
    await probe.append(withFacts(probe.batch('s3', 2), factsOf(3, 'failed')));
    await probe.append(withFacts(probe.batch('s7', 2), factsOf(7, 'completed')));
    assert.deepEqual(await found(probe, { workflowId: 'w3' }), ['s3', 's7', 's11']);
    assert.deepEqual(await found(probe, { statuses: ['failed', 'completed'] }), ['s3', 's7']);
    assert.deepEqual(await found(probe, { startedFrom: 1_009, startedBefore: 1_011 }), ['s9', 's10']);
    assert.deepEqual(await found(probe, { attributes: { tenant: 't1' } }), ['s1', 's4', 's7', 's10']);
    assert.deepEqual(await found(probe, { attributes: { tenant: 't1', urgent: true } }), ['s4', 's10']);
    assert.deepEqual(await found(probe, { attributes: { size: 5 }, statuses: ['in_progress'] }), ['s5']);
    assert.deepEqual(await found(probe, { statuses: [] }), []);
    assert.equal((await found(probe, {})).length, 13);
  });

  test('tells a number from a text, and a name of a fact from one that every object has', async (probe) => {
    const attributes = JSON.parse('{"__proto__":"own","1":1,"yes":true}') as NonNullable<
      StreamFacts['attributes']
    >;
    await probe.append(withFacts(probe.batch('s', 0), { ...factsOf(0), attributes }));
    const asked = ['{"1":1}', '{"1":"1"}', '{"yes":"true"}', '{"yes":1}', '{"__proto__":"own"}'];
    const counts = asked.map(async (text) => (await found(probe, { attributes: JSON.parse(text) })).length);
    assert.deepEqual(await Promise.all(counts), [1, 0, 0, 0, 1]);
    assert.deepEqual(await found(probe, { attributes: { constructor: 'x' } as never }), []);
  });

  pagedFacts(test);
}

function pagedFacts(test: Test): void {
  test('pages over what it has found', async (probe) => {
    await fill(probe);
    const seen: string[] = [];
    for (let after: string | undefined; ; after = seen[seen.length - 1]) {
      const request = { prefix: 's', limit: 2, attributes: { urgent: true } };
      const page = await probe.store.list({ ...request, after });
      seen.push(...page.map(({ stream }) => stream));
      if (page.length < 2) break;
    }
    assert.deepEqual(seen, ['s0', 's2', 's4', 's6', 's8', 's10']);
    // The stream to go on behind need not be one of those that are asked for.
    const behind = await probe.store.list({
      prefix: 's',
      limit: 1,
      after: 's3',
      attributes: { urgent: true },
    });
    assert.deepEqual(
      behind.map(({ stream }) => stream),
      ['s4'],
    );
  });

  test('forgets facts with their stream, and those of an append that was refused', async (probe) => {
    await fill(probe);
    await probe.refused(withFacts(probe.batch('s1', 7), factsOf(1, 'failed')));
    assert.deepEqual(await found(probe, { statuses: ['failed'] }), []);
    await probe.store.remove(['s4', 's8']);
    assert.deepEqual(await found(probe, { workflowId: 'w0' }), ['s0']);
    await probe.append(probe.batch('s4', 0));
    assert.deepEqual(await found(probe, { workflowId: 'w0' }), ['s0']);
  });
}

/** The two methods on blobs, of a store that has them. */
type BlobStore = Required<Pick<EventStore, 'saveBlob' | 'loadBlob'>>;

const bytesOf = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

/** Bytes beside streams; a store may keep none, and then has neither method. */
export function blobs(test: Test): void {
  const whenKept = (
    title: string,
    body: (store: EventStore & BlobStore, probe: Probe) => Promise<void>,
  ): void =>
    test(title, async (probe) => {
      const { saveBlob, loadBlob } = probe.store;
      assert.equal(saveBlob === undefined, loadBlob === undefined, 'both methods on blobs, or none');
      if (saveBlob !== undefined) await body(probe.store as EventStore & BlobStore, probe);
    });

  whenKept('gives back the bytes of a blob, and nothing for one that is not there', async (store, probe) => {
    const large = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
    const all: readonly BlobRecord[] = [
      { stream: 'a', id: 'x', bytes: bytesOf() },
      { stream: 'a', id: '../y', bytes: bytesOf(0, 255) },
      { stream: 'b', id: 'x', bytes: large },
    ];
    for (const blob of all) await store.saveBlob(blob, probe.epoch);
    for (const { stream, id, bytes } of all)
      assert.deepEqual(Uint8Array.from((await store.loadBlob(stream, id)) ?? [1]), bytes);
    assert.equal(await store.loadBlob('b', '../y'), undefined);
    assert.equal(await store.loadBlob('c', 'x'), undefined);
    assert.deepEqual(await probe.streams(), [], 'a blob alone is no stream');
  });

  whenKept('keeps its own bytes, and the last ones', async (store, probe) => {
    const bytes = bytesOf(1, 2, 3);
    await store.saveBlob({ stream: 'a', id: 'x', bytes }, probe.epoch);
    bytes.fill(9);
    assert.deepEqual(Uint8Array.from((await store.loadBlob('a', 'x')) ?? []), bytesOf(1, 2, 3));
    await store.saveBlob({ stream: 'a', id: 'x', bytes: bytesOf(4) }, probe.epoch);
    assert.deepEqual(Uint8Array.from((await store.loadBlob('a', 'x')) ?? []), bytesOf(4));
  });

  whenKept('forgets blobs with their stream, and refuses those of an owner before', async (store, probe) => {
    await probe.append(probe.batch('a', 0), probe.batch('b', 0));
    for (const stream of ['a', 'b'])
      await store.saveBlob({ stream, id: 'x', bytes: bytesOf(1) }, probe.epoch);
    await store.remove(['a']);
    assert.equal(await store.loadBlob('a', 'x'), undefined);
    assert.notEqual(await store.loadBlob('b', 'x'), undefined);
    await store.release('suite');
    await store.claim('other');
    const late = { stream: 'b', id: 'x', bytes: bytesOf(2) };
    assert.equal(await codeOf(async () => store.saveBlob(late, probe.epoch)), FENCED);
    assert.deepEqual(Uint8Array.from((await store.loadBlob('b', 'x')) ?? []), bytesOf(1));
    await store.release('other');
  });
}
