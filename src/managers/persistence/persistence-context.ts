/**
 * What the persistence manager and the parts beside it need of each other and of the host.
 *
 * Who may use it: the files of this folder; whoever constructs a persistence manager gives a context.
 */
import type { StateSnapshot } from '../../machine/snapshot.ts';
import type { PlanOf } from '../../machine/state.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventRecord, EventStore } from '../../ports/event-store.ts';
import type { IdSource } from '../../ports/id-source.ts';
import type { Logger } from '../../ports/logger.ts';

/** What the methods on states, checkpoints and forks need beside the store; reading and appending need none of it. */
export interface PersistenceContext extends Pick<IdSource, 'nextRunId'> {
  /**
   * The plan of a workflow version.
   * @throws OrchestratorError `WORKFLOW_NOT_FOUND`
   */
  planOf(workflowId: string, version: number): CompiledPlan;
  /** @internal The same, or nothing, for versions that runs were moved to. */
  readonly planIfKnown?: PlanOf | undefined;
  /** Gives the times of checkpoints and forks. */
  readonly clock: Pick<Clock, 'now'>;
  /** Told of checkpoints that could not be used. */
  readonly logger?: Logger | undefined;
  /**
   * @internal Waits until everything that was decided for a run is durable; then its state, or `undefined` when the run is not
   * live or its state is ahead of its log again. Without it states are always folded from the log.
   */
  readonly capture?: ((runId: string) => Promise<StateSnapshot | undefined>) | undefined;
  /** Told of a fork whose log is durable, so that it goes on. Without it the fork goes on when the store is opened. */
  readonly adopt?: ((runId: string) => Promise<void>) | undefined;
}

/** The store, as the parts of the manager use it. */
export interface StoreAccess {
  readonly store: EventStore;
  /** The claim of the manager. */
  epoch(): number;
  /** @throws OrchestratorError `ORCHESTRATOR_CLOSED` when the store was given back */
  checkOpen(): void;
  readPage(
    runId: string,
    fromSeq: number,
    limit?: number,
  ): readonly EventRecord[] | Promise<readonly EventRecord[]>;
  streamOf(runId: string): string;
}
