/**
 * Large graphs: does a chain or a fan of 100,000 end at all (recursion would overflow the stack), and does a task
 * cost about what it costs among 10,000 (a scan of all tasks at every step would make it ten times that).
 */
import { performance } from 'node:perf_hooks';
import type { Adapter } from './adapter.ts';
import { countingTask, type Subject, takeSample } from './measure.ts';
import { buildGraph, chain, fan } from './workloads.ts';

export type GrowthShape = 'chain' | 'fan';

export interface Growth {
  readonly firstMs: number;
  readonly smallTotal: number;
  readonly largeTotal: number;
}

export const GROWTH_SMALL = 10_000;
export const GROWTH_LARGE = 100_000;

const WARM_UP_MS = 200;
const SAMPLE_MS = 300;

export async function measureGrowth(
  adapter: Adapter,
  ask: { readonly shape: GrowthShape; readonly size: number },
): Promise<Growth> {
  const small = growthSubject(adapter, ask.shape, GROWTH_SMALL);
  const large = growthSubject(adapter, ask.shape, ask.size);
  await adapter.open?.(small.graph);
  await takeSample(small, WARM_UP_MS);
  const smallTotal = (await takeSample(small, SAMPLE_MS)).total;
  const startedAt = performance.now();
  await takeSample(large, 0.001);
  const firstMs = performance.now() - startedAt;
  globalThis.gc?.();
  const largeTotal = (await takeSample(large, SAMPLE_MS)).total;
  return { firstMs, smallTotal, largeTotal };
}

function growthSubject(adapter: Adapter, shape: GrowthShape, size: number): Subject {
  const counter = countingTask();
  const graph = buildGraph(shape === 'chain' ? chain(size) : fan(size), { body: () => counter.task });
  return { adapter, graph, copies: 1, ran: counter.count };
}
