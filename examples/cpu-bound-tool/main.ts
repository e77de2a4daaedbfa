/**
 * A tool that keeps a processor busy, in a pipeline of agents: exam timetables in which no student has two exams at the
 * same time. For three faculties the tool proves its answer in a moment. For the fourth it would search for years: it
 * looks at no signal, so its thread is ended when its time and the grace are over, and the pipeline goes on with a plan
 * by a quicker method. Start it with: node examples/cpu-bound-tool/main.ts (Node 22.18 or later)
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Orchestrator } from '@taskmaster-ai/orchestrator';
import { defineTimetable } from './timetable.ts';

const TIMEOUT_MS = 1_500;
const GRACE_MS = 200;

const orchestrator = await Orchestrator.open({
  agents: { registrar: { concurrency: 2 }, planner: { concurrency: 1 } },
  cancelGrace: GRACE_MS,
});
const delays = monitorEventLoopDelay({ resolution: 5 });

try {
  const startedAt = new Map<string, number>();
  const said = new Map<string, unknown>();
  orchestrator.on('TaskStarted', ({ path, at }) => startedAt.set(path, at));
  // It comes while the tool computes: a thread hands it over without being asked.
  orchestrator.on('TaskProgressed', ({ path, progress }) => said.set(path, progress));
  orchestrator.on('TaskFailed', ({ path, at, failure }) => {
    const last = JSON.stringify(said.get(path));
    console.log(`${path}: ${failure.code} after ${at - (startedAt.get(path) ?? 0)} ms, it last said ${last}`);
  });
  orchestrator.on('TaskCompleted', ({ path }) => {
    if (path.startsWith('plan:')) console.log(`${path}: done`);
  });

  delays.enable();
  const run = await orchestrator.manageWorkflow(defineTimetable({ timeout: TIMEOUT_MS, runOn: 'worker' }));
  const { outputs } = await run.result();
  delays.disable();

  for (const { faculty, slots, isProven } of outputs.publish)
    console.log(
      `${faculty}: ${slots} slots${isProven ? ', and fewer will not do' : '; perhaps fewer would do'}`,
    );
  console.log(`longest pause of the main thread: ${(delays.max / 1e6).toFixed(0)} ms`);
} finally {
  await orchestrator.close();
}
