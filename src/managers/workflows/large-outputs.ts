/**
 * Keeps large outputs out of the log: they are written beside it, and read again for the tasks and hosts that want them.
 *
 * Owns: a cache of large values, bounded in bytes, and the waits for a store that fails. Who may call it: the attempt
 * manager, the instruction runner, the facade.
 *
 * LO1  What stands for a value is handed in only once the value is durable.
 * LO2  A value that could not be kept beside the log goes into the log: the work of a task is not lost to that.
 * LO3  Virtual time does not pass while the store is asked.
 * LO4  With a store that keeps no blobs it costs a task nothing.
 * LO5  A store that fails is asked again, a few times; what is damaged is not. Closing ends the waits in between.
 */
import { Reference } from '../../base/reference.ts';
import type { ScopeState } from '../../machine/state.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Blobs } from '../persistence/blobs.ts';
import type { Timer, Timers } from '../scheduling/timers.ts';
import type { LiveRun } from './live-run.ts';
import { STORE_FAILURES_MAX, waitAfter } from './store-failures.ts';
import { sizeOfTaken, takeBack } from './taken-values.ts';

/** Large values by the ids of their references. */
export type LargeValues = ReadonlyMap<string, unknown>;

/** What it is made of. */
export interface LargeOutputsParts {
  readonly blobs: Blobs;
  readonly clock: Pick<Clock, 'hold'>;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Reads something of runs that have ended: none of them is removed meanwhile. */
  readonly unremoved: <Value>(work: () => Promise<Value>) => Promise<Value>;
  /** What is larger than so many bytes, by the estimate of the guard, is kept beside the log. */
  readonly inlineLimit: number;
}

/** So many bytes of large values stay in memory after they were last used. */
export const LARGE_CACHE_BYTES = 64 * 1024 * 1024;

export class LargeOutputs {
  readonly #parts: LargeOutputsParts;
  readonly #isOn: boolean;
  /** By id, the one that was used last at the end. */
  readonly #cache = new Map<string, { readonly value: unknown; readonly bytes: number }>();
  #cached = 0;
  /** Those who wait before they ask the store again. */
  readonly #waits = new Map<() => void, Timer>();
  #isClosed = false;

  constructor(parts: LargeOutputsParts) {
    this.#parts = parts;
    this.#isOn = parts.blobs.areKept;
  }

  /** Whether a value that was taken in is to be kept beside the log. */
  isLarge(value: unknown): boolean {
    return this.#isOn && sizeOfTaken(value) > this.#parts.inlineLimit;
  }

  /** Keeps a large value; what stands for it in the log, or the value itself when it could not be kept. Never rejects. */
  async keep(run: LiveRun, value: unknown): Promise<unknown> {
    const { blobs, clock, logger } = this.#parts;
    const letGo = clock.hold();
    try {
      const reference = await blobs.save(run.runId, value);
      this.#remember(reference, value);
      return reference;
    } catch (error) {
      logger.warn(
        { runId: run.runId, error },
        'a large output could not be kept beside the log; it goes into it',
      );
      return value;
    } finally {
      letGo();
    }
  }

  /** The large outputs that a task depends on: nothing if there are none, at once if they are all in memory. */
  for(run: LiveRun, scope: ScopeState, index: number): undefined | LargeValues | Promise<LargeValues> {
    if (!this.#isOn) return undefined;
    const { plan, outputs } = scope;
    let wanted: Reference[] | undefined;
    const end = plan.dependencyStart[index + 1] as number;
    for (let e = plan.dependencyStart[index] as number; e < end; e++) {
      const output = outputs[plan.dependencies[e] as number];
      if (typeof output !== 'object' || !Reference.is(output)) continue;
      wanted ??= [];
      wanted.push(output);
    }
    return wanted === undefined ? undefined : this.#values(run.runId, wanted);
  }

  /**
   * The same for the outputs that the result of a run has, which has ended: it is not removed meanwhile.
   * @throws OrchestratorError `RUN_NOT_FOUND` when it was removed before
   */
  listed(run: LiveRun): undefined | LargeValues | Promise<LargeValues> {
    if (!this.#isOn) return undefined;
    const { outputs, plan } = run.state.scopes[0] as ScopeState;
    const wanted: Reference[] = [];
    for (let i = 0; i < plan.listed; i++) {
      const output = outputs[i];
      if (typeof output === 'object' && Reference.is(output)) wanted.push(output);
    }
    return wanted.length === 0 ? undefined : this.#values(run.runId, wanted, this.#parts.unremoved);
  }

  #values(
    runId: string,
    wanted: readonly Reference[],
    reading: LargeOutputsParts['unremoved'] = (work) => work(),
  ): LargeValues | Promise<LargeValues> {
    const values = new Map<string, unknown>();
    const missing: Reference[] = [];
    for (const reference of wanted) {
      const known = this.#cache.get(reference.id);
      if (known === undefined) {
        missing.push(reference);
        continue;
      }
      this.#cache.delete(reference.id);
      this.#cache.set(reference.id, known);
      values.set(reference.id, known.value);
    }
    return missing.length === 0 ? values : reading(() => this.#load(runId, missing, values));
  }

  async #load(
    runId: string,
    missing: readonly Reference[],
    values: Map<string, unknown>,
  ): Promise<LargeValues> {
    // One after the other: each may be as large as a value can be.
    for (const reference of missing) {
      if (values.has(reference.id)) continue;
      const value = takeBack(await this.#read(runId, reference), `large output ${reference.id} `);
      this.#remember(reference, value);
      values.set(reference.id, value);
    }
    return values;
  }

  async #read(runId: string, reference: Reference): Promise<unknown> {
    const { blobs, clock } = this.#parts;
    for (let failures = 1; ; failures++) {
      const letGo = clock.hold();
      try {
        return await blobs.load(runId, reference);
      } catch (error) {
        const isGone =
          OrchestratorError.is(error, 'STORE_CORRUPT') || OrchestratorError.is(error, 'RUN_NOT_FOUND');
        if (isGone || failures >= STORE_FAILURES_MAX || this.#isClosed) throw error;
      } finally {
        letGo();
      }
      await this.#wait(waitAfter(failures));
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.#waits.delete(go);
        resolve();
      };
      this.#waits.set(go, this.#parts.timers.set(ms, go));
    });
  }

  /** Nobody waits any more for a store that fails. */
  close(): void {
    this.#isClosed = true;
    for (const [go, timer] of this.#waits) {
      this.#parts.timers.stop(timer);
      go();
    }
  }

  #remember({ id, bytes }: Reference, value: unknown): void {
    if (this.#cache.has(id) || bytes > LARGE_CACHE_BYTES) return;
    this.#cache.set(id, { value, bytes });
    this.#cached += bytes;
    for (const [oldest, { bytes: freed }] of this.#cache) {
      if (this.#cached <= LARGE_CACHE_BYTES) return;
      this.#cache.delete(oldest);
      this.#cached -= freed;
    }
  }
}

/** The value that an output is or stands for. */
export function largeOr(output: unknown, large: LargeValues | undefined): unknown {
  return large !== undefined && typeof output === 'object' && Reference.is(output)
    ? large.get(output.id)
    : output;
}
