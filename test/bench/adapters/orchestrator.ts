/**
 * This package, as its users meet it: imported by name from what was built, nothing but the surface of the README,
 * default options, validation and copies on. One subscriber counts the completions.
 *
 * `orchestrator-cpu` is the same with a counted resource taken and given back by every task, as in the probe.
 */
import { defineWorkflow, Orchestrator, task } from '@taskmaster-ai/orchestrator';
import type { Adapter } from '../adapter.ts';
import type { Graph } from '../workloads.ts';

type BenchWorkflow = ReturnType<typeof defineGraph>;
type Run = Awaited<ReturnType<typeof startRun>>;

interface Definition {
  readonly workflow: BenchWorkflow;
  readonly host: Orchestrator;
}

/** More than any graph of the bench takes, so that the ledger is used and never full. */
const CPU_CAPACITY = 10_000_000;

export const orchestrator = orchestratorAdapter('orchestrator', false);
export const orchestratorCpu = orchestratorAdapter('orchestrator-cpu', true);

function orchestratorAdapter(
  name: 'orchestrator' | 'orchestrator-cpu',
  takesCpu: boolean,
): Adapter<Definition> {
  const hosts = new Map<number | undefined, Orchestrator>();
  let held: Run[] = [];
  let completions = 0;
  return {
    name,
    startsFrom: 'strings',
    // A workflow is immutable: any number of runs may share it.
    reusable: true,
    async open(graph) {
      if (hosts.has(graph.limit)) return;
      const host = await openHost(graph.limit, takesCpu);
      host.on('TaskCompleted', () => {
        completions++;
      });
      hosts.set(graph.limit, host);
    },
    define: (graph) => ({ workflow: defineGraph(graph, takesCpu), host: hosts.get(graph.limit)! }),
    async run({ workflow, host }) {
      const run = await startRun(host, workflow);
      held.push(run);
      await run.result();
    },
    completionsSeen: () => completions,
    async release() {
      const runs = held;
      held = [];
      for (const run of runs) await run.release();
    },
    async close() {
      for (const host of hosts.values()) await host.close();
      hosts.clear();
    },
  };
}

function openHost(limit: number | undefined, takesCpu: boolean): Promise<Orchestrator> {
  return Orchestrator.open({
    ...(limit === undefined ? {} : { concurrency: limit }),
    ...(takesCpu ? { resources: { cpu: CPU_CAPACITY } } : {}),
  });
}

function defineGraph(graph: Graph, takesCpu: boolean) {
  const tasks = [];
  for (let index = 0; index < graph.size; index++) {
    const options = {
      dependencies: graph.parentIds[index]!,
      priority: graph.priorities[index]!,
      run: graph.tasks[index]!,
    };
    tasks.push(
      task(graph.ids[index]!, takesCpu ? { ...options, resourceRequirements: { cpu: 1 } } : options),
    );
  }
  return defineWorkflow('bench', { tasks });
}

function startRun(host: Orchestrator, workflow: BenchWorkflow) {
  return host.manageWorkflow(workflow);
}
