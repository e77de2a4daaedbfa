/**
 * The resource manager at random, against a model that knows only what was granted and given back: use, peaks, holders,
 * use over time; and nobody waits who would fit.
 */
import { ResourceManager } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Grant } from '../../src/managers/resources/claims.ts';

/** Amounts are in tenths here, so that the model counts with integers. */
type Amounts = Readonly<Record<string, number>>;

type Step =
  | { readonly do: 'ask'; readonly amounts: Amounts; readonly priority: number }
  | { readonly do: 'release' | 'abort'; readonly which: number }
  | { readonly do: 'capacity'; readonly name: string; readonly tenths: number }
  | { readonly do: 'advance'; readonly ms: number };

const NAMES = ['cpu', 'disk'];
const amounts = fc
  .record({ cpu: fc.integer({ min: 0, max: 12 }), disk: fc.integer({ min: 0, max: 8 }) })
  .filter(({ cpu, disk }) => cpu + disk > 0);
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('ask'), amounts, priority: fc.integer({ min: 0, max: 2 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release'), which: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort'), which: fc.nat(50) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('capacity'),
      name: fc.constantFrom(...NAMES),
      tenths: fc.constantFrom(0, 1, 5, 10, 15, 30),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('advance'), ms: fc.integer({ min: 1, max: 50 }) }) },
) as fc.Arbitrary<Step>;

interface Asked {
  readonly amounts: Amounts;
  readonly controller: AbortController;
  state: 'waiting' | 'held' | 'over';
  grant: Grant | undefined;
}

interface Book {
  capacity: number;
  /** The last one above 0: what requests are judged by. */
  whole: number;
  peak: number;
  readonly samples: { readonly at: number; readonly used: number; readonly capacity: number }[];
}

class World {
  readonly clock = new VirtualClock({ auto: false });
  readonly manager = ResourceManager.create({ clock: this.clock, resources: { cpu: 1, disk: 0.5 } });
  readonly asked: Asked[] = [];
  readonly books = new Map<string, Book>([
    ['cpu', { capacity: 10, whole: 10, peak: 0, samples: [{ at: 0, used: 0, capacity: 10 }] }],
    ['disk', { capacity: 5, whole: 5, peak: 0, samples: [{ at: 0, used: 0, capacity: 5 }] }],
  ]);

  constructor() {
    this.manager.monitorResourceUsage();
  }

  usedOf(name: string): number {
    let used = 0;
    for (const { state, amounts } of this.asked) if (state === 'held') used += amounts[name] ?? 0;
    return used;
  }

  async step(step: Step): Promise<void> {
    if (step.do === 'advance') await this.clock.advance(step.ms);
    else if (step.do === 'ask') this.ask(step.amounts, step.priority);
    else if (step.do === 'capacity') this.setCapacity(step.name, step.tenths);
    else if (step.do === 'release') this.release(step.which);
    else this.pick('waiting', step.which)?.controller.abort();
    for (let i = 0; i < 8; i++) await Promise.resolve();
    for (const [name, book] of this.books) {
      const used = this.usedOf(name);
      book.peak = Math.max(book.peak, used);
      book.samples.push({ at: this.clock.monotonic(), used, capacity: book.capacity });
    }
  }

  ask(amounts: Amounts, priority: number): void {
    const controller = new AbortController();
    const asked: Asked = { amounts, controller, state: 'waiting', grant: undefined };
    const inOnes = Object.fromEntries(
      Object.entries(amounts).flatMap(([name, tenths]) => (tenths > 0 ? [[name, tenths / 10]] : [])),
    );
    const fitsAtAll = [...this.books].every(([name, { whole }]) => (amounts[name] ?? 0) <= whole);
    this.asked.push(asked);
    this.manager.allocateResource(inOnes, { priority, signal: controller.signal }).then(
      (grant) => {
        asked.state = 'held';
        asked.grant = grant;
        expect(fitsAtAll).toBe(true);
      },
      (error) => {
        asked.state = 'over';
        expect(error.code).toBe(fitsAtAll ? 'WAIT_ABORTED' : 'RESOURCE_UNSCHEDULABLE');
      },
    );
  }

  setCapacity(name: string, tenths: number): void {
    this.manager.setCapacity(name, tenths / 10);
    const book = this.books.get(name) as Book;
    book.capacity = tenths;
    if (tenths > 0) book.whole = tenths;
  }

  release(which: number): void {
    const one = this.pick('held', which);
    if (one === undefined) return;
    this.manager.releaseResource(one.grant as Grant);
    one.state = 'over';
  }

  pick(state: Asked['state'], which: number): Asked | undefined {
    const some = this.asked.filter((one) => one.state === state);
    return some[which % Math.max(1, some.length)];
  }

  check(): void {
    for (const [name, book] of this.books) {
      const used = this.usedOf(name);
      const report = this.manager.monitorResourceUsage(name);
      expect(report).toMatchObject({
        capacity: book.capacity / 10,
        used: used / 10,
        free: Math.max(0, book.capacity - used) / 10,
        peak: book.peak / 10,
      });
      const held = this.asked.filter((one) => one.state === 'held' && (one.amounts[name] ?? 0) > 0);
      const amounts = report.holders.map(({ amount }) => Math.round(amount * 10)).sort();
      expect(amounts).toEqual(held.map((one) => one.amounts[name]).sort());
      expect(report.average).toBeCloseTo(averageOf(book, this.clock.monotonic()) / 10, 9);
      expect(changes(report.history)).toEqual(
        changes(book.samples.map((one) => ({ ...one, used: one.used / 10, capacity: one.capacity / 10 }))),
      );
    }
    for (const { state, amounts } of this.asked)
      if (state === 'waiting')
        expect(NAMES.some((name) => (amounts[name] ?? 0) > this.freeOf(name, amounts[name] ?? 0))).toBe(true);
  }

  /** What somebody who wants so much sees as free: of what he wants nothing of, it is no matter how much. */
  freeOf(name: string, wanted: number): number {
    return wanted === 0 ? 0 : (this.books.get(name) as Book).capacity - this.usedOf(name);
  }
}

/** How it stood at the end of each time at which it was different then. */
function changes(samples: Book['samples'] | readonly Book['samples'][number][]): readonly unknown[] {
  const last = new Map<number, { readonly used: number; readonly capacity: number }>();
  for (const { at, used, capacity } of samples) last.set(at, { used, capacity });
  const steps: { at: number; used: number; capacity: number }[] = [];
  for (const [at, one] of last) {
    const before = steps.at(-1);
    if (before?.used !== one.used || before.capacity !== one.capacity) steps.push({ at, ...one });
  }
  return steps;
}

function averageOf({ samples }: Book, now: number): number {
  if (now === 0) return samples.at(-1)?.used ?? 0;
  let area = 0;
  samples.forEach(({ at, used }, i) => {
    area += used * ((samples[i + 1]?.at ?? now) - at);
  });
  return area / now;
}

describe('ResourceManager, at random', () => {
  it('use, peaks, holders and use over time are those of a brute-force model, whatever the capacity does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 40 }), async (plan) => {
        const world = new World();
        for (const step of plan) {
          await world.step(step);
          world.check();
        }
        for (const one of world.asked) if (one.state === 'waiting') one.controller.abort();
        for (let held = world.pick('held', 0); held !== undefined; held = world.pick('held', 0))
          world.release(0);
        for (let i = 0; i < 8; i++) await Promise.resolve();
        for (const name of NAMES) expect(world.manager.usage(name).used).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
