/** A graph in plain data, and what the files of this folder share. */
import type { DirectedGraph } from 'graphology';

/** The most tasks that a graph is made of: it costs some ten microseconds a task. */
export const GRAPH_TASKS_MAX = 200_000;
/** What a comparison found of a task. */
export type TaskChangeKind = 'added' | 'removed' | 'changed' | 'same';

/** A task in a graph. */
export interface GraphNode {
  readonly taskId: string;
  readonly agentAssigned?: string;
  /** In milliseconds. */
  readonly estimatedDuration?: number;
  readonly priority: number;
  /** Only in a graph that was compared with an earlier version. */
  readonly change?: TaskChangeKind;
}

/** A dependency in a graph, from the task that runs first. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** `completed`: `from` has to succeed. `settled`: any end will do. */
  readonly on: 'completed' | 'settled';
  /** Only in a graph that was compared with an earlier version. */
  readonly change?: 'added' | 'removed' | 'same';
}

/** A graph as plain data. */
export interface GraphData {
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** The longest path through a graph. */
export interface CriticalPath {
  /** From a task without dependencies to one without dependents; empty for an empty graph. */
  readonly tasks: readonly string[];
  /** The sum of `estimatedDuration`, in milliseconds; a task without one counts as 1. */
  readonly duration: number;
}

/** How a graph is drawn. */
export interface DrawOptions {
  /** `down` (default) or `right`: where dependents stand. */
  readonly direction?: 'down' | 'right';
  /** Whether to draw the critical path bold. Default `false`. */
  readonly criticalPath?: boolean;
}

/** The attributes of a node in graphology. */
interface NodeAttributes {
  readonly node: GraphNode;
}

/** The attributes of an edge in graphology. */
type EdgeAttributes = Omit<GraphEdge, 'from' | 'to'>;

/** @internal The graph of graphology, with generated keys. */
export type KeyedGraph = DirectedGraph<NodeAttributes, EdgeAttributes>;

/** @internal What is loaded when the first graph is asked for. */
export interface GraphTools {
  readonly newGraph: () => KeyedGraph;
  readonly hasCycle: (graph: KeyedGraph) => boolean;
  readonly topologicalSort: (graph: KeyedGraph) => string[];
  readonly topologicalGenerations: (graph: KeyedGraph) => string[][];
}
