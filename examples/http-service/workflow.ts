/** What the service does: it writes a report on a topic. In a real one the agents would call a model. */
import { defineWorkflow, NonRetryableError, taskFor } from '@taskmaster-ai/orchestrator';

/** The input of a run, checked by a Standard Schema: zod, valibot and arktype make such objects, too. */
export const request = {
  '~standard': {
    version: 1,
    vendor: 'example',
    validate(value: unknown) {
      const { topic, pages = 3 } = (value ?? {}) as { readonly topic?: unknown; readonly pages?: unknown };
      if (typeof topic !== 'string' || topic.trim() === '')
        return { issues: [{ message: 'a text that is not empty', path: ['topic'] }] };
      if (typeof pages !== 'number' || !Number.isInteger(pages) || pages < 1 || pages > 100)
        return { issues: [{ message: 'a whole number from 1 to 100', path: ['pages'] }] };
      return { value: { topic: topic.trim(), pages } };
    },
    types: undefined as unknown as { input: unknown; output: { topic: string; pages: number } },
  },
} as const;

const step = taskFor(request);

const search = step('search', {
  agentAssigned: 'researcher',
  run: async ({ input: { topic, pages }, clock }) => {
    await clock.sleep('20ms');
    return Array.from({ length: pages }, (_, page) => `${topic}, page ${page + 1}`);
  },
});
const read = step('read', {
  dependencies: { search },
  agentAssigned: 'researcher',
  timeout: '1m',
  async run({ dependencies: { search }, progress, clock }) {
    const notes: string[] = [];
    for (const page of search) {
      await clock.sleep('50ms');
      notes.push(`notes on ${page}`);
      progress({ read: notes.length, of: search.length });
    }
    return notes;
  },
});
const write = step('write', {
  dependencies: { read },
  agentAssigned: 'writer',
  retry: { maxAttempts: 3, delay: '50ms' },
  run({ dependencies: { read }, input: { topic }, attempt }) {
    if (topic === 'forbidden') throw new NonRetryableError('nobody may write about that');
    if (attempt === 1) throw new Error('the writer had no ink');
    return `# ${topic}\n\n${read.join('\n')}\n`;
  },
});

export const report = defineWorkflow('report', { input: request, tasks: [write] });
