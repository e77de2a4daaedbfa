/**
 * What a fresh process pays: the import of the peer's package, then its first graph of 900 tasks, cold code and all.
 * The harness and the graph are loaded before, so neither is counted; what the peer opens before its first run is.
 */
import { performance } from 'node:perf_hooks';
import { loadAdapter, PEER_PACKAGES, type PeerName } from './adapter.ts';
import { countingTask } from './measure.ts';
import { buildGraph, layered } from './workloads.ts';

export interface Cold {
  /** Undefined for the hand-written peers: they have no package. */
  readonly importMs: number | undefined;
  readonly firstGraphMs: number;
}

const LAYERS = 30;
const WIDTH = 30;

export async function measureCold(peer: PeerName): Promise<Cold> {
  const counter = countingTask();
  const graph = buildGraph(layered(LAYERS, WIDTH), { body: () => counter.task });
  const packageName = PEER_PACKAGES[peer];
  const importedAt = performance.now();
  if (packageName !== undefined) await import(packageName);
  const importMs = performance.now() - importedAt;
  const adapter = await loadAdapter(peer);
  const startedAt = performance.now();
  await adapter.open?.(graph);
  await adapter.run(adapter.define(graph));
  const firstGraphMs = performance.now() - startedAt;
  if (counter.count() !== graph.size) throw new Error(`${counter.count()} of ${graph.size} tasks ran`);
  return { importMs: packageName === undefined ? undefined : importMs, firstGraphMs };
}
