/** The bench of durable stores: many workflows and one, then stores in which much is stored. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fixed } from '../report.ts';
import type { Verdict } from '../targets.ts';
import type { FlowFigures } from './flow-figures.ts';
import { flowsPart } from './flows-suite.ts';
import { busyByOthers, OTHERS_MAX, SYNCS_MIN } from './machine.ts';
import { storedPart } from './stored-suite.ts';

export const STORE_PACKAGES = ['@taskmaster-ai/orchestrator', 'better-sqlite3'];
export const STORE_PARTS = ['flows', 'stored'] as const;
export type StorePart = (typeof STORE_PARTS)[number];

export const STORED_EVENTS = 1_000_000;

export interface StoresAsk {
  readonly rounds: number;
  readonly parts: readonly StorePart[];
  /** How many events the largest store has. */
  readonly size: number;
  /** Where the stores are made; the system's folder for temporary files otherwise. */
  readonly folder: string | undefined;
  readonly say: (line: string) => void;
}

export interface StoresResult {
  readonly text: string;
  readonly verdicts: readonly Verdict[];
  readonly json: Readonly<Record<string, unknown>>;
}

export async function storesSuite({ rounds, parts, size, folder, say }: StoresAsk): Promise<StoresResult> {
  const root = mkdtempSync(join(resolve(folder ?? tmpdir()), 'bench-stores-'));
  const busyBefore = await busyByOthers();
  const plan = { folder: root, rounds, say };
  try {
    const flows = parts.includes('flows') ? await flowsPart(plan) : undefined;
    const stored = parts.includes('stored') ? await storedPart({ ...plan, size }) : undefined;
    const busy = Math.max(busyBefore, await busyByOthers());
    const done = [flows, stored].filter((part) => part !== undefined);
    const unfit = unfitFor(busy, (flows?.json as FlowFigures | undefined)?.syncsPerSecond);
    const verdicts = done.flatMap((part) => part.verdicts);
    return {
      text: [...done.map((part) => part.text), ...(unfit === undefined ? [] : [unfit])].join('\n\n'),
      verdicts: unfit === undefined ? verdicts : verdicts.map((verdict) => ({ ...verdict, kind: 'goal' })),
      json: { busyByOthers: busy, flows: flows?.json, stored: stored?.json },
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** These targets are times; a machine that is not free, or whose disk is slow, says nothing about them. */
function unfitFor(busy: number, syncs: number | undefined): string | undefined {
  const reasons: string[] = [];
  if (busy > OTHERS_MAX)
    reasons.push(`others keep ${fixed(busy, 1)} processors busy (at most ${OTHERS_MAX})`);
  if (syncs !== undefined && syncs < SYNCS_MIN)
    reasons.push(`the disk syncs ${fixed(syncs, 0)} times a second (at least ${SYNCS_MIN})`);
  if (reasons.length === 0) return undefined;
  return `NOT FIT TO JUDGE: ${reasons.join(', and ')}; so the targets below are shown as goals, and --gate passes by them`;
}
