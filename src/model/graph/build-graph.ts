/** Makes the graph of a plan for graphology, with what a comparison with an earlier plan found. */
import { refuse } from '../errors.ts';
import { type CompiledPlan, isSettledEdge } from '../plan.ts';
import type { AnyTask } from '../task.ts';
import { diffPlans } from '../workflow-diff.ts';
import {
  GRAPH_TASKS_MAX,
  type GraphEdge,
  type GraphNode,
  type KeyedGraph,
  type TaskChangeKind,
} from './graph-data.ts';

/**
 * Tasks get generated keys (`t0`, `t1` …): graphology and graphology-dag keep neighbours and degrees in plain
 * objects, where a task called `__proto__` or `constructor` would be lost and numbers would change their order.
 *
 * @param since - an earlier plan: tasks and dependencies that only it has are added and marked
 * @throws OrchestratorError `LIMIT_EXCEEDED`
 */
export function buildGraph(
  plan: CompiledPlan,
  since: CompiledPlan | undefined,
  graph: KeyedGraph,
): KeyedGraph {
  const diff = since === undefined ? undefined : diffPlans(since, plan);
  const count = plan.size + (diff?.removed.length ?? 0);
  if (count > GRAPH_TASKS_MAX)
    throw refuse('LIMIT_EXCEEDED', {
      at: `graph of workflow ${JSON.stringify(plan.name)}`,
      found: `${count} tasks`,
      allowed: `at most ${GRAPH_TASKS_MAX}`,
    });
  const kinds = new Map<string, TaskChangeKind>();
  for (const id of diff?.added ?? []) kinds.set(id, 'added');
  for (const { taskId } of diff?.changed ?? []) kinds.set(taskId, 'changed');
  for (let i = 0; i < plan.size; i++) {
    const task = plan.tasks[i] as AnyTask;
    graph.addNode(`t${i}`, {
      node: nodeOf(task, diff === undefined ? undefined : (kinds.get(task.taskId) ?? 'same')),
    });
  }
  addEdges(graph, plan, since);
  if (since !== undefined) addRemoved(graph, plan, since);
  return graph;
}

function nodeOf(task: AnyTask, change: TaskChangeKind | undefined): GraphNode {
  const { agentAssigned, estimatedDuration, priority, taskId } = task;
  return Object.freeze({
    taskId,
    priority,
    ...(agentAssigned === undefined ? undefined : { agentAssigned }),
    ...(estimatedDuration === undefined ? undefined : { estimatedDuration }),
    ...(change === undefined ? undefined : { change }),
  });
}

function addEdges(graph: KeyedGraph, plan: CompiledPlan, since: CompiledPlan | undefined): void {
  const earlier = since === undefined ? undefined : edgeNames(since);
  for (let i = 0; i < plan.size; i++) {
    const end = plan.dependencyStart[i + 1] as number;
    for (let e = plan.dependencyStart[i] as number; e < end; e++) {
      const from = plan.dependencies[e] as number;
      const on = onOf(plan, from, i);
      const isKnown = earlier?.has(edgeName(plan, from, i));
      const about =
        isKnown === undefined ? { on } : { on, change: isKnown ? ('same' as const) : ('added' as const) };
      graph.addDirectedEdgeWithKey(`e${e}`, `t${from}`, `t${i}`, about);
    }
  }
}

/** Tasks and dependencies that only the earlier plan has. */
function addRemoved(graph: KeyedGraph, plan: CompiledPlan, since: CompiledPlan): void {
  const keyOf = (i: number): string => {
    const now = plan.indexOf.get(since.ids[i] as string);
    return now === undefined ? `r${i}` : `t${now}`;
  };
  for (let i = 0; i < since.size; i++) {
    if (!plan.indexOf.has(since.ids[i] as string))
      graph.addNode(`r${i}`, { node: nodeOf(since.tasks[i] as AnyTask, 'removed') });
  }
  for (let i = 0; i < since.size; i++) {
    const end = since.dependencyStart[i + 1] as number;
    for (let e = since.dependencyStart[i] as number; e < end; e++) {
      const from = since.dependencies[e] as number;
      if (graph.hasDirectedEdge(keyOf(from), keyOf(i))) continue;
      const about = { on: onOf(since, from, i), change: 'removed' as const };
      graph.addDirectedEdgeWithKey(`x${e}`, keyOf(from), keyOf(i), about);
    }
  }
}

function onOf(plan: CompiledPlan, from: number, to: number): GraphEdge['on'] {
  return isSettledEdge(plan, from, to) ? 'settled' : 'completed';
}

function edgeNames(plan: CompiledPlan): ReadonlySet<string> {
  const names = new Set<string>();
  for (let i = 0; i < plan.size; i++) {
    const end = plan.dependencyStart[i + 1] as number;
    for (let e = plan.dependencyStart[i] as number; e < end; e++)
      names.add(edgeName(plan, plan.dependencies[e] as number, i));
  }
  return names;
}

/** Ids hold no line breaks, so no two edges have the same name. */
function edgeName(plan: CompiledPlan, from: number, to: number): string {
  return `${plan.ids[from]}\n${plan.ids[to]}\n${onOf(plan, from, to)}`;
}
