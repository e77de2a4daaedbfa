/**
 * Forks of real runs at random: from behind any event the fork comes to the same end as the run it was made from, and
 * nobody else notices.
 */
import { defineWorkflow, type Run, type RunEvent, task } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openVirtual } from '../support/virtual-orchestrator.ts';

interface TaskSpec {
  readonly needs: readonly number[];
  /** How many attempts fail before one succeeds; 2 is one too many. */
  readonly failures: number;
  readonly ms: number;
  readonly isTolerant: boolean;
}

const specs = fc.array(
  fc.record({
    needs: fc.uniqueArray(fc.nat(9), { maxLength: 3 }),
    failures: fc.constantFrom(0, 0, 0, 1, 2),
    ms: fc.integer({ min: 0, max: 4 }),
    isTolerant: fc.boolean(),
  }),
  { minLength: 1, maxLength: 7 },
);

/** What each task gives follows from what it depends on, and whether an attempt fails from its number alone. */
function workflowOf(spec: readonly TaskSpec[], calls: string[]) {
  return defineWorkflow('w', {
    failurePolicy: 'continue',
    tasks: spec.map(({ needs, failures, ms, isTolerant }, i) =>
      task(`t${i}`, {
        dependencies: needs
          .filter((on) => on < i)
          .map((on) => (isTolerant ? { taskId: `t${on}`, on: 'settled' } : `t${on}`)),
        resourceRequirements: { cpu: 1 + (i % 2) },
        retry: { maxAttempts: 2, delay: 5 },
        run: async ({ runId, attempt, dependencies, input, clock }: never) => {
          calls.push(`${runId} t${i} ${attempt}`);
          if (ms > 0) await (clock as { sleep(ms: number): Promise<void> }).sleep(ms);
          // A plain value: what tells where it was thrown is different each time.
          if (attempt <= failures) throw `t${i} attempt ${attempt}`;
          return [i, input, dependencies];
        },
      } as never),
    ) as never,
  });
}

/** What is alike in two runs that come to the same end, whatever it took. */
async function endOf(run: Run<unknown>): Promise<unknown> {
  const { status, outputs, failures } = await run.settled();
  return {
    status,
    outputs,
    // Which of two failed first is chance when others use the same resources.
    failures: failures.map(({ path, failure }) => `${path} ${failure.message}`).sort(),
    tasks: run.tasks().map(({ path, status, attempt }) => [path, status, attempt]),
  };
}

async function eventsOf(run: Run<unknown>): Promise<readonly RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of run.events()) events.push(event);
  return events;
}

describe('a fork of a run', () => {
  it('made behind any event comes to the same end, and runs nothing again that had completed', async () => {
    await fc.assert(
      fc.asyncProperty(specs, fc.nat(999), fc.nat(999), async (spec, pick, second) => {
        const calls: string[] = [];
        const { orchestrator } = await openVirtual({ resources: { cpu: 3 } });
        const workflow = workflowOf(spec, calls);
        const run = await orchestrator.manageWorkflow(workflow, { input: 'tides' });
        const other = await orchestrator.manageWorkflow(workflow, { input: 'moon' });
        const end = await endOf(run);
        const log = await eventsOf(run);
        const before = calls.length;

        const fork = await run.fork({ at: 1 + (pick % log.length) });
        expect(await endOf(fork)).toEqual(end);
        const copied = (await eventsOf(fork)).slice(0, forkSeq(await eventsOf(fork)));
        const done = copied.filter(({ type }) => type === 'TaskCompleted');
        for (const event of done)
          expect(
            calls.slice(before).filter((line) => line.startsWith(`${fork.runId} ${pathOf(event)} `)),
          ).toEqual([]);
        // A fork of the fork, too, by way of a checkpoint of an earlier state.
        const checkpoint = await orchestrator.persistence.createCheckpoint(fork.runId, { name: 'end' });
        const again = await orchestrator.persistence.restoreFromCheckpoint(checkpoint);
        expect(await endOf(orchestrator.getRun(again.runId))).toEqual(end);
        const third = await fork.fork({ at: 1 + (second % (await eventsOf(fork)).length) });
        expect(await endOf(third)).toEqual(end);

        // Nobody else has noticed.
        expect(await eventsOf(run)).toEqual(log);
        expect((await endOf(other)) as object).toMatchObject({ status: (end as { status: string }).status });
        expect(orchestrator.resources.usage('cpu').used).toBe(0);
        await orchestrator.close();
      }),
      { numRuns: 40 },
    );
  });

  it('made while everything is under way changes no event of the others, and ends like them', async () => {
    await fc.assert(
      fc.asyncProperty(specs, fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }), async (spec, moments) => {
        const alone = await openVirtual({ resources: { cpu: 100 } });
        const expected = await endOf(
          await alone.orchestrator.manageWorkflow(workflowOf(spec, []), { input: 1 }),
        );
        await alone.orchestrator.close();

        const { orchestrator } = await openVirtual({ resources: { cpu: 100 } });
        const run = await orchestrator.manageWorkflow(workflowOf(spec, []), { input: 1 });
        const forks: Run<unknown>[] = [];
        for (const turns of moments) {
          for (let i = 0; i < turns; i++) await Promise.resolve();
          forks.push(await run.fork());
        }
        for (const one of [run, ...forks]) expect(await endOf(one)).toEqual(expected);
        expect(orchestrator.resources.usage('cpu').used).toBe(0);
        await orchestrator.close();
      }),
      { numRuns: 40 },
    );
  });
});

function forkSeq(log: readonly RunEvent[]): number {
  const [created] = log;
  return created?.type === 'RunCreated' ? (created.forkedFrom?.seq ?? 0) : 0;
}

function pathOf(event: RunEvent): string {
  return 'path' in event ? String(event.path) : '';
}
