/** One of the things that hold a task back, with a model of its own. */
import type { Explanation, OrchestratorOptions } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import type { Mate, Stage } from './explain-stage.ts';

/** One thing that holds a task back. */
export interface Part {
  readonly reason: Explanation['reason'];
  readonly options?: OrchestratorOptions;
  /** What the task that waits has because of it. */
  readonly needs?: object;
  readonly concurrency?: number;
  readonly mates?: readonly Mate[];
  readonly attempt?: (attempt: number) => void;
  /** Brings it about, before the task that waits is there. */
  readonly before?: (stage: Stage) => Promise<void> | void;
  /** The same, once it is there. */
  readonly after?: (stage: Stage) => Promise<void> | void;
  /** What is told while nothing else holds the task back. */
  told(stage: Stage): object;
  /** What has to happen, by `whatWouldStart`. */
  steps(stage: Stage): readonly object[];
  /** What the text says. */
  says(stage: Stage): readonly string[];
  /** Each does some of that; it is over with the last of them, and not before. */
  readonly lifts: readonly ((stage: Stage) => Promise<void> | void)[];
}

/** Made anew for each try, because it remembers what has happened. */
export type MakePart = () => Part;

/** The numbers below `size` in an order that random numbers give. */
export function permutation(keys: readonly number[], size: number): readonly number[] {
  return Array.from({ length: size }, (_, i) => i).sort(
    (a, b) => (keys[a % keys.length] ?? 0) - (keys[b % keys.length] ?? 0) || a - b,
  );
}

/** Keys of an order. */
export const ORDER = fc.array(fc.nat(99), { minLength: 8, maxLength: 8 });

/** Takes as many as fit; what is wanted does not fit beside them. */
export function crowded(capacity: number, takes: readonly number[], wanted: number) {
  const fitting: number[] = [];
  let sum = 0;
  for (const take of takes) {
    if (sum + take > capacity) continue;
    fitting.push(take);
    sum += take;
  }
  return { fitting, needed: Math.max(Math.min(wanted, capacity), capacity - sum + 0.5) };
}
