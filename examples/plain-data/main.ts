/** A workflow that comes as data, from a file, a database or a form. Only the handlers are code. */
import { readFile } from 'node:fs/promises';
import {
  type HandlerContext,
  Orchestrator,
  OrchestratorError,
  type WorkflowData,
} from '@taskmaster-ai/orchestrator';

const file = new URL('./invoice.json', import.meta.url);
// What the file holds is checked on the way in, so the cast only tells the compiler what we expect.
const invoice = JSON.parse(await readFile(file, 'utf8')) as WorkflowData;

type Item = { name: string; cents: number };
const handlers = {
  load: ({ inputData }: HandlerContext): readonly Item[] => (inputData as { items: Item[] }).items,
  sum: ({ dependencies }: HandlerContext<unknown, { load: readonly Item[] }>) =>
    dependencies.load.reduce((sum, { cents }) => sum + cents, 0),
  print: ({ input, dependencies }: HandlerContext<{ customer: string }, { total: number }>) =>
    `${input.customer} owes ${(dependencies.total / 100).toFixed(2)}`,
};

const orchestrator = await Orchestrator.open({ handlers, agents: { printer: { concurrency: 1 } } });
try {
  const run = await orchestrator.manageWorkflow(invoice, { input: { customer: 'Ada' } });
  const { outputs } = await run.result();
  console.log(outputs.print);

  // A slip in the data is refused before anything runs, with the place and, where there is one, the nearest name.
  const slip = { name: 'slip', tasks: [{ taskId: 'a', handler: 'laod' }] };
  await orchestrator.manageWorkflow(slip).catch((error: unknown) => {
    if (!OrchestratorError.is(error)) throw error;
    console.log(`${error.code}: ${error.message}`);
  });
} finally {
  await orchestrator.close();
}
