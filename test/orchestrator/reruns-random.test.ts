/**
 * Random workflows with random failures, tried again until nothing fails: what was kept never runs again, all else does,
 * and in the end the outputs are those of a run without faults.
 */
import { defineWorkflow, type Run, task } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logOf } from '../support/run-log.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';

interface TaskSpec {
  readonly needs: readonly number[];
  /** In how many runs it fails, one after the other. */
  readonly failures: number;
  readonly ms: number;
  readonly isSettled: boolean;
  readonly when: 'none' | 'yes' | 'no';
}

const specs = fc.array(
  fc.record({
    needs: fc.uniqueArray(fc.nat(9), { maxLength: 3 }),
    failures: fc.constantFrom(0, 0, 0, 1, 2),
    ms: fc.integer({ min: 0, max: 4 }),
    isSettled: fc.nat(3).map((drawn) => drawn === 0),
    when: fc.constantFrom('none' as const, 'none' as const, 'yes' as const, 'no' as const),
  }),
  { minLength: 1, maxLength: 8 },
);
const policies = fc.constantFrom('fail-fast' as const, 'finish-running' as const, 'continue' as const);

/** `isBad` says whether a task fails now. */
function workflowOf(
  spec: readonly TaskSpec[],
  failurePolicy: 'fail-fast' | 'finish-running' | 'continue',
  isBad: (i: number) => boolean,
  ran: string[],
) {
  return defineWorkflow('w', {
    failurePolicy,
    tasks: spec.map(({ needs, ms, isSettled, when }, i) =>
      task(`t${i}`, {
        dependencies: needs
          .filter((on) => on < i)
          .map((on) => (isSettled ? { taskId: `t${on}`, on: 'settled' } : `t${on}`)),
        ...(when === 'none' ? undefined : { when: () => when === 'yes' }),
        run: async ({ runId, dependencies, clock, restart }: never) => {
          ran.push(`${runId} t${i}`);
          if (ms > 0) await (clock as { sleep(ms: number): Promise<void> }).sleep(ms);
          if (isBad(i)) throw new Error(`t${i} broke`);
          return [i, restart, dependencies];
        },
      } as never),
    ) as never,
  });
}

function pathsOf(run: Run<unknown>, ...statuses: readonly string[]): readonly string[] {
  return run
    .tasks()
    .filter(({ status }) => statuses.includes(status))
    .map(({ path }) => path);
}

describe('what failed is tried again', () => {
  it('until nothing fails: nothing that was kept runs again, and the outputs are those without faults', async () => {
    let retried = 0;
    await fc.assert(
      fc.asyncProperty(specs, policies, async (spec, policy) => {
        const { orchestrator } = await openVirtual();
        const faultless = await orchestrator.manageWorkflow(workflowOf(spec, policy, () => false, []));
        const expected = (await faultless.settled()).outputs;

        const ran: string[] = [];
        const met = spec.map(() => new Set<string>());
        let runId = 'first';
        const isBad = (i: number): boolean => {
          met[i]?.add(runId);
          return (met[i]?.size ?? 0) <= (spec[i]?.failures ?? 0);
        };
        const workflow = workflowOf(spec, policy, isBad, ran);
        let run: Run<unknown> = await orchestrator.manageWorkflow(workflow);
        let settled = await run.settled();
        for (let tries = 0; settled.status === 'failed'; tries++) {
          expect(tries).toBeLessThan(30);
          const earlier = run;
          runId = `again ${tries}`;
          retried++;
          run = await earlier.retry();
          settled = await run.settled();

          const log = await logOf(run);
          const [created] = log;
          const kept = created?.type === 'RunCreated' ? (created.forkedFrom?.kept ?? 0) : 0;
          const isKept = new Set(
            log
              .slice(0, kept)
              .flatMap((event) =>
                event.type === 'TaskCompleted' || event.type === 'TaskSkipped' ? [event.path] : [],
              ),
          );
          const now = ran
            .filter((line) => line.startsWith(`${run.runId} `))
            .map((line) => line.split(' ')[1]);
          expect(now.filter((path) => isKept.has(path as string))).toEqual([]);
          expect(new Set(now).size).toBe(now.length);
          // Whatever completed now and was not kept has run now.
          for (const path of pathsOf(run, 'completed', 'failed'))
            if (!isKept.has(path)) expect(now).toContain(path);
          // Nothing is lost: what completed on completed ground is kept.
          for (const path of pathsOf(earlier, 'failed', 'cancelled')) expect(isKept.has(path)).toBe(false);
          for (const path of pathsOf(earlier, 'completed')) {
            const needs = spec[Number(path.slice(1))]?.needs.filter((on) => on < Number(path.slice(1))) ?? [];
            if (needs.every((on) => isKept.has(`t${on}`))) expect(isKept.has(path), path).toBe(true);
          }
        }
        // A failure that is tolerated fails no run; nothing tries it again.
        if (settled.failures.length === 0) expect(settled.outputs).toEqual(expected);
        await orchestrator.close();
      }),
      { numRuns: 60 },
    );
    expect(retried).toBeGreaterThan(10);
  });

  it('from any task of a run: that task and all that depends on it run, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(specs, fc.nat(99), async (given, pick) => {
        const spec = given.map((one) => ({ ...one, when: 'none' as const }));
        const ran: string[] = [];
        const { orchestrator } = await openVirtual();
        const run = await orchestrator.manageWorkflow(workflowOf(spec, 'continue', () => false, ran));
        const { outputs } = await run.settled();
        const from = pick % spec.length;
        const wanted = new Set([from]);
        spec.forEach(({ needs }, i) => {
          if (needs.some((on) => on < i && wanted.has(on))) wanted.add(i);
        });
        const again = await run.rerunFrom(`t${from}`);
        expect((await again.settled()).outputs).toEqual(outputs);
        const now = ran
          .filter((line) => line.startsWith(`${again.runId} `))
          .map((line) => line.split(' ')[1]);
        expect(now.toSorted()).toEqual([...wanted].map((i) => `t${i}`).toSorted());
        await orchestrator.close();
      }),
      { numRuns: 40 },
    );
  });
});
