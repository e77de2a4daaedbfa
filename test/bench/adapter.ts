/**
 * What the harness asks of a peer. An adapter has two timed parts: `define` makes whatever the peer calls a
 * workflow out of a graph, `run` carries one of them to the end. Everything else is outside the clock.
 */
import type { Graph } from './workloads.ts';

export interface Adapter<Definition = unknown> {
  readonly name: PeerName;
  /** Whether `define` reads the ids of the graph, or gets its integer arrays for nothing. */
  readonly startsFrom: 'strings' | 'integers';
  /** True if one definition can carry many runs at once; else W4 defines every one of its 1,000 anew. */
  readonly reusable: boolean;
  /** Once per process, before any clock: what a host does when it starts. */
  open?(graph: Graph): Promise<void>;
  define(graph: Graph): Definition;
  run(definition: Definition): Promise<void>;
  /** How many completions the adapter's event subscriber has been told of, if the peer has events. */
  completionsSeen?(): number;
  /** Lets go of the results of all runs so far; timed, but apart. */
  release?(): void | Promise<void>;
  close?(): Promise<void>;
}

/** In the order in which they are shown. */
export const PEER_NAMES = [
  'limit',
  'bare',
  'probe',
  'p-graph',
  'p-queue',
  'orchestrator',
  'orchestrator-cpu',
] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** All but the variant, which is measured when it is asked for. */
export const PEERS_BY_DEFAULT: readonly PeerName[] = PEER_NAMES.filter((name) => name !== 'orchestrator-cpu');

export const PEER_TITLES: Readonly<Record<PeerName, string>> = {
  limit: 'limit: array scheduler by hand',
  bare: 'bare promises by hand',
  probe: 'probe: all books kept, 1 subscriber',
  'p-graph': 'p-graph',
  'p-queue': 'p-queue, graph by hand over it',
  orchestrator: '@taskmaster-ai/orchestrator',
  'orchestrator-cpu': '… and one counted resource a task',
};

/** The module whose import a user of the peer pays for; hand-written peers have none. */
export const PEER_PACKAGES: Readonly<Partial<Record<PeerName, string>>> = {
  'p-graph': 'p-graph',
  'p-queue': 'p-queue',
  orchestrator: '@taskmaster-ai/orchestrator',
  'orchestrator-cpu': '@taskmaster-ai/orchestrator',
};

/** Loads one adapter only, so that a process holds the code of no peer but its own. */
export async function loadAdapter(name: PeerName): Promise<Adapter> {
  switch (name) {
    case 'limit':
      return (await import('./adapters/limit.ts')).limit;
    case 'bare':
      return (await import('./adapters/bare-promises.ts')).barePromises;
    case 'probe':
      return (await import('./adapters/probe.ts')).probe;
    case 'p-graph':
      return (await import('./adapters/p-graph.ts')).pGraph;
    case 'p-queue':
      return (await import('./adapters/p-queue.ts')).pQueue;
    case 'orchestrator':
      return (await import('./adapters/orchestrator.ts')).orchestrator;
    case 'orchestrator-cpu':
      return (await import('./adapters/orchestrator.ts')).orchestratorCpu;
  }
}
