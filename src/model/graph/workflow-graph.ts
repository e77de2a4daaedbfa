/**
 * The graph of a workflow as an object, for whoever looks at it or works on it. What runs is the compiled plan,
 * which this never touches.
 *
 * Inside, tasks have generated keys (`t0`, `t1` …): graphology and graphology-dag keep neighbours and degrees in
 * plain objects, where a task called `__proto__` or `constructor` would be lost and numbers would change their order.
 */
import { nearestName } from '../../base/nearest.ts';
import { describeName } from '../../base/values.ts';
import { reading } from '../checks.ts';
import { refuse } from '../errors.ts';
import { checkDrawOptions, drawDot, drawMermaid } from './draw.ts';
import type {
  CriticalPath,
  DrawOptions,
  GraphData,
  GraphNode,
  GraphTools,
  KeyedGraph,
} from './graph-data.ts';
import { pathsBetween, reachable, redundantEdges } from './walks.ts';

/** The most paths that are listed unless another number is given. */
export const PATHS_MAX = 1_000;

/** The graph of a workflow: made by `await workflow.graph()`. It never changes. */
export class WorkflowGraph {
  readonly name: string;
  readonly #graph: KeyedGraph;
  readonly #tools: GraphTools;
  readonly #keyOf: ReadonlyMap<string, string>;

  /** @internal Use `workflow.graph()`. What it is made of is no part of the public declarations. */
  constructor(name: string, graph: object, tools: object) {
    this.name = name;
    this.#graph = graph as KeyedGraph;
    this.#tools = tools as GraphTools;
    this.#keyOf = new Map(this.#graph.mapNodes((key, { node }) => [node.taskId, key]));
  }

  /** How many tasks there are. */
  get order(): number {
    return this.#graph.order;
  }

  /** How many dependencies there are. */
  get size(): number {
    return this.#graph.size;
  }

  /** All ids, in the order of the definition. */
  tasks(): readonly string[] {
    return this.#ids(this.#graph.nodes());
  }

  /** Whether there is a task of this id. */
  has(taskId: string): boolean {
    return this.#keyOf.has(taskId);
  }

  /** What is drawn of a task. @throws OrchestratorError `TASK_NOT_FOUND` */
  node(taskId: string): GraphNode {
    return this.#graph.getNodeAttribute(this.#key(taskId), 'node');
  }

  /** The tasks that one depends on directly. @throws OrchestratorError `TASK_NOT_FOUND` */
  dependencies(taskId: string): readonly string[] {
    return this.#ids(this.#graph.inNeighbors(this.#key(taskId)));
  }

  /** The tasks that depend on one directly. @throws OrchestratorError `TASK_NOT_FOUND` */
  dependents(taskId: string): readonly string[] {
    return this.#ids(this.#graph.outNeighbors(this.#key(taskId)));
  }

  /** Everything that has to end before a task. @throws OrchestratorError `TASK_NOT_FOUND` */
  ancestors(taskId: string): readonly string[] {
    return this.#inOrder(reachable(this.#graph, this.#key(taskId), 'in'));
  }

  /** Everything that has to wait for a task. @throws OrchestratorError `TASK_NOT_FOUND` */
  descendants(taskId: string): readonly string[] {
    return this.#inOrder(reachable(this.#graph, this.#key(taskId), 'out'));
  }

  /**
   * The tasks by the length of the longest way to them: each depends only on earlier generations.
   * @throws OrchestratorError `DEPENDENCY_CYCLE` when a comparison brought two versions together that run against
   *   each other
   */
  generations(): readonly (readonly string[])[] {
    this.#checkAcyclic();
    return this.#tools.topologicalGenerations(this.#graph).map((keys) => this.#ids(keys));
  }

  /** The tasks in an order in which each stands behind its dependencies. @throws OrchestratorError `DEPENDENCY_CYCLE` as `generations` */
  topologicalOrder(): readonly string[] {
    return this.#ids(this.#sorted());
  }

  /**
   * All ways from one task to another; none when there is no way, and one of one task for a task to itself.
   *
   * @param max - the most that may be found: 1 to 1,000,000. Default 1,000
   * @throws OrchestratorError `TASK_NOT_FOUND`, `OPTION_INVALID`; `LIMIT_EXCEEDED` when there are more than `max`;
   *   `DEPENDENCY_CYCLE` as `generations`
   */
  paths(from: string, to: string, max = PATHS_MAX): readonly (readonly string[])[] {
    this.#checkAcyclic();
    return pathsBetween(this.#graph, this.#key(from), this.#key(to), max).map((keys) => this.#ids(keys));
  }

  /** These tasks and the dependencies among them. @throws OrchestratorError `TASK_NOT_FOUND` */
  subgraph(taskIds: Iterable<string>): WorkflowGraph {
    const listed = reading('subgraph', 'an array of task ids', () => [...taskIds]);
    const kept = new Set(listed.map((taskId) => this.#key(taskId)));
    return this.#copy((key) => kept.has(key), new Set());
  }

  /**
   * The graph without the dependencies that follow from others (Aho, Garey and Ullman, The transitive reduction of a
   * directed graph, 1972). The order of execution is the same; what handlers see of their dependencies is not.
   *
   * @throws OrchestratorError `DEPENDENCY_CYCLE` as `generations`
   */
  transitiveReduction(): WorkflowGraph {
    return this.#copy(() => true, redundantEdges(this.#graph, this.#sorted()));
  }

  /**
   * The longest path by `estimatedDuration` (Kelley and Walker, Critical-path planning and scheduling, 1959): a run
   * takes at least this long, whatever it is given.
   *
   * @throws OrchestratorError `DEPENDENCY_CYCLE` as `generations`
   */
  criticalPath(): CriticalPath {
    const graph = this.#graph;
    const total = new Map<string, number>();
    const next = new Map<string, string>();
    const sorted = this.#sorted();
    let first: string | undefined;
    for (let i = sorted.length - 1; i >= 0; i--) {
      const key = sorted[i] as string;
      let longest = 0;
      graph.forEachOutNeighbor(key, (below) => {
        const length = total.get(below) as number;
        if (next.has(key) && length <= longest) return;
        longest = length;
        next.set(key, below);
      });
      const length = longest + (graph.getNodeAttribute(key, 'node').estimatedDuration ?? 1);
      total.set(key, length);
      if (first === undefined || length >= (total.get(first) as number)) first = key;
    }
    const keys: string[] = [];
    for (let key = first; key !== undefined; key = next.get(key)) keys.push(key);
    return { tasks: this.#ids(keys), duration: first === undefined ? 0 : (total.get(first) as number) };
  }

  /** The graph as a Mermaid flowchart. Ids of any kind are shown as they are. */
  toMermaid(options: DrawOptions = {}): string {
    return drawMermaid(this.toJSON(), checkDrawOptions(options), this.#bold(options));
  }

  /** The graph in the DOT language of Graphviz. Ids of any kind are shown as they are. */
  toDot(options: DrawOptions = {}): string {
    return drawDot(this.toJSON(), checkDrawOptions(options), this.#bold(options));
  }

  /** The graph as plain data. */
  toJSON(): GraphData {
    const id = (key: string): string => this.#graph.getNodeAttribute(key, 'node').taskId;
    return {
      name: this.name,
      nodes: this.#graph.mapNodes((_key, { node }) => node),
      edges: this.#graph.mapEdges((_edge, about, from, to) => ({ from: id(from), to: id(to), ...about })),
    };
  }

  #bold({ criticalPath }: DrawOptions): readonly string[] {
    return criticalPath === true ? this.criticalPath().tasks : [];
  }

  #sorted(): string[] {
    this.#checkAcyclic();
    return this.#tools.topologicalSort(this.#graph);
  }

  /** graphology-dag only says that a graph has a cycle, and sorts what it can. */
  #checkAcyclic(): void {
    if (!this.#tools.hasCycle(this.#graph)) return;
    throw refuse('DEPENDENCY_CYCLE', {
      at: `graph of workflow ${JSON.stringify(this.name)}`,
      found: 'a cycle of dependencies of both versions',
      allowed: 'a graph without a cycle',
      hint: 'Ask the graph of one version.',
    });
  }

  #copy(keeps: (key: string) => boolean, without: ReadonlySet<string>): WorkflowGraph {
    const copy = this.#tools.newGraph();
    this.#graph.forEachNode((key, attributes) => {
      if (keeps(key)) copy.addNode(key, attributes);
    });
    this.#graph.forEachEdge((edge, attributes, from, to) => {
      if (keeps(from) && keeps(to) && !without.has(edge)) copy.addEdgeWithKey(edge, from, to, attributes);
    });
    return new WorkflowGraph(this.name, copy, this.#tools);
  }

  #key(taskId: string): string {
    const key = this.#keyOf.get(taskId);
    if (key !== undefined) return key;
    const nearest = typeof taskId === 'string' ? nearestName(taskId, this.#keyOf.keys()) : undefined;
    throw refuse('TASK_NOT_FOUND', {
      at: `graph of workflow ${JSON.stringify(this.name)}`,
      found: `the unknown task ${describeName(taskId)}`,
      allowed: 'a task of the graph',
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }

  #ids(keys: readonly string[]): string[] {
    return keys.map((key) => this.#graph.getNodeAttribute(key, 'node').taskId);
  }

  /** Ids in the order of the definition. */
  #inOrder(keys: ReadonlySet<string>): string[] {
    return this.#ids(this.#graph.filterNodes((key) => keys.has(key)));
  }
}
