/** A pipeline that takes a day: it asks an agent, waits for the limits of its service, and tries again for hours. */
import {
  defineWorkflow,
  type HandlerClock,
  type OrchestratorOptions,
  type RunOn,
  task,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';

/** What stands behind the agent; a test passes one of its own. */
export type Ask = (question: string, attempt: number, clock: HandlerClock) => string | Promise<string>;

/** The service allows ten questions an hour. */
export const limits = {
  agents: { scholar: { rate: { limit: 10, per: '1h' } } },
} satisfies OrchestratorOptions;

const counting = workerHandlers<typeof import('./conclude.ts')>(new URL('./conclude.ts', import.meta.url));

export function defineSurvey(
  questions: readonly string[],
  ask: Ask,
  { runOn }: { readonly runOn?: RunOn } = {},
) {
  const answers = questions.map((question, i) =>
    task(`answer:${i + 1}`, {
      agentAssigned: 'scholar',
      timeout: '30m',
      retry: { maxAttempts: 4, delay: '1h', maxDelay: '12h' },
      async run({ attempt, clock }) {
        await clock.sleep('5m');
        return ask(question, attempt, clock);
      },
    }),
  );
  const byId: Readonly<Record<string, (typeof answers)[number]>> = Object.fromEntries(
    answers.map((answer) => [answer.taskId, answer]),
  );
  const conclude = task('conclude', { dependencies: byId, handler: counting.conclude, runOn });
  return defineWorkflow('survey', { tasks: [conclude] });
}
