/** Plays parts up to the wait, among others who have nothing to do with it. */
import fc from 'fast-check';
import { type Part, permutation } from './explain-part.ts';
import { castOf, optionsOf } from './explain-parts.ts';
import { Stage } from './explain-stage.ts';

/** Those who are around and have nothing to do with it. */
export interface Noise {
  /** The priorities of those who wait for something else. */
  readonly waiting: readonly number[];
  readonly pauses: boolean;
  readonly priority: number;
  readonly order: readonly number[];
}

/** Who is around. */
export const NOISE: fc.Arbitrary<Noise> = fc.record({
  waiting: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
  pauses: fc.boolean(),
  priority: fc.integer({ min: 0, max: 4 }),
  order: fc.array(fc.nat(99), { minLength: 8, maxLength: 8 }),
});

const NOISE_OPTIONS = { resources: { disk: 1 }, agents: { other: { concurrency: 1 } } };

/** Brings on those who have nothing to do with it; returns how to end them. */
async function makeNoise(stage: Stage, { waiting, pauses, order }: Noise): Promise<() => Promise<void>> {
  const { scheduler } = stage.orchestrator;
  await stage.hold('noise-disk', { resourceRequirements: { disk: 1 } });
  await stage.hold('noise-lock', { locks: ['elsewhere'] });
  await stage.hold('noise-slot', { agentAssigned: 'other' });
  for (const [i, priority] of waiting.entries())
    await stage.hold(`noise-${i}`, { resourceRequirements: { disk: 1 }, priority });
  if (pauses) {
    scheduler.pause({ agent: 'idle' });
    scheduler.pause({ workflowId: 'of-noise-idle' });
    await stage.hold('noise-idle', { agentAssigned: 'idle' });
  }
  const ids = ['disk', 'lock', 'slot', ...waiting.keys()].map((name) => `noise-${name}`);
  return async () => {
    for (const i of permutation(order, ids.length)) await stage.end(ids[i] as string);
    if (!pauses) return;
    scheduler.resume({ agent: 'idle' });
    scheduler.resume({ workflowId: 'of-noise-idle' });
    await stage.end('noise-idle');
  };
}

/** Nobody is around. */
export async function silence(): Promise<void> {}

/** Plays parts up to the wait. */
export async function stageParts(parts: readonly Part[], needs: object = {}, noise?: Noise) {
  const stage = await Stage.open(optionsOf(parts, noise === undefined ? {} : NOISE_OPTIONS));
  const innocents = noise === undefined ? silence : await makeNoise(stage, noise);
  // Who has to fail first must be able to start first.
  const first = parts.find(({ reason }) => reason === 'timer');
  const isHeldByPauses = parts.every(({ reason }) => reason === 'paused');
  const bring = async (): Promise<void> => {
    for (const part of parts) await part.before?.(stage);
  };
  if (first === undefined) await bring();
  if (isHeldByPauses) stage.orchestrator.pause();
  await stage.start(castOf(parts, needs));
  await first?.after?.(stage);
  if (first !== undefined) await bring();
  for (const part of parts) if (part !== first) await part.after?.(stage);
  if (isHeldByPauses && !parts.some((part) => part.steps(stage).some(resumesAll)))
    stage.orchestrator.resume();
  await stage.settle();
  return { stage, innocents };
}

/** Whether it is the resume of everything. */
export function resumesAll(step: object): boolean {
  return (step as { by?: { what: string } }).by?.what === 'orchestrator';
}
