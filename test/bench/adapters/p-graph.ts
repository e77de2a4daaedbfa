/**
 * p-graph, the only library of its kind that is light: string ids, cycle check, priorities (its own are cumulative
 * along the path), a limit on concurrency. No events, no results, no states.
 */
import { type DependencyList, PGraph, type PGraphNodeMap } from 'p-graph';
import type { Adapter } from '../adapter.ts';
import type { Graph } from '../workloads.ts';

interface Definition {
  readonly graph: PGraph;
  readonly options: { readonly concurrency?: number };
}

export const pGraph: Adapter<Definition> = {
  name: 'p-graph',
  startsFrom: 'strings',
  // It copies its maps and sets for every run.
  reusable: true,
  define,
  async run(definition) {
    await definition.graph.run(definition.options);
  },
};

function define(graph: Graph): Definition {
  const nodes: PGraphNodeMap = new Map();
  const dependencies: DependencyList = [];
  for (let task = 0; task < graph.size; task++) {
    const id = graph.ids[task]!;
    nodes.set(id, { run: graph.tasks[task]!, priority: graph.priorities[task]! });
    for (const parentId of graph.parentIds[task]!) dependencies.push([parentId, id]);
  }
  return {
    graph: new PGraph(nodes, dependencies),
    options: graph.limit === undefined ? {} : { concurrency: graph.limit },
  };
}
