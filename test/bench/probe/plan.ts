/**
 * The definition half of the probe: task specifications with string ids in, a checked and compiled plan out.
 * Strings are interned once, here; a run sees integers only. Refused are doubled ids, unknown dependencies and cycles.
 */
import type { Graph } from '../workloads.ts';

export interface TaskContext {
  readonly runId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
}

export interface TaskSpec {
  readonly taskId: string;
  readonly dependencies: readonly string[];
  readonly priority: number;
  readonly cpu: number;
  readonly maxAttempts: number;
  readonly run: (context: TaskContext) => unknown;
}

export interface Plan {
  readonly specs: readonly TaskSpec[];
  readonly childStart: Int32Array;
  readonly children: Int32Array;
  readonly inDegrees: Int32Array;
  readonly priorities: Int32Array;
  readonly cpu: Int32Array;
  readonly concurrency: number;
}

export function specsOf(graph: Graph): TaskSpec[] {
  const specs: TaskSpec[] = [];
  for (let task = 0; task < graph.size; task++) {
    specs.push({
      taskId: graph.ids[task]!,
      dependencies: graph.parentIds[task]!,
      priority: graph.priorities[task]!,
      cpu: 1,
      maxAttempts: 1,
      run: graph.tasks[task]!,
    });
  }
  return specs;
}

export function compilePlan(specs: readonly TaskSpec[], concurrency: number): Plan {
  const size = specs.length;
  const inDegrees = new Int32Array(size);
  const priorities = new Int32Array(size);
  const cpu = new Int32Array(size);
  const edges = internEdges(specs, inDegrees);
  for (let task = 0; task < size; task++) {
    const spec = specs[task]!;
    priorities[task] = spec.priority;
    cpu[task] = spec.cpu;
  }
  const { childStart, children } = groupByParent(size, edges);
  assertNoCycle(specs, inDegrees, childStart, children);
  return { specs, childStart, children, inDegrees, priorities, cpu, concurrency };
}

interface Edges {
  readonly from: Int32Array;
  readonly to: Int32Array;
}

function internEdges(specs: readonly TaskSpec[], inDegrees: Int32Array): Edges {
  const positions = new Map<string, number>();
  let edgeCount = 0;
  for (let task = 0; task < specs.length; task++) {
    const spec = specs[task]!;
    if (positions.has(spec.taskId)) throw new Error(`task id ${spec.taskId} is used twice`);
    positions.set(spec.taskId, task);
    edgeCount += spec.dependencies.length;
  }
  const from = new Int32Array(edgeCount);
  const to = new Int32Array(edgeCount);
  let edge = 0;
  for (let task = 0; task < specs.length; task++) {
    const { taskId, dependencies } = specs[task]!;
    for (const dependency of dependencies) {
      const parent = positions.get(dependency);
      if (parent === undefined) throw new Error(`${taskId} depends on ${dependency}, which is unknown`);
      from[edge] = parent;
      to[edge] = task;
      edge++;
    }
    inDegrees[task] = dependencies.length;
  }
  return { from, to };
}

/** A counting sort: edges in order of definition become one flat list of children per parent. */
function groupByParent(size: number, { from, to }: Edges): { childStart: Int32Array; children: Int32Array } {
  const childStart = new Int32Array(size + 1);
  for (let edge = 0; edge < from.length; edge++) childStart[from[edge]! + 1]!++;
  for (let task = 0; task < size; task++) childStart[task + 1]! += childStart[task]!;
  const cursor = childStart.slice();
  const children = new Int32Array(to.length);
  for (let edge = 0; edge < from.length; edge++) children[cursor[from[edge]!]!++] = to[edge]!;
  return { childStart, children };
}

/** Kahn's algorithm: whoever is never reached from the roots lies on a cycle or behind one. */
function assertNoCycle(
  specs: readonly TaskSpec[],
  inDegrees: Int32Array,
  childStart: Int32Array,
  children: Int32Array,
): void {
  const missing = inDegrees.slice();
  const order = new Int32Array(specs.length);
  let tail = 0;
  for (let task = 0; task < missing.length; task++) if (missing[task] === 0) order[tail++] = task;
  for (let head = 0; head < tail; head++) {
    const task = order[head]!;
    const end = childStart[task + 1]!;
    for (let edge = childStart[task]!; edge < end; edge++) {
      const child = children[edge]!;
      if (--missing[child]! === 0) order[tail++] = child;
    }
  }
  if (tail === specs.length) return;
  const stuck = specs[missing.findIndex((count) => count > 0)];
  throw new Error(`${stuck?.taskId} is on a cycle, or behind one`);
}
