import { CAPACITY_MAX } from '../managers/resources/row.ts';
import type { AgentLimits } from '../managers/scheduling/needs-book.ts';
import {
  checkInteger,
  checkKeys,
  checkNumber,
  checkRecord,
  checkTimeLimit,
  type Duration,
} from '../model/checks.ts';
import { refuse } from '../model/errors.ts';
import { checkId } from '../model/ids.ts';

/**
 * How much there is of a resource:
 * - a number: that much at once (`cpu: 4`);
 * - `{ capacity, per }`: that much in any span of that length (`{ capacity: 90_000, per: '1m' }`);
 * - `{ budget }`: that much in all.
 */
export type ResourceOptions =
  | number
  | { readonly capacity: number; readonly per?: Duration }
  | { readonly budget: number };

/** What an agent may do. */
export interface AgentOptions {
  /** Tasks of this agent in progress at once. Default: no limit. */
  readonly concurrency?: number | undefined;
  /** Starts of tasks of this agent in any span of that length. */
  readonly rate?: { readonly limit: number | undefined; readonly per: Duration };
}

/** A resource, checked. */
export interface ResourceSpec {
  readonly name: string;
  readonly kind: 'resource' | 'rate' | 'budget';
  readonly capacity: number;
  readonly perMs: number | undefined;
}

/** The greatest number of tasks at once, and of ended runs that are kept. */
export const COUNT_MAX = 1_000_000;

/** @throws OrchestratorError `ID_INVALID`, `OPTION_INVALID`, `OPTION_UNKNOWN`, `OPTION_CONFLICT` */
export function checkResources(value: unknown, at: string): readonly ResourceSpec[] {
  if (value === undefined) return [];
  const record = checkRecord(value, at, 'an object from resource name to capacity');
  return Object.keys(record).map((key) =>
    checkResource(checkId(key, `${at}/${key}`, 'a resource name'), record[key], `${at}/${key}`),
  );
}

function checkResource(name: string, value: unknown, at: string): ResourceSpec {
  if (typeof value === 'number')
    return { name, kind: 'resource', capacity: checkCapacity(value, at), perMs: undefined };
  const record = checkRecord(value, at, 'a number, { capacity, per } or { budget }');
  checkKeys(record, new Set(['capacity', 'per', 'budget']), at);
  if (record.budget !== undefined) {
    if (record.capacity !== undefined || record.per !== undefined) {
      throw refuse('OPTION_CONFLICT', {
        at,
        found: 'budget together with capacity or per',
        allowed: 'one of the two forms',
      });
    }
    return { name, kind: 'budget', capacity: checkCapacity(record.budget, `${at}/budget`), perMs: undefined };
  }
  const capacity = checkCapacity(record.capacity, `${at}/capacity`);
  if (record.per === undefined) return { name, kind: 'resource', capacity, perMs: undefined };
  return { name, kind: 'rate', capacity, perMs: checkTimeLimit(record.per, `${at}/per`) };
}

/** A capacity: 0 pauses whoever needs the resource. */
function checkCapacity(value: unknown, at: string): number {
  return checkNumber(value, at, 0, CAPACITY_MAX);
}

/** @throws OrchestratorError `ID_INVALID`, `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkAgents(value: unknown, at: string): ReadonlyMap<string, AgentLimits> {
  const agents = new Map<string, AgentLimits>();
  if (value === undefined) return agents;
  const record = checkRecord(value, at, 'an object from agent name to limits');
  for (const key of Object.keys(record)) {
    const name = checkId(key, `${at}/${key}`, 'an agent name');
    agents.set(name, checkAgent(record[key], `${at}/${name}`));
  }
  return agents;
}

function checkAgent(value: unknown, at: string): AgentLimits {
  const agent = checkRecord(value, at, 'an object { concurrency, rate }') as AgentOptions;
  checkKeys(agent, new Set(['concurrency', 'rate']), at);
  const concurrency =
    agent.concurrency === undefined
      ? undefined
      : { concurrency: checkInteger(agent.concurrency, `${at}/concurrency`, 1, COUNT_MAX) };
  if (agent.rate === undefined) return { ...concurrency };
  const rate = checkRecord(agent.rate, `${at}/rate`, 'an object { limit, per }');
  checkKeys(rate, new Set(['limit', 'per']), `${at}/rate`);
  const limit = checkInteger(rate.limit, `${at}/rate/limit`, 1, COUNT_MAX);
  return { ...concurrency, rate: { limit, perMs: checkTimeLimit(rate.per, `${at}/rate/per`) } };
}
