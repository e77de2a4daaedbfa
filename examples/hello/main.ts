/** Three tasks, of which two can run at the same time. Start it with: node examples/hello/main.ts */
import { defineWorkflow, Orchestrator, task } from '@taskmaster-ai/orchestrator';

const findName = task('findName', { run: () => 'Ada' });
const findYear = task('findYear', { run: async ({ clock }) => clock.sleep('10ms').then(() => 1815) });
const greet = task('greet', {
  dependencies: { name: findName, year: findYear },
  run: ({ dependencies: { name, year } }) => `Hello ${name}, born in ${year}!`,
});
const hello = defineWorkflow('hello', { tasks: [greet] });

const orchestrator = await Orchestrator.open();
try {
  const run = await orchestrator.manageWorkflow(hello);
  const { outputs } = await run.result();
  console.log(outputs.greet);
} finally {
  await orchestrator.close();
}
