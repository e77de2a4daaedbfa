/** An append is refused, or nobody knows whether it was written: nothing is lost, and nothing happens twice. */
import { MemoryStore, Orchestrator } from '@taskmaster-ai/orchestrator';
import { type AppendFault, ScriptedStore, type StoreDelay } from '@taskmaster-ai/orchestrator/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Ended, runFaulty } from '../support/faulty-run.ts';
import { cook, SMALL_WORKFLOWS, type TaskRecipe } from '../support/small-workflows.ts';

const FAULTS: readonly AppendFault[] = ['refuse', 'conflict', 'unknown', 'late'];
/** The first read is that of opening. Who opens hears of its failure, and opens again. */
const BEHIND_OPENING = 2;
const DELAYS: readonly StoreDelay[] = ['none', 0, 2];

function essence({ status, outputs, failures, answers }: Ended): unknown {
  return { status, outputs, failures, answers };
}

it('a read that fails while it opens fails the opening, and leaves the store to whoever opens it next', async () => {
  const store = new ScriptedStore(new MemoryStore(), { reads: [{ at: 1, fault: 'refuse' }] });
  await expect(Orchestrator.open({ store })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    retryable: true,
  });
  const orchestrator = await Orchestrator.open({ store });
  await orchestrator.close();
});

describe('a fault at every append', () => {
  for (const small of SMALL_WORKFLOWS) {
    for (const fault of FAULTS) {
      it(`${small.name}: ${fault}`, async () => {
        for (const appendDelay of DELAYS) {
          const wanted = await runFaulty(small, { appendDelay });
          for (let at = 1; at <= wanted.appends + 1; at++) {
            for (const times of [1, 2, 4]) {
              const found = await runFaulty(small, { appendDelay, appends: [{ at, times, fault }] });
              expect(essence(found), `${String(appendDelay)}: ${times} from ${at}`).toEqual(essence(wanted));
            }
          }
        }
      });
    }

    it(`${small.name}: every append has an unknown outcome`, async () => {
      const wanted = await runFaulty(small, {});
      const found = await runFaulty(small, {
        appends: [{ at: 1, times: Number.POSITIVE_INFINITY, fault: 'unknown' }],
      });
      expect(essence(found)).toEqual(essence(wanted));
    });

    it(`${small.name}: reads fail too`, async () => {
      const wanted = await runFaulty(small, { appendDelay: 1 });
      for (let at = 1; at <= wanted.appends; at++) {
        for (const fault of ['refuse', 'unknown'] as const) {
          const found = await runFaulty(small, {
            appendDelay: 1,
            readDelay: 1,
            appends: [{ at, fault }],
            reads: [{ at: BEHIND_OPENING, times: 3, fault: 'refuse' }],
          });
          expect(essence(found), `${fault} ${at}`).toEqual(essence(wanted));
        }
      }
    });
  }
});

describe('random workflows and random faults', () => {
  const recipe: fc.Arbitrary<TaskRecipe> = fc.record({
    dependencies: fc.nat(63),
    kind: fc.constantFrom('at-once', 'turns', 'ms'),
    length: fc.integer({ min: 1, max: 4 }),
    failures: fc.constantFrom(0, 0, 0, 1, 2),
    locked: fc.boolean(),
    cpu: fc.nat(2),
  });
  const script = fc.record({
    at: fc.integer({ min: 1, max: 20 }),
    times: fc.integer({ min: 1, max: 2 }),
    fault: fc.constantFrom(...FAULTS),
  });
  const read = fc.record({
    at: fc.integer({ min: BEHIND_OPENING, max: 10 }),
    fault: fc.constant('refuse' as const),
  });
  const delay: fc.Arbitrary<StoreDelay> = fc.constantFrom<StoreDelay>('none', 0, 1, 3);

  it('end as they do without faults', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(recipe, { minLength: 1, maxLength: 6 }),
        fc.array(script, { maxLength: 3 }),
        fc.array(read, { maxLength: 1 }),
        delay,
        delay,
        async (recipes, appends, reads, appendDelay, readDelay) => {
          const small = cook(recipes);
          const wanted = await runFaulty(small, {});
          const found = await runFaulty(small, { appends, reads, appendDelay, readDelay });
          expect(essence(found)).toEqual(essence(wanted));
        },
      ),
      { numRuns: 300, seed: 20_261 },
    );
  });
});
