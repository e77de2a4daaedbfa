import assert from 'node:assert/strict';
import type {
  EventRecord,
  EventStore,
  LoggedEvent,
  MaybePromise,
  StreamInfo,
} from '../../ports/event-store.ts';
import { checkpoints } from './checkpoint-tests.ts';
import { blobs, facts } from './fact-tests.ts';
import { reopened } from './reopen-tests.ts';
import { CONFLICT, eventOf, FENCED, Probe, recordOf, type Test } from './store-probe.ts';
import { codeOf, type SuiteRunner } from './suite-runner.ts';

/** Makes an empty store for one test; it may be cleaned away when the runner says that the test is over. */
export type CreateEventStore = () => MaybePromise<EventStore>;

/**
 * What every `EventStore` must do. Call it in a test file of any runner:
 *
 * @example
 * import { describe, it } from 'node:test';
 * eventStoreSuite(() => new MyStore(), { describe, it });
 *
 * @param reopen - for a store that outlives its process: the same one, opened anew after it was released
 */
export function eventStoreSuite(
  create: CreateEventStore,
  runner: SuiteRunner,
  reopen?: (store: EventStore) => MaybePromise<EventStore>,
): void {
  const parts: readonly [string, (test: Test) => void][] = [
    ['append and read', appendAndRead],
    ['conflicts', conflicts],
    ['unique keys', uniqueKeys],
    ['owners', owners],
    ['list and remove', listAndRemove],
    ['checkpoints', checkpoints],
    ['facts', facts],
    ['blobs', blobs],
  ];
  for (const [name, part] of parts) {
    runner.describe(`EventStore: ${name}`, () => {
      part((title, body) => {
        runner.it(title, async () => {
          const store = await create();
          const epoch = await store.claim('suite');
          await body(new Probe(store, epoch));
          await store.release('suite');
        });
      });
    });
  }
  if (reopen !== undefined) runner.describe('EventStore: reopened', () => reopened(create, reopen, runner));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

function appendAndRead(test: Test): void {
  test('gives back what was written, every field of it, in order', async (probe) => {
    await probe.append(probe.batch('a', 0, 3));
    await probe.append(probe.batch('a', 3, 2));
    const records = await probe.store.read({ stream: 'a', fromSeq: 1, limit: 10 });
    assert.deepEqual(
      [...records],
      range(1, 5).map((seq) => recordOf('a', seq)),
    );
  });

  test('reads from a place, at most so many, and nothing behind the end', async (probe) => {
    await probe.append(probe.batch('a', 0, 10));
    assert.deepEqual(await probe.seqs('a', 4, 3), [4, 5, 6]);
    assert.deepEqual(await probe.seqs('a', 9, 5), [9, 10]);
    assert.deepEqual(await probe.seqs('a', 11, 5), []);
    assert.deepEqual(await probe.seqs('unknown'), []);
  });

  test('writes several streams together', async (probe) => {
    await probe.append(probe.batch('a', 0, 2), probe.batch('b', 0, 1));
    await probe.append(probe.batch('b', 1, 2), probe.batch('c', 0, 1), probe.batch('a', 2, 1));
    assert.deepEqual(
      [await probe.seqs('a'), await probe.seqs('b'), await probe.seqs('c')],
      [[1, 2, 3], [1, 2, 3], [1]],
    );
  });

  test('does not let a reader change what it keeps', async (probe) => {
    await probe.append(probe.batch('a', 0, 2));
    const records = (await probe.store.read({ stream: 'a', fromSeq: 1, limit: 10 })) as EventRecord[];
    // An answer may be frozen; if it is not, it must be the reader's own.
    if (!Object.isFrozen(records)) records.splice(0);
    assert.deepEqual(await probe.seqs('a'), [1, 2]);
  });

  test('does not look again at what the writer gave it', async (probe) => {
    const batch = probe.batch('a', 0, 2);
    await probe.append(batch);
    (batch.events as LoggedEvent[]).pop();
    assert.deepEqual(await probe.seqs('a'), [1, 2]);
  });

  test('keeps a long stream', async (probe) => {
    for (let written = 0; written < 3_000; written += 600) await probe.append(probe.batch('a', written, 600));
    assert.deepEqual(await probe.seqs('a', 2_990), range(2_990, 3_000));
  });
}

function conflicts(test: Test): void {
  test('refuses an expectedSeq that is not that of the last record', async (probe) => {
    await probe.append(probe.batch('a', 0, 2));
    for (const expectedSeq of [0, 1, 3]) await probe.refused(probe.batch('a', expectedSeq));
    await probe.refused(probe.batch('new', 1));
    assert.deepEqual(await probe.seqs('a'), [1, 2]);
    assert.deepEqual(await probe.streams(), ['a']);
  });

  test('writes nothing of a batch of which one part is refused', async (probe) => {
    await probe.append(probe.batch('a', 0, 2));
    await probe.refused(probe.batch('b', 0, 1, ['key']), probe.batch('a', 2, 1), probe.batch('c', 7, 1));
    assert.deepEqual(await probe.seqs('a'), [1, 2]);
    assert.deepEqual(await probe.streams(), ['a']);
    assert.equal(await probe.store.findKey('key'), undefined);
  });

  test('lets one of two appends win that begin at the same place', async (probe) => {
    const codes = await Promise.all([
      codeOf(() => probe.store.append([probe.batch('a', 0, 1)])),
      codeOf(() => probe.store.append([probe.batch('a', 0, 2)])),
    ]);
    assert.deepEqual([...codes].sort(), [CONFLICT, undefined]);
    assert.deepEqual(await probe.seqs('a'), codes[0] === undefined ? [1] : [1, 2]);
  });

  test('refuses the epoch of an owner that is no longer one', async (probe) => {
    await probe.append(probe.batch('a', 0));
    await probe.store.release('suite');
    const epoch = await probe.store.claim('other');
    await probe.fenced(probe.batch('a', 1));
    // Whatever else does not fit: who has lost the store is told that.
    await probe.fenced(probe.batch('a', 7));
    await probe.fenced({ ...probe.batch('a', 1), epoch: epoch + 1 });
    await probe.store.append([{ ...probe.batch('a', 1), epoch }]);
    assert.deepEqual(await probe.seqs('a'), [1, 2]);
    await probe.store.release('other');
  });

  test('removes nothing for an owner that is no longer one', async (probe) => {
    const { store } = probe;
    await probe.append(probe.batch('a', 0, 1, ['k']));
    await store.saveBlob?.({ stream: 'a', id: 'b', bytes: new Uint8Array(9) }, probe.epoch);
    await store.saveCheckpoint?.(
      { id: 'c', stream: 'a', seq: 1, at: 1, schemaVersion: 1, payload: {} },
      probe.epoch,
    );
    await store.release('suite');
    const epoch = await store.claim('other');
    assert.equal(await codeOf(() => store.remove(['a'], probe.epoch)), FENCED);
    assert.equal(await codeOf(() => store.remove(['unknown', 'a'], probe.epoch)), FENCED);
    assert.equal(await codeOf(() => store.remove([], probe.epoch)), FENCED);
    if (store.removeCheckpoint !== undefined)
      assert.equal(await codeOf(() => store.removeCheckpoint?.('c', probe.epoch)), FENCED);
    assert.deepEqual([await probe.seqs('a'), await store.findKey('k')], [[1], 'a']);
    if (store.loadBlob !== undefined) assert.equal((await store.loadBlob('a', 'b'))?.length, 9);
    if (store.loadCheckpoint !== undefined) assert.equal((await store.loadCheckpoint('c'))?.seq, 1);
    await store.remove(['a'], epoch);
    assert.deepEqual(await probe.seqs('a'), []);
    await store.release('other');
  });
}

function uniqueKeys(test: Test): void {
  test('binds a key to its stream', async (probe) => {
    assert.equal(await probe.store.findKey('k1'), undefined);
    await probe.append(probe.batch('a', 0, 1, ['k1', 'k2']), probe.batch('b', 0, 1, ['k3']));
    assert.deepEqual(
      [await probe.store.findKey('k1'), await probe.store.findKey('k2'), await probe.store.findKey('k3')],
      ['a', 'a', 'b'],
    );
  });

  test('refuses a key that is taken, by whomever', async (probe) => {
    await probe.append(probe.batch('a', 0, 1, ['k']));
    await probe.refused(probe.batch('b', 0, 1, ['k']));
    await probe.refused(probe.batch('a', 1, 1, ['k']));
    await probe.refused(probe.batch('b', 0, 1, ['fresh']), probe.batch('c', 0, 1, ['k']));
    assert.equal(await probe.store.findKey('fresh'), undefined);
    assert.deepEqual(await probe.streams(), ['a']);
  });

  test('refuses a key that two streams of one batch want', async (probe) => {
    await probe.refused(probe.batch('a', 0, 1, ['k']), probe.batch('b', 0, 1, ['k']));
    assert.equal(await probe.store.findKey('k'), undefined);
  });

  test('takes a key for what it is, whatever it is called', async (probe) => {
    const names = ['__proto__', 'constructor', 'ü', 'a/b', 'A/B'];
    for (const name of names) await probe.append(probe.batch(name, 0, 1, [name]));
    for (const name of names) {
      assert.equal(await probe.store.findKey(name), name);
      assert.deepEqual(await probe.seqs(name), [1]);
    }
    assert.equal(await probe.store.findKey('toString'), undefined);
  });
}

function owners(test: Test): void {
  test('has one owner at a time', async (probe) => {
    assert.equal(await codeOf(() => probe.store.claim('other')), 'STORE_OWNED');
    await probe.store.release('other');
    assert.equal(await codeOf(() => probe.store.claim('other')), 'STORE_OWNED');
    await probe.append(probe.batch('a', 0));
  });

  test('gives each claim a greater epoch', async (probe) => {
    const epochs = [probe.epoch];
    for (let i = 0; i < 3; i++) {
      await probe.store.release(i === 0 ? 'suite' : `owner ${i - 1}`);
      epochs.push(await probe.store.claim(`owner ${i}`));
    }
    assert.deepEqual(
      epochs,
      [...new Set(epochs)].sort((a, b) => a - b),
    );
    await probe.store.release('owner 2');
  });
}

function listAndRemove(test: Test): void {
  test('lists streams in the order of their creation, with their last record', async (probe) => {
    await probe.append(probe.batch('run:z', 0, 2), probe.batch('other', 0, 1));
    await probe.append(probe.batch('run:a', 0, 1));
    await probe.append(probe.batch('run:z', 2, 3));
    assert.deepEqual(
      [...(await probe.store.list({ prefix: 'run:', limit: 10 }))],
      [
        { stream: 'run:z', lastSeq: 5, lastType: 'T5', lastAt: eventOf(5).at },
        { stream: 'run:a', lastSeq: 1, lastType: 'T1', lastAt: eventOf(1).at },
      ],
    );
    assert.deepEqual(await probe.streams(), ['run:z', 'other', 'run:a']);
    assert.deepEqual(await probe.streams('none'), []);
  });

  test('lists page by page', async (probe) => {
    const names = range(1, 25).map((i) => `s${(i * 7) % 26}`);
    for (const name of names) await probe.append(probe.batch(name, 0));
    const seen: string[] = [];
    for (let after: string | undefined; ; after = seen[seen.length - 1]) {
      const request = { prefix: 's', limit: 10, ...(after === undefined ? undefined : { after }) };
      const page = await probe.store.list(request);
      seen.push(...page.map((info) => info.stream));
      if (page.length < 10) break;
    }
    assert.deepEqual(seen, names);
  });

  pagesOfRemoved(test);

  test('forgets streams with their keys, and lets them begin anew', async (probe) => {
    await probe.append(probe.batch('a', 0, 3, ['k']), probe.batch('b', 0, 1, ['l']));
    await probe.store.remove(['a', 'unknown']);
    assert.deepEqual(await probe.seqs('a'), []);
    assert.deepEqual(await probe.streams(), ['b']);
    assert.equal(await probe.store.findKey('k'), undefined);
    assert.equal(await probe.store.findKey('l'), 'b');
    await probe.refused(probe.batch('a', 3));
    await probe.append(probe.batch('a', 0, 1, ['k']));
    assert.deepEqual(await probe.streams(), ['b', 'a']);
  });
}

function pagesOfRemoved(test: Test): void {
  test('lists page by page while what was listed is removed, and never takes that for the end', async (probe) => {
    const names = range(1, 9).map((i) => `run:${i}`);
    await probe.append(...names.map((name) => probe.batch(name, 0)));
    const seen: string[] = [];
    for (let after: string | undefined; ; after = seen[seen.length - 1]) {
      let page: readonly StreamInfo[] = [];
      const code = await codeOf(async () => {
        page = await probe.store.list({ prefix: 'run:', limit: 2, after });
      });
      if (code !== undefined) {
        // Whoever does not know where it stood says so; what is left is found from the beginning.
        assert.equal(code, 'PAGE_LOST');
        page = await probe.store.list({ prefix: 'run:', limit: 2 });
      }
      seen.push(...page.map(({ stream }) => stream));
      if (page.length < 2) break;
      await probe.store.remove(page.map(({ stream }) => stream));
    }
    assert.deepEqual(seen, names);
    // One that begins anew stands at the end.
    await probe.append(probe.batch('run:2', 0), probe.batch('run:10', 0));
    const behind = await probe.store.list({ prefix: 'run:', limit: 5, after: 'run:2' });
    assert.deepEqual(
      behind.map(({ stream }) => stream),
      ['run:10'],
    );
  });

  test('refuses a page behind a stream that it knows nothing of', async (probe) => {
    await probe.append(probe.batch('run:1', 0));
    const request = { prefix: 'run:', limit: 5, after: 'run:never' };
    assert.equal(await codeOf(() => probe.store.list(request)), 'PAGE_LOST');
  });
}
