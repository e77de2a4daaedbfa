/** What a user's editor infers: outputs of dependencies, inputs from a schema, outputs of runs. */
import {
  defineWorkflow,
  type HandlerContext,
  type Orchestrator,
  type OutputOf,
  type SettledOutcome,
  settled,
  type Task,
  task,
  taskFor,
} from '@taskmaster-ai/orchestrator';
import { z } from 'zod';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const isTrue = <const Claim extends true>(): Claim | undefined => undefined;

const topic = z.object({ topic: z.string(), depth: z.number().default(1) });
const step = taskFor(topic);

const search = step('search', {
  agentAssigned: 'researcher',
  run: async ({ input, signal }) => {
    isTrue<Same<typeof input, { topic: string; depth: number }>>();
    isTrue<Same<typeof signal, AbortSignal>>();
    return [input.topic];
  },
});
isTrue<Same<typeof search, Task<'search', string[], { topic: string; depth: number }>>>();

const parse = task('parse', {
  dependencies: { search },
  run: ({ dependencies, input }) => {
    isTrue<Same<typeof dependencies.search, string[]>>();
    isTrue<Same<typeof input, unknown>>();
    return { words: dependencies.search.length };
  },
});
isTrue<Same<OutputOf<typeof parse>, { words: number }>>();

// A dependency under another name than its id.
const renamed = task('renamed', {
  dependencies: { found: search },
  run: ({ dependencies: { found } }) => found[0],
});
isTrue<Same<OutputOf<typeof renamed>, string | undefined>>();

// A list of tasks keeps their types under their ids; plain ids are there too, as unknown.
const listed = task('listed', {
  dependencies: [parse, settled(search), 'elsewhere'],
  run: ({ dependencies }) => {
    isTrue<Same<typeof dependencies.parse.words, number>>();
    isTrue<Same<typeof dependencies.search, SettledOutcome<string[]>>>();
    isTrue<Same<typeof dependencies.elsewhere, unknown>>();
    return dependencies.parse.words;
  },
});
isTrue<Same<OutputOf<typeof listed>, number>>();

task('tolerant', {
  dependencies: { parse: settled(parse) },
  run: ({ dependencies: { parse } }) => {
    isTrue<Same<typeof parse, SettledOutcome<{ words: number }>>>();
    return parse.status === 'completed' ? parse.output.words : 0;
  },
});

// @ts-expect-error: there is no such dependency
task('missing', { dependencies: { parse }, run: ({ dependencies }) => dependencies.parze });
// @ts-expect-error: an unknown option
task('retires', { retires: 3, run: () => 1 });
// @ts-expect-error: a number is no function
task('number', { run: 3 });

const report = defineWorkflow('report', { input: topic, tasks: [search, parse, listed] });

// @ts-expect-error: the workflow has no input that `search` could work with
defineWorkflow('without input', { tasks: [search] });

export async function outcomes(orchestrator: Orchestrator): Promise<void> {
  const run = await orchestrator.manageWorkflow(report, { input: { topic: 'tides' } });
  const { outputs } = await run.result();
  isTrue<Same<typeof outputs.search, string[]>>();
  isTrue<Same<typeof outputs.parse, { words: number }>>();
  // @ts-expect-error: not among the listed tasks
  outputs.renamed;
  const ended = await run.settled();
  isTrue<Same<typeof ended.outputs.listed, number | undefined>>();
  // @ts-expect-error: the input is needed
  await orchestrator.manageWorkflow(report);
  // @ts-expect-error: the input has the wrong type
  await orchestrator.manageWorkflow(report, { input: { topic: 5 } });
  const single = await (
    await orchestrator.scheduleTask(parse, { input: { topic: 'tides', depth: 2 } })
  ).result();
  isTrue<Same<typeof single.outputs.parse, { words: number }>>();
  for await (const event of run.events()) {
    if (event.type === 'TaskCompleted') isTrue<Same<typeof event.attempt, number>>();
    // @ts-expect-error: no such event
    if (event.type === 'TaskComplete') return;
  }
  orchestrator.on('TaskFailed', (event) => isTrue<Same<typeof event.failure.message, string>>());
  // @ts-expect-error: no such event
  orchestrator.on('TaskFaild', () => {});
  orchestrator.scheduler.pause({ workflowId: 'report' });
  // @ts-expect-error: one target at a time
  orchestrator.scheduler.pause({ agent: 'researcher', runId: run.runId });
  // @ts-expect-error: a target says what it is
  orchestrator.scheduler.pause({});
  await orchestrator.scheduler.clear({ agent: 'researcher', reason: 'gone' });
  await orchestrator.scheduler.clear({ reason: 'all' });
  // @ts-expect-error: one target at a time
  await orchestrator.scheduler.clear({ agent: 'researcher', runId: run.runId });
}

// Options may be given as undefined, also under exactOptionalPropertyTypes.
const maybe = undefined as '5s' | undefined;
task('maybe', { timeout: maybe, run: ({ attempt }: HandlerContext) => attempt });
