/**
 * A graph by hand over p-queue: in-degrees and children are ours (integers, given ready), p-queue has the ready tasks,
 * the limit and the priorities. This is what many programs do today.
 */
import PQueue from 'p-queue';
import type { Adapter } from '../adapter.ts';
import type { Graph } from '../workloads.ts';

interface Definition {
  readonly graph: Graph;
  readonly missing: Int32Array;
  readonly queue: PQueue;
}

export const pQueue: Adapter<Definition> = {
  name: 'p-queue',
  startsFrom: 'integers',
  // The in-degrees are used up by a run, and a queue shared by runs would mix their limits.
  reusable: false,
  define(graph) {
    const concurrency = graph.limit ?? Number.POSITIVE_INFINITY;
    return { graph, missing: graph.inDegrees.slice(), queue: new PQueue({ concurrency }) };
  },
  run,
};

function run({ graph, missing, queue }: Definition): Promise<void> {
  return new Promise((resolve, reject) => {
    const { size, childStart, children, tasks, priorities } = graph;
    let open = size;

    function add(task: number): void {
      queue.add(tasks[task]!, { priority: priorities[task]! }).then(() => finish(task), reject);
    }

    function finish(task: number): void {
      const end = childStart[task + 1]!;
      for (let edge = childStart[task]!; edge < end; edge++) {
        const child = children[edge]!;
        if (--missing[child]! === 0) add(child);
      }
      open--;
      if (open === 0) resolve();
    }

    for (let task = 0; task < size; task++) if (graph.inDegrees[task] === 0) add(task);
  });
}
