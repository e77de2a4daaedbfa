import assert from 'node:assert/strict';
import type { CheckpointRecord, EventStore } from '../../ports/event-store.ts';
import { FENCED, type Probe, type Test } from './store-probe.ts';
import { codeOf } from './suite-runner.ts';

/** The four methods on checkpoints, of a store that has them. */
type CheckpointStore = Required<
  Pick<EventStore, 'saveCheckpoint' | 'loadCheckpoint' | 'listCheckpoints' | 'removeCheckpoint'>
>;

function checkpointOf(stream: string, seq: number, id = `${stream}/${seq}`): CheckpointRecord {
  const payload = { seq, list: [{ deep: [1, null, 'ü€😀'] }], text: `state ${seq}` };
  return { id, stream, seq, at: 1_000 + seq, schemaVersion: 1, name: `number ${seq}`, payload };
}

type WhenKept = (
  title: string,
  body: (store: EventStore & CheckpointStore, probe: Probe) => Promise<void>,
) => void;

/** What a store that keeps checkpoints must do with them. */
export function checkpoints(test: Test): void {
  /** A store may keep no checkpoints at all; then it has none of the methods, and nothing is to be tested. */
  const whenKept: WhenKept = (title, body) =>
    test(title, async (probe) => {
      const { store } = probe;
      const methods = [
        store.saveCheckpoint,
        store.loadCheckpoint,
        store.listCheckpoints,
        store.removeCheckpoint,
      ].filter((method) => method !== undefined);
      assert.ok(methods.length === 0 || methods.length === 4, 'all four methods on checkpoints, or none');
      if (methods.length === 4) await body(store as EventStore & CheckpointStore, probe);
    });
  keptCheckpoints(whenKept);
  goneCheckpoints(whenKept);
}

function keptCheckpoints(whenKept: WhenKept): void {
  whenKept('gives back what was saved, every field of it', async (store, probe) => {
    await probe.append(probe.batch('a', 0, 5));
    await store.saveCheckpoint(checkpointOf('a', 5), probe.epoch);
    assert.deepEqual({ ...(await store.loadCheckpoint('a/5')) }, checkpointOf('a', 5));
    assert.equal(await store.loadCheckpoint('a/4'), undefined);
    assert.equal(await store.loadCheckpoint('toString'), undefined);
  });

  whenKept('lists those of one stream, without their content', async (store, probe) => {
    await probe.append(probe.batch('a', 0, 5), probe.batch('b', 0, 5));
    for (const seq of [3, 5, 1]) await store.saveCheckpoint(checkpointOf('a', seq), probe.epoch);
    await store.saveCheckpoint(checkpointOf('b', 2), probe.epoch);
    const { payload: _, ...info } = checkpointOf('a', 3);
    const listed = [...(await store.listCheckpoints('a'))];
    assert.deepEqual({ ...listed[0] }, info);
    assert.deepEqual(
      listed.map(({ seq }) => seq),
      [3, 5, 1],
    );
    assert.deepEqual([...(await store.listCheckpoints('unknown'))], []);
  });

  whenKept('puts one in the place of another of the same id', async (store, probe) => {
    await probe.append(probe.batch('a', 0, 5));
    for (const seq of [2, 4]) await store.saveCheckpoint(checkpointOf('a', seq, 'latest'), probe.epoch);
    assert.equal((await store.loadCheckpoint('latest'))?.seq, 4);
    assert.equal((await store.listCheckpoints('a')).length, 1);
  });
}

function goneCheckpoints(whenKept: WhenKept): void {
  whenKept('forgets one, and those of a stream that is removed', async (store, probe) => {
    await probe.append(probe.batch('a', 0, 5), probe.batch('b', 0, 5));
    for (const seq of [1, 2]) await store.saveCheckpoint(checkpointOf('a', seq), probe.epoch);
    await store.saveCheckpoint(checkpointOf('b', 1), probe.epoch);
    await store.removeCheckpoint('a/1');
    await store.removeCheckpoint('unknown');
    assert.deepEqual(
      (await store.listCheckpoints('a')).map(({ id }) => id),
      ['a/2'],
    );
    await store.remove(['a']);
    assert.equal(await store.loadCheckpoint('a/2'), undefined);
    assert.deepEqual([...(await store.listCheckpoints('a'))], []);
    assert.equal((await store.loadCheckpoint('b/1'))?.seq, 1);
  });

  whenKept('refuses the epoch of an owner that is no longer one', async (store, probe) => {
    await probe.append(probe.batch('a', 0, 5));
    await store.release('suite');
    const epoch = await store.claim('other');
    assert.equal(await codeOf(() => store.saveCheckpoint(checkpointOf('a', 5), probe.epoch)), FENCED);
    assert.equal(await store.loadCheckpoint('a/5'), undefined);
    await store.saveCheckpoint(checkpointOf('a', 5), epoch);
    await store.release('other');
  });

  whenKept('appends to no log, and lists no stream, because of a checkpoint', async (store, probe) => {
    await probe.append(probe.batch('a', 0, 2));
    await store.saveCheckpoint(checkpointOf('a', 2), probe.epoch);
    assert.deepEqual(await probe.streams(), ['a']);
    assert.deepEqual(await probe.seqs('a'), [1, 2]);
    await probe.append(probe.batch('a', 2, 1));
  });
}
