import { describeValue, quote } from '../base/values.ts';
import { checkChoice, checkKeys, checkRecord, copyList } from './checks.ts';
import { refuse } from './errors.ts';
import { checkId } from './ids.ts';

/** How a lock is held: by one alone, or by several together that all hold it shared. */
export type LockMode = 'exclusive' | 'shared';

/** A lock that a task holds while it runs; a bare name means exclusive. */
export type LockRequest = string | { readonly name: string; readonly mode?: LockMode };

/** An amount of a resource that a task holds (or, of a replenishing one or a budget, uses up) while it runs. */
export interface ResourceNeed {
  readonly name: string;
  readonly amount: number;
}

/** A lock that a task needs. */
export interface LockNeed {
  readonly name: string;
  readonly mode: LockMode;
}

/** The most locks that can be asked for together. */
export const LOCKS_MAX = 10_000;

const LOCK_KEYS: ReadonlySet<string> = new Set(['name', 'mode']);

/**
 * Checks `resourceRequirements`: an object from resource name to a positive amount.
 * @throws OrchestratorError `RESOURCE_AMOUNT_INVALID`, `ID_INVALID`, `OPTION_INVALID`
 */
export function checkResourceNeeds(value: unknown, at: string): readonly ResourceNeed[] {
  const record = checkRecord(value, at, 'an object from resource name to amount, such as { cpu: 1 }');
  const needs: ResourceNeed[] = [];
  for (const key of Object.keys(record)) {
    const name = checkId(key, `${at}/${key}`, 'a resource name');
    const amount = record[key];
    if (typeof amount !== 'number' || !(amount > 0) || amount > Number.MAX_SAFE_INTEGER) {
      throw refuse('RESOURCE_AMOUNT_INVALID', {
        at: `${at}/${name}`,
        found: describeValue(amount),
        allowed: 'a number above 0',
      });
    }
    needs.push({ name, amount });
  }
  return needs.sort(byName);
}

/**
 * Checks `locks`: names, or objects with a name and a mode. The whole set is taken at once.
 * @throws OrchestratorError `LOCK_CONFLICT`, `ID_INVALID`, `OPTION_INVALID`, `LIMIT_EXCEEDED`
 */
export function checkLockNeeds(value: unknown, at: string): readonly LockNeed[] {
  if (!Array.isArray(value)) {
    throw refuse('OPTION_INVALID', {
      at,
      found: describeValue(value),
      allowed: 'an array of lock names, or of { name, mode }',
    });
  }
  const byLock = new Map<string, LockMode>();
  copyList(value, at, LOCKS_MAX, 'locks').forEach((request, i) => {
    const need = checkLock(request, `${at}/${i}`);
    const known = byLock.get(need.name);
    if (known !== undefined && known !== need.mode) {
      throw refuse('LOCK_CONFLICT', {
        at: `${at}/${i}`,
        found: `lock ${quote(need.name)} in both modes`,
        allowed: 'one mode for each lock',
      });
    }
    byLock.set(need.name, need.mode);
  });
  return [...byLock].map(([name, mode]) => ({ name, mode })).sort(byName);
}

function checkLock(request: unknown, at: string): LockNeed {
  if (typeof request === 'string') return { name: checkId(request, at, 'a lock name'), mode: 'exclusive' };
  const record = checkRecord(request, at, 'a lock name, or { name, mode }');
  checkKeys(record, LOCK_KEYS, at);
  const mode =
    record.mode === undefined ? 'exclusive' : checkChoice(record.mode, `${at}/mode`, ['exclusive', 'shared']);
  return { name: checkId(record.name, `${at}/name`, 'a lock name'), mode };
}

/** Names what is asked for, in messages. */
export function nameRequest(at: string, asked: readonly { readonly name: string }[]): string {
  const names = asked.map(({ name }) => name).join(', ');
  return `${at}(${names.length <= 200 ? names : `${names.slice(0, 200)}…`})`;
}

/** Needs are kept in one order, so that equal sets are equal texts. */
function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
