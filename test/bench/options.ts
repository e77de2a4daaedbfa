/** The command line of the bench, checked: a misspelt workload would else look like a passed one. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { PEER_NAMES, PEERS_BY_DEFAULT, type PeerName } from './adapter.ts';
import { FOOTPRINT_SIZE } from './footprint.ts';
import { GROWTH_LARGE } from './growth.ts';
import { STORE_PARTS, STORED_EVENTS, type StorePart } from './stores/store-suite.ts';
import { WORKLOAD_NAMES, type WorkloadName } from './workloads.ts';

export type Suite = 'workloads' | 'workers' | 'stores' | 'large' | 'memory' | 'cold';

export interface Options {
  readonly suite: Suite;
  readonly rounds: number;
  readonly workloads: readonly WorkloadName[];
  readonly peers: readonly PeerName[];
  /** Tasks of the large and the memory suite, stored events of the suite of stores. */
  readonly size: number;
  /** Of the suite of stores: what of it, and where its stores are made. */
  readonly parts: readonly StorePart[];
  readonly folder: string | undefined;
  readonly json: string | undefined;
  readonly gate: boolean;
}

export const USAGE = `npm run bench -- [options]

  --rounds N       rounds of every peer on every workload (default 5)
  --only W1,W3     workloads: ${WORKLOAD_NAMES.join(', ')}
  --peers a,b      peers: ${PEER_NAMES.join(', ')}
  --json FILE      also writes everything measured, every round of it, to FILE
  --gate           exit code 1 if a target is missed, or could not be judged

  --workers        instead: round trips to threads and processes, a map on two threads
  --stores         instead: durable workflows, and stores of up to --size events (default ${STORED_EVENTS})
  --parts a,b      of --stores: ${STORE_PARTS.join(', ')}
  --folder DIR     of --stores: on which disk (default: where temporary files are)
  --large          instead: a chain and a fan of --size tasks (default ${GROWTH_LARGE})
  --memory         instead: bytes per task of --size tasks (default ${FOOTPRINT_SIZE})
  --cold           instead: import and first graph in fresh processes
  --help`;

/** A mistake of the caller's: shown without a stack. */
export class UsageError extends Error {}

const ROUNDS_DEFAULT = 5;
const COLD_ROUNDS_DEFAULT = 9;
const MEMORY_PEERS: readonly PeerName[] = ['probe', 'p-graph', 'orchestrator'];
const LARGE_PEERS: readonly PeerName[] = ['limit', 'probe', 'p-graph', 'orchestrator'];

/** Undefined when only help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const suites = (['workers', 'stores', 'large', 'memory', 'cold'] as const).filter((name) => values[name]);
  if (suites.length > 1)
    throw new UsageError(`${suites.map((name) => `--${name}`).join(' and ')} exclude each other`);
  const suite: Suite = suites[0] ?? 'workloads';
  if (values.gate && !['workloads', 'workers', 'stores'].includes(suite))
    throw new UsageError(`--gate has no targets for --${suite}`);
  return {
    suite,
    rounds: readCount('rounds', values.rounds, suite === 'cold' ? COLD_ROUNDS_DEFAULT : ROUNDS_DEFAULT),
    workloads: readNames('only', values.only, WORKLOAD_NAMES, WORKLOAD_NAMES),
    peers: readNames('peers', values.peers, PEER_NAMES, defaultPeers(suite)),
    size: readCount('size', values.size, defaultSize(suite)),
    parts: readNames('parts', values.parts, STORE_PARTS, STORE_PARTS),
    folder: values.folder,
    json: values.json,
    gate: values.gate,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string' },
        only: { type: 'string' },
        peers: { type: 'string' },
        size: { type: 'string' },
        json: { type: 'string' },
        gate: { type: 'boolean', default: false },
        parts: { type: 'string' },
        folder: { type: 'string' },
        workers: { type: 'boolean', default: false },
        stores: { type: 'boolean', default: false },
        large: { type: 'boolean', default: false },
        memory: { type: 'boolean', default: false },
        cold: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function defaultPeers(suite: Suite): readonly PeerName[] {
  if (suite === 'memory') return MEMORY_PEERS;
  return suite === 'large' ? LARGE_PEERS : PEERS_BY_DEFAULT;
}

function defaultSize(suite: Suite): number {
  if (suite === 'stores') return STORED_EVENTS;
  return suite === 'memory' ? FOOTPRINT_SIZE : GROWTH_LARGE;
}

function readCount(option: string, given: string | undefined, otherwise: number): number {
  if (given === undefined) return otherwise;
  const count = Number(given);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new UsageError(`--${option} ${given}: a positive whole number is needed`);
}

function readNames<Name extends string>(
  option: string,
  given: string | undefined,
  allowed: readonly Name[],
  otherwise: readonly Name[],
): readonly Name[] {
  if (given === undefined) return otherwise;
  const names = given.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !allowed.some((one) => one === name));
  if (unknown !== undefined) throw new UsageError(`--${option} ${unknown}: there are ${allowed.join(', ')}`);
  // In the order of the list, and each once, whatever the order in which they were given.
  return allowed.filter((name) => names.includes(name));
}

export function writeJson(file: string | undefined, content: unknown): void {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}
