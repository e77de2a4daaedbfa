/** Several things that hold one task back: each is told, each ends by itself, and the task starts with the last. */
import { defineWorkflow, type Explanation, task } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MakePart, Part } from '../support/explain-part.ts';
import { PARTS } from '../support/explain-parts.ts';
import { stageParts } from '../support/explain-play.ts';
import { Stage } from '../support/explain-stage.ts';
import { createGate } from '../support/gate.ts';

type Kind = keyof typeof PARTS;

/** What can hold back a task that waits for its first attempt; its own mates are of one kind. */
const READY: readonly Kind[] = ['resource', 'lock', 'agent', 'rate', 'budget', 'paused'];
/** What can hold back a task that has run before. */
const AGAIN: readonly Kind[] = ['resource', 'lock', 'agent', 'paused'];

const KINDS: fc.Arbitrary<readonly Kind[]> = fc.oneof(
  fc.subarray([...READY], { minLength: 2, maxLength: 4 }),
  fc.subarray([...READY], { minLength: 1, maxLength: 3 }).map((kinds) => ['concurrency' as const, ...kinds]),
  fc.subarray([...READY], { minLength: 1, maxLength: 3 }).map((kinds) => ['dependency' as const, ...kinds]),
  fc.subarray([...AGAIN], { minLength: 1, maxLength: 3 }).map((kinds) => ['timer' as const, ...kinds]),
);

const COMBINED: fc.Arbitrary<readonly MakePart[]> = KINDS.chain((kinds) =>
  fc.tuple(...kinds.map((kind): fc.Arbitrary<MakePart> => PARTS[kind])),
);

/** The order in which the parts are lifted, step by step: the numbers say who is next. */
function liftsOf(parts: readonly Part[], keys: readonly number[]): readonly Part[] {
  const turn: Part[] = [];
  const left = new Map(parts.map((part) => [part, part.lifts.length]));
  // Mates of a workflow that is paused do not run, so that they cannot end.
  const held = parts.find(({ reason }) => reason === 'dependency');
  const pauses = parts.find(({ reason }) => reason === 'paused');
  for (let i = 0; left.size > 0; i++) {
    const free = [...left.keys()].filter(
      (part) => part !== held || pauses === undefined || !left.has(pauses),
    );
    const next = free[(keys[i % keys.length] as number) % free.length] as Part;
    turn.push(next);
    const more = (left.get(next) as number) - 1;
    if (more === 0) left.delete(next);
    else left.set(next, more);
  }
  return turn;
}

/** What is told while these hold the task back: who comes late is not told of before its time. */
function expectTold(why: Explanation, left: readonly Part[], stage: Stage): void {
  const first = left.find(({ reason }) => reason === 'dependency' || reason === 'timer');
  const paused = left.filter(({ reason }) => reason === 'paused');
  const told = first === undefined ? left : [first, ...paused];
  const steps = told.flatMap((part) => part.steps(stage));
  expect(why.whatWouldStart).toEqual(
    expect.arrayContaining(steps.map((step) => expect.objectContaining(step))),
  );
  expect(why.whatWouldStart).toHaveLength(steps.length);
  if (first !== undefined) expect(why).toMatchObject({ reason: first.reason, ...first.told(stage) });
  else if (paused.length > 0) expect(why.reason).toBe('paused');
  else expect(left.map(({ reason }) => reason)).toContain(why.reason);
}

describe('explain, when several things hold a task back', () => {
  it('tells each of them, in any order of their ends', async () => {
    await fc.assert(
      fc.asyncProperty(
        COMBINED,
        fc.array(fc.nat(99), { minLength: 10, maxLength: 10 }),
        async (makes, keys) => {
          const parts = makes
            .map((make) => make())
            .sort((a, b) => Number(a.reason === 'paused') - Number(b.reason === 'paused'));
          const { stage } = await stageParts(parts);
          try {
            const left = new Map(parts.map((part) => [part, [...part.lifts]]));
            for (const part of liftsOf(parts, keys)) {
              expectTold(stage.why(), [...left.keys()], stage);
              const lifts = left.get(part) as Part['lifts'][number][];
              await lifts.shift()?.(stage);
              await stage.settle();
              if (lifts.length === 0) left.delete(part);
            }
            expect(stage.why()).toMatchObject({ reason: 'running', whatWouldStart: [] });
          } finally {
            await stage.close();
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('counts those who come first for the same, and it is their turn first', async () => {
    const wants = fc.record({
      priority: fc.integer({ min: 0, max: 3 }),
      gpu: fc.boolean(),
      cpu: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(wants, { minLength: 1, maxLength: 7 }), fc.nat(6), async (queue, nth) => {
        const stage = await Stage.open({ resources: { gpu: 1, cpu: 1 } });
        try {
          await stage.hold('hog', { resourceRequirements: { gpu: 1, cpu: 1 } });
          const ended: string[] = [];
          const gates = new Map(queue.map((_, i) => [`t${i}`, createGate()]));
          const tasks = queue.map(({ priority, gpu, cpu }, i) =>
            task(`t${i}`, {
              priority,
              resourceRequirements: {
                ...(gpu || !cpu ? { gpu: 1 } : undefined),
                ...(cpu ? { cpu: 1 } : undefined),
              },
              run: () => gates.get(`t${i}`)?.promise,
            }),
          );
          const run = await stage.orchestrator.manageWorkflow(defineWorkflow('queue', { tasks }));
          await stage.settle();
          const chosen = nth % queue.length;
          const key = (i: number) => [-(queue[i]?.priority ?? 0), i] as const;
          const isBefore = (i: number) => key(i)[0] - key(chosen)[0] || key(i)[1] - key(chosen)[1];
          const namesOf = (i: number) => {
            const { gpu = false, cpu = false } = queue[i] ?? {};
            return [...(gpu || !cpu ? ['gpu'] : []), ...(cpu ? ['cpu'] : [])];
          };
          const before = queue.flatMap((_, i) => (isBefore(i) < 0 ? [i] : []));
          const rivals = before.filter((i) => namesOf(i).some((name) => namesOf(chosen).includes(name)));
          const why = run.explain(`t${chosen}`);
          expect(why).toMatchObject({ position: before.length + 1, ahead: rivals.length });
          expect(why.whatWouldStart.filter(({ step }) => step === 'queue')).toEqual(
            rivals.length === 0 ? [] : [{ step: 'queue', ahead: rivals.length }],
          );
          // Whoever comes first and needs no more than this one has its turn before; who needs more is overtaken if
          // that is not free.
          await stage.end('hog');
          while (run.explain(`t${chosen}`).reason !== 'running') {
            const next = run
              .tasks()
              .find(({ path, status }) => status === 'in_progress' && !ended.includes(path));
            if (next === undefined) throw new Error('nobody runs');
            ended.push(next.path);
            gates.get(next.path)?.open();
            await stage.settle();
          }
          const begun = run.tasks().flatMap(({ path, status }) => (status === 'waiting' ? [] : [path]));
          const isLess = (i: number) => namesOf(i).every((name) => namesOf(chosen).includes(name));
          for (const i of rivals.filter(isLess)) expect(begun).toContain(`t${i}`);
        } finally {
          await stage.close();
        }
      }),
      { numRuns: 100 },
    );
  });
});
