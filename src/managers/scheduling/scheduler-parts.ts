/**
 * What a task scheduler is made of, inside an orchestrator and alone.
 *
 * Owns: nothing. Who may call it: the task scheduler, and whoever composes one.
 */
import {
  checkDuration,
  checkInteger,
  checkKeys,
  checkRecord,
  type Duration,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import type { OrchestratorError } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Holders } from '../resources/holders.ts';
import { Ledger } from '../resources/ledger.ts';
import { type ResourceManagerOptions, specOf } from '../resources/stand-alone.ts';
import { type AgentLimits, NeedsBook } from './needs-book.ts';
import { checkPolicy, type SchedulingPolicy } from './policy.ts';
import type { RunTable } from './task-record.ts';
import { Timers } from './timers.ts';

/** What a scheduler is made of. */
export interface TaskSchedulerParts {
  readonly ledger: Ledger;
  readonly needs: NeedsBook;
  readonly timers: Timers;
  readonly policy: SchedulingPolicy;
  /** The owner's claim on the store; fencing tokens begin with it, so that they never go back. */
  readonly epoch: number;
  /** Told of a comparator that gives no order, and of listeners that throw. */
  readonly complain: (error: OrchestratorError) => void;
  /**
   * Called when tasks may have become able to start, outside of a turn of the loop; `late` when more that matters may
   * happen in the same moment. Alone: it admits by itself.
   */
  readonly wake?: (late?: boolean) => void;
  /** Calls back after every turn of whoever admits. Alone: of itself. */
  readonly onTurn?: (watcher: () => void) => () => void;
  /** The position of a request among all submissions. */
  readonly nextSubmission?: () => number;
  /** Who holds what. Alone: its own tasks. */
  readonly holders?: Holders;
  /** How many requests of the host for locks and resources there have been. Alone: none. */
  readonly asked?: () => number;
  /** The runs that it serves. Alone: none. */
  readonly runs?: RunTable;
}

/** How a scheduler is made that stands alone. */
export interface TaskSchedulerOptions {
  /** Time, for rates: `new SystemClock()`, or `new VirtualClock()` in tests. */
  readonly clock: Clock;
  /** What there is: renewable amounts, amounts that come back by time, budgets. Default: nothing. */
  readonly resources?: ResourceManagerOptions['resources'] | undefined;
  /** Limits by agent; an agent that is not named has none. */
  readonly agents?:
    | Readonly<
        Record<
          string,
          {
            readonly concurrency?: number | undefined;
            readonly rate?: { readonly limit: number; readonly per: Duration } | undefined;
          }
        >
      >
    | undefined;
  /** Tasks at once: 1 to 1,000,000. Default: no limit. */
  readonly concurrency?: number | undefined;
  /** Default `priority`. */
  readonly policy?: SchedulingPolicy | undefined;
  /** Told of a comparator that gives no order, and of listeners that throw. Default: nobody is. */
  readonly onFault?: ((error: OrchestratorError) => void) | undefined;
}

const KEYS: ReadonlySet<string> = new Set([
  'clock',
  'resources',
  'agents',
  'concurrency',
  'policy',
  'onFault',
]);
const COUNT_MAX = 1_000_000;

/** @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `ID_INVALID` */
export function standAlone(given: TaskSchedulerOptions): TaskSchedulerParts {
  const at = 'TaskScheduler.create';
  return reading(at, 'an object of options with a clock', () => {
    const options = checkRecord(
      given,
      at,
      'an object of options with a clock',
    ) as unknown as TaskSchedulerOptions;
    checkKeys(options, KEYS, at);
    const { clock, onFault } = options;
    if (typeof clock?.setTimer !== 'function' || typeof clock.monotonic !== 'function')
      throw invalidOption(`${at}/clock`, clock, 'a clock, such as new SystemClock()');
    const ledger = new Ledger();
    const resources = checkRecord(options.resources ?? {}, `${at}/resources`, 'capacities by name');
    for (const name of Object.keys(resources))
      ledger.declare(specOf(name, resources[name], `${at}/resources/${name}`));
    const concurrency =
      options.concurrency === undefined
        ? undefined
        : checkInteger(options.concurrency, `${at}/concurrency`, 1, COUNT_MAX);
    return {
      ledger,
      needs: new NeedsBook(ledger, concurrency, readAgents(options.agents, `${at}/agents`)),
      timers: new Timers(clock),
      policy: checkPolicy(options.policy, `${at}/policy`),
      epoch: 0,
      complain: onFault ?? ((): void => {}),
    };
  });
}

function readAgents(given: TaskSchedulerOptions['agents'], at: string): ReadonlyMap<string, AgentLimits> {
  const agents = checkRecord(given ?? {}, at, 'limits by agent') as NonNullable<
    TaskSchedulerOptions['agents']
  >;
  return new Map(
    Object.keys(agents).map((name) => {
      checkId(name, `${at}/${name}`, 'an agent name');
      const { concurrency, rate } = checkRecord(agents[name], `${at}/${name}`, '{ concurrency, rate }') as {
        concurrency?: unknown;
        rate?: { limit?: unknown; per?: unknown };
      };
      const limits: AgentLimits = {
        ...(concurrency === undefined
          ? undefined
          : { concurrency: checkInteger(concurrency, `${at}/${name}/concurrency`, 1, COUNT_MAX) }),
        ...(rate === undefined
          ? undefined
          : {
              rate: {
                limit: checkInteger(rate.limit, `${at}/${name}/rate/limit`, 1, COUNT_MAX),
                perMs: checkDuration(rate.per, `${at}/${name}/rate/per`),
              },
            }),
      };
      return [name, limits] as const;
    }),
  );
}
