/** `when` takes its types from input and dependencies, and makes the output one that may be missing. */
import { defineWorkflow, type Orchestrator, type OutputOf, task } from '@taskmaster-ai/orchestrator';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const isTrue = <const Claim extends true>(): Claim | undefined => undefined;

const score = task('score', { run: () => ({ points: 1 }) });
const dependencies = { score };

const before = task('before', {
  dependencies,
  when: ({ dependencies: { score } }) => score.points > 0,
  run: ({ dependencies: { score } }) => score.points,
});
isTrue<Same<OutputOf<typeof before>, number | undefined>>();

const after = task('after', {
  dependencies,
  run: async ({ dependencies: { score } }) => `${score.points}`,
  when: (context) => context.dependencies.score.points > 0,
});
isTrue<Same<OutputOf<typeof after>, string | undefined>>();

const always = task('always', { dependencies, run: () => 1 });
isTrue<Same<OutputOf<typeof always>, number>>();

// @ts-expect-error: it must answer yes or no
task('wrong', { dependencies, when: () => 'yes', run: () => 1 });
// @ts-expect-error: at once, not later
task('late', { dependencies, when: async () => true, run: () => 1 });
// @ts-expect-error: there is no such output
task('unknown', { dependencies, when: ({ dependencies }) => dependencies.scores, run: () => 1 });

export async function outputsOfPlainData(orchestrator: Orchestrator): Promise<unknown> {
  const run = await orchestrator.manageWorkflow({ name: 'data', tasks: [{ taskId: 'a', handler: 'b' }] });
  const { outputs } = await run.result();
  isTrue<Same<typeof outputs, Readonly<Record<string, unknown>>>>();
  return outputs.a;
}

export const workflow = defineWorkflow('conditions', { tasks: [before, after, always] });
