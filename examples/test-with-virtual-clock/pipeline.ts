/** A pipeline that takes a day: it asks an agent, waits for the limits of its service, and tries again for hours. */
import { defineWorkflow, type OrchestratorOptions, task } from '@taskmaster-ai/orchestrator';

/** What stands behind the agent; a test passes one of its own. */
export type Ask = (question: string, attempt: number) => string;

/** The service allows ten questions an hour. */
export const limits = {
  agents: { scholar: { rate: { limit: 10, per: '1h' } } },
} satisfies OrchestratorOptions;

export function defineSurvey(questions: readonly string[], ask: Ask) {
  const answers = questions.map((question, i) =>
    task(`answer:${i + 1}`, {
      agentAssigned: 'scholar',
      timeout: '30m',
      retry: { maxAttempts: 4, delay: '1h', maxDelay: '12h' },
      async run({ attempt, clock }) {
        await clock.sleep('5m');
        return ask(question, attempt);
      },
    }),
  );
  const conclude = task('conclude', {
    dependencies: answers,
    run: ({ dependencies }) => Object.values(dependencies).join(' '),
  });
  return defineWorkflow('survey', { tasks: [conclude] });
}
