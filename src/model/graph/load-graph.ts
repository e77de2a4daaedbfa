/**
 * Loads what examines and draws graphs when it is first asked for: an orchestrator that only runs needs none of it.
 * With the tests of the layers it is the one place below the managers that waits for anything.
 */
import type { CompiledPlan } from '../plan.ts';
import type { WorkflowGraph } from './workflow-graph.ts';

/** The plan of a graph, and one that it is compared with. */
export interface GraphPlans {
  readonly plan: CompiledPlan;
  readonly since: CompiledPlan | undefined;
}

/**
 * Makes the graph of a plan.
 *
 * @param plans - asked after loading, so that a refusal rejects the promise
 */
export async function loadGraph(plans: () => GraphPlans): Promise<WorkflowGraph> {
  const [{ WorkflowGraph: Loaded }, { buildGraph }, { DirectedGraph }, dag] = await Promise.all([
    import('./workflow-graph.ts'),
    import('./build-graph.ts'),
    // By name: its default export has a wrong type under this module resolution.
    import('graphology'),
    import('graphology-dag'),
  ]);
  const { plan, since } = plans();
  // A graph takes loops unless told not to; there is none in a plan.
  const newGraph = () => new DirectedGraph<never, never>({ allowSelfLoops: false });
  const { hasCycle, topologicalGenerations, topologicalSort } = dag;
  const tools = { newGraph, hasCycle, topologicalGenerations, topologicalSort };
  return new Loaded(plan.name, buildGraph(plan, since, newGraph()), tools);
}
