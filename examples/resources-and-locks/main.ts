/**
 * Who may do what at the same time: agents with lanes, resources with a capacity, and locks. A task takes all
 * that it needs at once or waits without holding anything, so no order of asking can end in a deadlock.
 */
import { defineWorkflow, Orchestrator, task } from '@taskmaster-ai/orchestrator';

const cities = ['Basel', 'Cadiz', 'Delft', 'Essen', 'Faro', 'Ghent'];

const orchestrator = await Orchestrator.open({
  agents: { guide: { concurrency: 3 } },
  resources: {
    // Two may use a processor at once …
    cpu: 2,
    // … and in any tenth of a second, 300 tokens are there to be used up.
    'llm.tokens': { capacity: 300, per: '100ms' },
  },
});

const most = { guides: 0, writers: 0 };
const now = { guides: 0, writers: 0 };
async function busy(who: keyof typeof now, work: () => Promise<void>): Promise<void> {
  most[who] = Math.max(most[who], ++now[who]);
  await work();
  now[who]--;
}

const book: string[] = [];
const describe = cities.map((city, i) =>
  task(`describe:${city}`, {
    agentAssigned: 'guide',
    resourceRequirements: { cpu: 1, 'llm.tokens': 100 },
    // Ghent is the last in the list and the first to start.
    priority: i,
    run: ({ clock }) => busy('guides', () => clock.sleep('10ms')),
  }),
);
const note = describe.map((described, i) =>
  task(`note:${cities[i]}`, {
    dependencies: [described],
    locks: ['book'],
    run: ({ clock, locks }) =>
      busy('writers', async () => {
        await clock.sleep('2ms');
        // Every holder of the lock has a greater token than the one before: a store can refuse the late.
        book.push(`${locks.token('book')} ${cities[i]}`);
      }),
  }),
);
const read = task('read', {
  dependencies: note,
  locks: [{ name: 'book', mode: 'shared' }],
  run: () => book.map((line) => line.replace(/^\d+ /, '')),
});

try {
  const run = await orchestrator.manageWorkflow(defineWorkflow('guidebook', { tasks: [read] }));
  const { outputs } = await run.result();
  console.log(`in the book: ${outputs.read.join(', ')}`);
  console.log(`guides at once: at most ${most.guides}; writers at once: at most ${most.writers}`);

  // Code that is not a task can take part, too.
  const grant = await orchestrator.concurrency.acquireLock('book', { timeout: '1s' });
  console.log(`the book is ours, with token ${grant.token > 0 ? 'and seal' : '?'}`);
  orchestrator.concurrency.releaseLock(grant);
} finally {
  await orchestrator.close();
}
