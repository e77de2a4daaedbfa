/**
 * The probe is a yardstick, no library: string ids checked for doubles, unknowns and cycles, a table-checked state
 * machine, numbered and timed event objects to one subscriber, a priority heap, a counted resource, a context with a
 * signal, retries, results kept. It does the work of the orchestrator with nothing around it, so the ratio to it is the
 * steadiest of all, and says what our layers cost. How it works: the folder `probe`.
 */
import type { Adapter } from '../adapter.ts';
import { compilePlan, type Plan, specsOf } from '../probe/plan.ts';
import { type ProbeListener, ProbeRun } from '../probe/run.ts';

let completions = 0;
let runs = 0;

const listeners: readonly ProbeListener[] = [
  (event) => {
    if (event.type === 'TaskCompleted') completions++;
  },
];

/** The runs since the last release, so that results are held for as long as the orchestrator holds them. */
const held: ProbeRun[] = [];

export const probe: Adapter<Plan> = {
  name: 'probe',
  startsFrom: 'strings',
  reusable: true,
  define: (graph) => compilePlan(specsOf(graph), graph.limit ?? Number.MAX_SAFE_INTEGER),
  async run(plan) {
    const run = new ProbeRun(plan, `run-${runs++}`, listeners);
    held.push(run);
    run.start();
    await run.result;
  },
  completionsSeen: () => completions,
  release() {
    held.length = 0;
  },
};
