/** Runs on an encrypted store: what stands on the disk, and whose keys open it (row B12). */
import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  defineWorkflow,
  type EventStore,
  Orchestrator,
  type OrchestratorOptions,
  task,
} from '@taskmaster-ai/orchestrator';
import { type EncryptionOptions, encryptedStore } from '@taskmaster-ai/orchestrator/encryption';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Sealed } from '../../../src/base/sealed.ts';
import { rejection } from '../../support/errors.ts';
import { createGate } from '../../support/gate.ts';

const SECRET = 'hunter2-the-canary';
const root = mkdtempSync(join(tmpdir(), 'encrypted-runs-'));
const [k1, k2] = [randomBytes(32), randomBytes(32)];
let folder = '';
let folders = 0;

afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => {
  folder = join(root, `${++folders}`);
});

async function open(
  encryption: EncryptionOptions | undefined,
  options: OrchestratorOptions = {},
): Promise<Orchestrator> {
  const files = fileStore(folder, { durability: 'os' });
  const store: EventStore = encryption === undefined ? files : encryptedStore(files, encryption);
  const orchestrator = await Orchestrator.open({ store, inlineLimit: 1_024, ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

/** One task tells the secret in a small output, one in a large one, one in its failure; then somebody waits. */
function telling(wait: () => Promise<void>) {
  const small = task('small', { run: () => SECRET });
  const large = task('large', { run: () => SECRET.repeat(500) });
  const failing = task('failing', {
    run: () => {
      throw new Error(`no entry with ${SECRET}`);
    },
  });
  const last = task('last', {
    dependencies: { small, large },
    run: async ({ dependencies }) => {
      await wait();
      return dependencies.small.length + dependencies.large.length;
    },
  });
  return defineWorkflow('telling', { failurePolicy: 'continue', tasks: [small, large, failing, last] });
}

/** A run that goes on in the store, with a checkpoint; whoever began it is gone. */
async function begin(encryption: EncryptionOptions | undefined): Promise<string> {
  const gate = createGate();
  const orchestrator = await open(encryption);
  const run = await orchestrator.manageWorkflow(
    telling(() => gate.promise),
    { input: { token: SECRET } },
  );
  for await (const event of run.events()) if (event.type === 'TaskStarted' && event.path === 'last') break;
  await orchestrator.persistence.createCheckpoint(run.runId, { name: 'kept' });
  await orchestrator.close({ grace: 0 });
  return run.runId;
}

/** Everything that the files hold. */
function bytesOnDisk(): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))));
}

const goOn = { workflows: [telling(() => Promise.resolve())] };

describe('a run on an encrypted store', () => {
  it('given outputs, large ones, failures, inputs and checkpoints, then nothing of them stands on the disk, and the run goes on with the key', async () => {
    const plain = await begin(undefined);
    expect(plain).toBeTypeOf('string');
    expect(bytesOnDisk().includes(SECRET)).toBe(true);
    folder = `${folder}-encrypted`;
    const runId = await begin({ current: 'k1', keys: { k1 } });
    expect(bytesOnDisk().includes(SECRET)).toBe(false);
    expect(bytesOnDisk().includes(Buffer.from(SECRET).toString('base64').slice(0, 20))).toBe(false);
    const orchestrator = await open({ current: 'k1', keys: { k1 } }, goOn);
    const settled = await orchestrator.getRun(runId).settled();
    expect(settled).toMatchObject({
      status: 'failed',
      outputs: { small: SECRET, large: SECRET.repeat(500), last: SECRET.length * 501 },
    });
    expect(settled.failures[0]?.failure.message).toContain(SECRET);
    const [checkpoint] = await orchestrator.persistence.listCheckpoints(runId);
    expect(checkpoint?.name).toBe('kept');
    const fork = await orchestrator.persistence.restoreFromCheckpoint(checkpoint?.id as string);
    expect((await orchestrator.getRun(fork.runId).settled()).outputs).toMatchObject({
      last: SECRET.length * 501,
    });
  });

  it.each([
    ['bytes', (key: Buffer) => key],
    ['a secret key object', (key: Buffer) => createSecretKey(key)],
    ['hexadecimal digits', (key: Buffer) => key.toString('hex')],
    ['Base64', (key: Buffer) => key.toString('base64')],
  ])('given the same key as %s, then it opens', async (_what, as) => {
    const runId = await begin({ current: 'k1', keys: { k1 } });
    const orchestrator = await open({ current: 'k1', keys: { k1: as(k1) } }, goOn);
    expect((await orchestrator.getRun(runId).settled()).outputs).toMatchObject({ small: SECRET });
  });
});

describe('B12: keys', () => {
  const refused = async (encryption: EncryptionOptions | undefined) => {
    const before = bytesOnDisk();
    const error = await rejection(open(encryption, goOn));
    // What a claim writes of its owner is not what was kept.
    expect(bytesOnDisk().length).toBeGreaterThanOrEqual(before.length - 512);
    expect(`${error.message} ${JSON.stringify(error.details)}`).not.toContain(k1.toString('hex'));
    return error;
  };

  it('given an encrypted store without a key, then it is refused, and opens with it afterwards', async () => {
    const runId = await begin({ current: 'k1', keys: { k1 } });
    expect(await refused(undefined)).toMatchObject({ code: 'KEY_REQUIRED' });
    const orchestrator = await open({ current: 'k1', keys: { k1 } }, goOn);
    expect((await orchestrator.getRun(runId).settled()).outputs).toMatchObject({ small: SECRET });
  });

  it('given another key under the same id, then it is refused', async () => {
    await begin({ current: 'k1', keys: { k1 } });
    expect(await refused({ current: 'k1', keys: { k1: k2 } })).toMatchObject({
      code: 'KEY_WRONG',
      details: { keyId: 'k1' },
    });
    expect(await refused({ current: 'k2', keys: { k1: k2, k2 } })).toMatchObject({ code: 'KEY_WRONG' });
  });

  it('given a key id that is not known, then it is refused, and names it', async () => {
    await begin({ current: 'k1', keys: { k1 } });
    const error = await refused({ current: 'k2', keys: { k2 } });
    expect(error).toMatchObject({ code: 'KEY_UNKNOWN', details: { keyId: 'k1' } });
    expect(error.message).toContain('allowed: "k2"');
  });

  it('given a store without encryption, then it is refused, or read if that is asked for', async () => {
    const runId = await begin(undefined);
    expect(await refused({ current: 'k1', keys: { k1 } })).toMatchObject({ code: 'PLAIN_REFUSED' });
    const orchestrator = await open({ current: 'k1', keys: { k1 }, plain: 'read' }, goOn);
    expect((await orchestrator.getRun(runId).settled()).outputs).toMatchObject({ small: SECRET });
    await orchestrator.close();
    // What was written before is still not encrypted.
    expect(await refused({ current: 'k1', keys: { k1 } })).toMatchObject({ code: 'PLAIN_REFUSED' });
  });
});

describe('a new key', () => {
  it('given both, then what the old one has encrypted is read, and what is new is encrypted by the new one', async () => {
    const runId = await begin({ current: 'k1', keys: { k1 } });
    const both = await open({ current: 'k2', keys: { k1, k2 } }, goOn);
    expect((await both.getRun(runId).settled()).outputs).toMatchObject({ small: SECRET });
    const next = await both.manageWorkflow(telling(() => Promise.resolve()));
    await next.settled();
    await both.close();
    // Read as it is: each record says by which key it was encrypted.
    const files = fileStore(folder, { durability: 'os' });
    const keysOf = async (id: string): Promise<readonly string[]> => {
      const records = await files.read({ stream: `run:${id}`, fromSeq: 1, limit: 100 });
      return records.map(({ payload }) => Buffer.from((payload as Sealed).sealed).toString('latin1', 5, 7));
    };
    const old = await keysOf(runId);
    expect([old[0], old.at(-1)]).toEqual(['k1', 'k2']);
    expect(new Set(await keysOf(next.runId))).toEqual(new Set(['k2']));
    expect(await rejection(open({ current: 'k2', keys: { k2 } }, goOn))).toMatchObject({
      code: 'KEY_UNKNOWN',
    });
  });

  it('given a function that finds keys, then it is asked once for each that is needed', async () => {
    const runId = await begin({ current: 'k1', keys: { k1 } });
    const asked: string[] = [];
    const keys = async (id: string) => {
      asked.push(id);
      return { k1, k2 }[id];
    };
    const orchestrator = await open({ current: 'k2', keys }, goOn);
    expect((await orchestrator.getRun(runId).settled()).outputs).toMatchObject({ small: SECRET });
    expect(asked.sort()).toEqual(['k1', 'k2']);
  });

  it('given a function that does not know one, or fails, then opening is refused, and the store is free again', async () => {
    await begin({ current: 'k1', keys: { k1 } });
    expect(await rejection(open({ current: 'k9', keys: () => undefined }))).toMatchObject({
      code: 'KEY_UNKNOWN',
      details: { keyId: 'k9' },
    });
    const down = new Error('the key service is down');
    await expect(open({ current: 'k1', keys: () => Promise.reject(down) })).rejects.toBe(down);
    await expect(open({ current: 'k1', keys: { k1 } }, goOn)).resolves.toBeInstanceOf(Orchestrator);
  });
});
