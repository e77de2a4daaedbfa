/**
 * Every reason of an explanation, brought about by generated situations: it names the right thing, nothing but that
 * starts the task, and that does.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MakeSituation, type Reason, SCENES, type Situation } from '../support/explain-scenes.ts';

function expectExplained(reason: Reason, situation: Situation): void {
  const why = situation.why();
  expect(why).toMatchObject({ reason, ...situation.told() });
  const steps = situation.steps();
  expect(why.whatWouldStart).toMatchObject(steps);
  expect(why.whatWouldStart).toHaveLength(steps.length);
  for (const said of situation.says()) expect(why.text).toContain(said);
  expect(why.text).toMatch(/^task "waiter" .*\.$/);
  if (!('position' in why) || situation.position === undefined) return;
  const isAside = 'pausedBy' in why && why.pausedBy.some(({ what }) => what === 'workflow' || what === 'run');
  expect(why.position).toBe(isAside ? undefined : situation.position(why));
}

async function prove(reason: Reason, make: MakeSituation): Promise<void> {
  const situation = await make();
  try {
    expectExplained(reason, situation);
    await situation.innocents();
    expectExplained(reason, situation);
    for (const lift of situation.lifts.slice(0, -1)) {
      await lift();
      expectExplained(reason, situation);
    }
    await situation.lifts.at(-1)?.();
    expect(situation.why()).toMatchObject(situation.after);
  } finally {
    await situation.close();
  }
}

describe('explain, for generated situations', () => {
  it.each(Object.keys(SCENES) as Reason[])(
    '%s: it names what holds the task back, and that alone starts it',
    async (reason) => {
      await fc.assert(
        fc.asyncProperty(SCENES[reason], (make) => prove(reason, make)),
        { numRuns: 60 },
      );
    },
  );
});
