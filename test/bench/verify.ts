/**
 * The proof that a peer does the work it is timed for, in a process and a run of their own: the checking tasks
 * would spoil the timed ones (another closure at the same call site).
 *
 * Checked for every workload: each task starts once, after the end of all its parents; never more at once than the limit.
 * Counted: inversions, that is starts of a higher priority than the start before (all tasks of W5 are ready at once,
 * so a right order never rises).
 */
import type { Adapter } from './adapter.ts';
import { runCopies } from './measure.ts';
import { buildGraph, type Graph, type Workload } from './workloads.ts';

export interface Verification {
  readonly faults: readonly string[];
  readonly mostAtOnce: number;
  readonly inversions: number;
}

const FAULTS_MAX = 5;

interface Observed {
  readonly startOrder: number[];
  /** The first few: a peer without order would else report every one of its tasks. */
  readonly faults: string[];
  mostAtOnce: number;
}

export async function verify(adapter: Adapter, workload: Workload): Promise<Verification> {
  const observed: Observed = { startOrder: [], faults: [], mostAtOnce: 0 };
  const graph = checkedGraph(workload, observed);
  await adapter.open?.(graph);
  const seenBefore = adapter.completionsSeen?.() ?? 0;
  await runCopies(adapter, [adapter.define(graph)], 1);
  const { faults, startOrder, mostAtOnce } = observed;
  const fault = (text: string): void => noteFault(faults, text);
  if (startOrder.length !== graph.size) fault(`${startOrder.length} of ${graph.size} tasks started`);
  if (mostAtOnce > (graph.limit ?? graph.size)) fault(`${mostAtOnce} at once, allowed are ${graph.limit}`);
  const seen = adapter.completionsSeen?.();
  if (seen !== undefined && seen - seenBefore !== graph.size)
    fault(`told of ${seen - seenBefore} completions`);
  await adapter.release?.();
  await adapter.close?.();
  return { faults, mostAtOnce, inversions: countInversions(graph, startOrder) };
}

function checkedGraph(workload: Workload, observed: Observed): Graph {
  const parents = workload.parents();
  const started = new Uint8Array(parents.length);
  const ended = new Uint8Array(parents.length);
  let running = 0;
  return buildGraph(parents, {
    priorities: workload.priorities?.(parents.length),
    limit: workload.limit,
    body: (index) => async () => {
      if (started[index] === 1) noteFault(observed.faults, `task ${index} started twice`);
      started[index] = 1;
      const early = parents[index]?.find((parent) => ended[parent] === 0);
      if (early !== undefined) noteFault(observed.faults, `task ${index} started before the end of ${early}`);
      observed.startOrder.push(index);
      running++;
      observed.mostAtOnce = Math.max(observed.mostAtOnce, running);
      // Unequal lengths, so that the ends come in another order than the starts.
      for (let turn = 0; turn <= index % 3; turn++) await undefined;
      running--;
      ended[index] = 1;
    },
  });
}

function noteFault(faults: string[], text: string): void {
  if (faults.length < FAULTS_MAX) faults.push(text);
}

function countInversions(graph: Graph, startOrder: readonly number[]): number {
  let inversions = 0;
  let before = Number.POSITIVE_INFINITY;
  for (const task of startOrder) {
    const priority = graph.priorities[task] ?? 0;
    if (priority > before) inversions++;
    before = priority;
  }
  return inversions;
}
