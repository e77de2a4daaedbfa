/** What was measured of the durable workflows, by lane, durability and question. */
import { median, type Ratio, ratioOf } from '../summary.ts';
import type { BenchDurability, StoreLaneName } from './lane.ts';
import type { DiskSample, FlowsSample } from './measure-flows.ts';

export type What = 'crowd' | 'alone';

/** One thing that is measured in every round. */
export interface FlowSubject {
  readonly lane: StoreLaneName;
  readonly durability: BenchDurability;
  readonly what: What;
}

/** `figures.of({ lane, durability, what })[round]` */
export class FlowFigures {
  readonly disk: DiskSample[] = [];
  readonly #samples = new Map<string, FlowsSample[]>();

  of({ lane, durability, what }: FlowSubject): FlowsSample[] {
    const key = `${lane} ${durability} ${what}`;
    const known = this.#samples.get(key) ?? [];
    this.#samples.set(key, known);
    return known;
  }

  values(subject: FlowSubject, field: keyof FlowsSample): number[] {
    return this.of(subject).map((sample) => sample[field]);
  }

  get syncsPerSecond(): number {
    return median(this.disk.map((sample) => sample.syncsPerSecond));
  }

  toJSON(): unknown {
    return { disk: this.disk, samples: Object.fromEntries(this.#samples) };
  }
}

/** How many times fewer steps a second than the probe of the same round. */
export function belowProbe(
  figures: FlowFigures,
  lane: StoreLaneName,
  durability: BenchDurability,
): Ratio | undefined {
  const of = (name: StoreLaneName): number[] =>
    figures.values({ lane: name, durability, what: 'crowd' }, 'stepsPerSecond');
  return ratioOf(of('probe'), of(lane));
}
