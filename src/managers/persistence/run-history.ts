/**
 * Folds the log of a run into a state: from the newest checkpoint that can be used, else from the beginning.
 *
 * Owns: nothing. Who may call it: the persistence manager and the files beside it.
 *
 * HI1  The state is that of the log, whichever checkpoints there are; one that cannot be used costs time and a
 *      warning, nothing else.
 * HI2  It reads page by page; it never holds more than one page of the log. Between two of them an owner that has taken the
 *      store over can remove the run: `whole` says afterwards that it did not.
 */

import { describeName } from '../../base/values.ts';
import type { RunCreated, RunEvent } from '../../machine/events.ts';
import { evolve } from '../../machine/evolve.ts';
import { upcast } from '../../machine/replay.ts';
import { initialState, type PlanOf, type RunState } from '../../machine/state.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { StoreAccess } from './persistence-context.ts';

const READ_PAGE = 1_024;

/** How a log is to be folded. */
export interface FoldOptions {
  /** The last event that is counted in. Default: all. */
  readonly toSeq?: number | undefined;
  /** Gives input and outputs as they are to be kept; `at` says which. */
  readonly guard?: ((value: unknown, at: string) => unknown) | undefined;
}

/** A state, and the event that led to it last. */
export interface Folded {
  readonly state: RunState;
  readonly last: RunEvent | undefined;
  /** The last event that came out of a checkpoint; 0 when none did. */
  readonly checkpointSeq: number;
}

export class RunHistory {
  readonly #access: StoreAccess;
  readonly #checkpoints: Checkpoints;
  readonly #logger: () => Logger | undefined;
  readonly #planOf: PlanOf;

  /** @param planOf - the plans of versions that runs are moved to */
  constructor(
    access: StoreAccess,
    checkpoints: Checkpoints,
    logger: () => Logger | undefined,
    planOf: PlanOf,
  ) {
    this.#access = access;
    this.#checkpoints = checkpoints;
    this.#logger = logger;
    this.#planOf = planOf;
  }

  /**
   * The first event of a run.
   * @throws OrchestratorError `RUN_NOT_FOUND`, `EVENT_UNKNOWN`
   */
  async head(runId: string): Promise<RunCreated> {
    const [first] = typeof runId === 'string' ? await this.#access.readPage(runId, 1, 1) : [];
    if (first !== undefined) return upcast(first) as RunCreated;
    throw new OrchestratorError('RUN_NOT_FOUND', `no run ${describeName(runId)} is in the store`, {
      details: { runId },
    });
  }

  /**
   * Reads more of a run than one page. The owner of the store may remove it meanwhile, if this one has lost the store:
   * what was read then may be a beginning of it, or nothing.
   * @throws OrchestratorError `RUN_NOT_FOUND`, and what `read` throws
   */
  async whole<Value>(runId: string, read: () => Promise<Value>): Promise<Value> {
    let value: Value;
    try {
      value = await read();
    } catch (error) {
      await this.head(runId);
      throw error;
    }
    await this.head(runId);
    return value;
  }

  /**
   * The state of a run.
   * @throws OrchestratorError `EVENT_UNKNOWN`, `HISTORY_INVALID`, and what the store throws
   */
  async fold(runId: string, plan: CompiledPlan, options: FoldOptions = {}): Promise<Folded> {
    const { toSeq = Number.MAX_SAFE_INTEGER, guard } = options;
    for (const id of await this.#candidates(runId, toSeq)) {
      try {
        const { state, last } = await this.#checkpoints.restore(id, runId, plan, {
          guard,
          planOf: this.#planOf,
        });
        // The one that is kept by itself may have been replaced by a newer one since they were listed.
        if (state.seq <= toSeq) return await this.#foldTail(state, upcast(last), options);
      } catch (error) {
        this.warn({ runId, checkpointId: id, error });
      }
    }
    return this.#foldTail(initialState(runId, plan, this.#planOf), undefined, options);
  }

  /** Tells that a checkpoint could not be used. */
  warn(fields: Readonly<Record<string, unknown>>): void {
    this.#logger()?.warn(fields, 'a checkpoint could not be used; the log is replayed instead');
  }

  /** Calls back for each event from a `seq` on, until it says `false`. */
  async visit(runId: string, fromSeq: number, each: (event: RunEvent) => boolean): Promise<void> {
    for (let next = fromSeq; ; ) {
      const page = await this.#access.readPage(runId, next, READ_PAGE);
      for (const record of page) if (!each(upcast(record))) return;
      if (page.length < READ_PAGE) return;
      next += page.length;
    }
  }

  async #candidates(runId: string, toSeq: number): Promise<readonly string[]> {
    try {
      return await this.#checkpoints.candidates(runId, toSeq);
    } catch (error) {
      this.warn({ runId, error });
      return [];
    }
  }

  async #foldTail(
    state: RunState,
    before: RunEvent | undefined,
    { toSeq = Number.MAX_SAFE_INTEGER, guard }: FoldOptions,
  ): Promise<Folded> {
    let last = before;
    const checkpointSeq = state.seq;
    if (state.seq >= toSeq) return { state, last, checkpointSeq };
    await this.visit(state.runId, state.seq + 1, (event) => {
      last = guard === undefined ? event : guarded(event, guard);
      evolve(state, last);
      return state.seq < toSeq;
    });
    return { state, last, checkpointSeq };
  }
}

/** A store on bytes gives fresh objects: readers must not be able to change what others see. */
function guarded(event: RunEvent, guard: (value: unknown, at: string) => unknown): RunEvent {
  const at = `${event.type} ${event.seq}`;
  if (event.type === 'TaskCompleted') {
    const output = guard(event.output, `${at} output `);
    return output === event.output ? event : { ...event, output };
  }
  if (event.type !== 'RunCreated') return event;
  const input = guard(event.input, `${at} input `);
  return input === event.input ? event : { ...event, input };
}
