/** F16: the heap of the host itself is exhausted. Nothing of it lives on, and the next host does its work. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endOf, runHost } from './child-host.ts';
import type { HeapReport } from './heap-host.ts';
import { milliseconds, printTable } from './table.ts';

const HEAP_MB = 64;
const HOST_MS_MAX = 60_000;
/** How long a child process may live on after its host, in milliseconds. */
const ORPHAN_MS_MAX = 10_000;

/** Returns whether all trials passed. */
export async function heapCampaign(trials: number): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'heap-'));
  const wrongs: string[] = [];
  let passed = 0;
  let worstMs = 0;
  let orphanMs = 0;
  for (let trial = 0; trial < trials; trial++) {
    const startedAt = performance.now();
    const found = await tryOnce(join(folder, String(trial)));
    worstMs = Math.max(worstMs, performance.now() - startedAt);
    orphanMs = Math.max(orphanMs, found.orphanMs);
    if (found.wrong === undefined) passed++;
    else wrongs.push(`trial ${trial}: ${found.wrong}`);
  }
  rmSync(folder, { recursive: true, force: true });
  printTable(
    ['fault', 'shape', 'passed', 'worst, both hosts', 'child process gone after its host'],
    [
      [
        'F16',
        `heap of the host full at ${HEAP_MB} MiB`,
        `${passed} of ${trials}`,
        milliseconds(worstMs),
        milliseconds(orphanMs),
      ],
    ],
  );
  for (const wrong of wrongs.slice(0, 3)) console.log(`WRONG F16: ${wrong}`);
  return passed === trials;
}

async function tryOnce(
  marker: string,
): Promise<{ readonly wrong: string | undefined; readonly orphanMs: number }> {
  const node = [`--max-old-space-size=${HEAP_MB}`];
  const full = await runHost('./heap-host.ts', { args: ['grow', marker], node, limitMs: HOST_MS_MAX });
  const pid = (full.reports[0] as HeapReport | undefined)?.pid;
  if (pid === undefined || !full.noise.includes('heap out of memory'))
    return { wrong: `the heap was not filled: ${endOf(full)} ${full.noise.slice(0, 300)}`, orphanMs: 0 };
  const orphanMs = await livesFor(pid);
  const next = await runHost('./heap-host.ts', { args: ['restart', marker], node, limitMs: HOST_MS_MAX });
  const { outputs } = (next.reports[0] ?? {}) as Partial<HeapReport>;
  const isRight =
    next.code === 0 &&
    outputs?.full === 'WORKER_OUT_OF_MEMORY' &&
    outputs.inThread === 1 &&
    outputs.inProcess === 2;
  if (!isRight)
    return {
      wrong: `the next host: ${endOf(next)} ${JSON.stringify(outputs)} ${next.noise.slice(0, 300)}`,
      orphanMs,
    };
  return { wrong: orphanMs > ORPHAN_MS_MAX ? 'its child process lives on' : undefined, orphanMs };
}

/** How long a process lives on; it is ended when that is too long. */
async function livesFor(pid: number): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const ms = performance.now() - startedAt;
    try {
      process.kill(pid, ms > ORPHAN_MS_MAX ? 'SIGKILL' : 0);
    } catch {
      return ms;
    }
    if (ms > ORPHAN_MS_MAX) return ms;
    await sleep(5);
  }
}
