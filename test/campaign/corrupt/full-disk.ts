/**
 * A disk that is really full: a small file system in memory, mounted for the purpose.
 *
 * Owns: the mount, while it is there. Who may call it: the campaign.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem } from '../../../src/adapters/file/file-system.ts';
import { OrchestratorError } from '../../../src/model/errors.ts';
import { storeOn } from './classes.ts';
import type { Judge } from './judge.ts';
import { OWNER } from './story.ts';

const KIB = 1_024;
const ROOM_KIB = 256;
const APPENDS_MAX = 2_000;

/** @returns why it could not be tried, if it could not */
export async function fullDisk(judge: Judge, times: number): Promise<string | undefined> {
  const place = mkdtempSync(join(tmpdir(), 'campaign-full-'));
  try {
    const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${ROOM_KIB}k`, 'tmpfs', place]);
    if (made.status !== 0)
      return `mounting is not allowed here (${String(made.stderr ?? made.error ?? '').trim()})`;
    try {
      for (let i = 0; i < times; i++) await fill(judge, join(place, `store-${i}`), place, i);
    } finally {
      spawnSync('umount', [place]);
    }
    return undefined;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

async function fill(judge: Judge, folder: string, place: string, round: number): Promise<void> {
  judge.states++;
  const about = `the full disk, round ${round}`;
  const ballast = join(place, 'ballast');
  // Another size every time, so that the disk is full at another byte.
  writeFileSync(ballast, Buffer.alloc((40 + (round % 8) * 4) * KIB + round * 7));
  const store = storeOn(nodeFileSystem, round % 2 === 0 ? 'power' : 'os', folder);
  const acknowledged = new Map<string, string>();
  const claim = await judge.attempt(() => store.claim(OWNER), about);
  if (claim === undefined || claim instanceof OrchestratorError) {
    judge.violation('refused', about, 'there was room for a claim');
    return;
  }
  let first: OrchestratorError | undefined;
  for (let i = 0; i < APPENDS_MAX && first === undefined; i++) {
    const text = `${i} ${'x'.repeat((i * 37 + round * 11) % 3_000)}`;
    const end = await append(judge, store, claim.value, `s${i}`, text, about);
    if (end === undefined) acknowledged.set(`s${i}`, text);
    else first = end;
  }
  judge.count(first?.code ?? 'never full');
  if (first?.code !== 'STORE_FULL')
    judge.violation('crash', about, `found ${first?.code}; STORE_FULL was expected`);
  const later = await append(judge, store, claim.value, 'later', 'x', about);
  if (later === undefined) judge.violation('invented', about, 'taken after a write that failed');
  await judge.attempt(() => store.release(OWNER), about);
  rmSync(ballast);
  await reopen(judge, folder, acknowledged, about);
  rmSync(folder, { recursive: true });
}

async function append(
  judge: Judge,
  store: ReturnType<typeof storeOn>,
  epoch: number,
  stream: string,
  text: string,
  about: string,
): Promise<OrchestratorError | undefined> {
  const events = [{ type: 'T', seq: 1, at: 1, text }];
  const done = await judge.attempt(
    () => store.append([{ stream, expectedSeq: 0, epoch, events, versions: {} }]),
    about,
  );
  return done instanceof OrchestratorError ? done : undefined;
}

async function reopen(
  judge: Judge,
  folder: string,
  acknowledged: ReadonlyMap<string, string>,
  about: string,
): Promise<void> {
  const store = storeOn(nodeFileSystem, 'power', folder);
  const claim = await judge.attempt(() => store.claim(OWNER), about);
  if (claim === undefined || claim instanceof OrchestratorError) {
    judge.violation('refused', about, `there is room again: ${claim?.message}`);
    return;
  }
  for (const [stream, text] of acknowledged) {
    const found = await judge.attempt(() => store.read({ stream, fromSeq: 1, limit: 2 }), about);
    const records = found === undefined || found instanceof OrchestratorError ? [] : found.value;
    if ((records[0]?.payload as { text?: string } | undefined)?.text !== text || records.length !== 1)
      judge.violation('loss', about, `${stream} was acknowledged and is not there`);
  }
  if ((await append(judge, store, claim.value, 'room', 'x', about)) !== undefined)
    judge.violation('stuck', about, 'there is room again, and an append is refused');
  await judge.attempt(() => store.release(OWNER), about);
}
