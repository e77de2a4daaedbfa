import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventStore } from '@taskmaster-ai/orchestrator';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { eventStoreSuite } from '@taskmaster-ai/orchestrator/testing';
import { afterAll, describe, it } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'file-store-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

describe.each([
  ['as it is', {}],
  ['with small segments', { durability: 'os', segmentBytes: 4_096, garbageBytes: 4_096, indexBytes: 4_096 }],
] as const)('a file store %s', (_what, options) => {
  const folderOf = new WeakMap<EventStore, string>();
  const at = (folder: string): EventStore => {
    const store = fileStore(folder, options);
    folderOf.set(store, folder);
    return store;
  };
  eventStoreSuite(
    () => at(join(root, `store-${folders++}`)),
    { describe, it },
    (store) => at(folderOf.get(store) as string),
  );
});
