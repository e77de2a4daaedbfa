/**
 * What a resource manager is made of that stands alone, outside of an orchestrator.
 *
 * Owns: nothing. Who may call it: the resource manager, and the concurrency controller that stands alone.
 */
import {
  checkKeys,
  checkNumber,
  checkRecord,
  checkTimeLimit,
  type Duration,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';
import type { CancelTimer, Clock } from '../../ports/clock.ts';
import { Claims } from './claims.ts';
import { Holders } from './holders.ts';
import { Ledger } from './ledger.ts';
import type { ResourceManagerParts } from './resource-parts.ts';
import { CAPACITY_MAX, type Row, type RowSpec } from './row.ts';

/** How a resource manager is made that stands alone. */
export interface ResourceManagerOptions {
  /** Time, for limits of waits and for rates: `new SystemClock()`, or `new VirtualClock()` in tests. */
  readonly clock: Clock;
  /**
   * By name: a renewable amount, an amount that comes back `per` time after it was taken, or a budget that never comes
   * back. 0 to 9e15, in millionths where they fit.
   */
  readonly resources: Readonly<
    Record<
      string,
      number | { readonly capacity: number; readonly per?: Duration } | { readonly budget: number }
    >
  >;
}

/**
 * What the constructor of a manager was given has to be what an orchestrator, or its own `create`, makes it of.
 * @throws OrchestratorError `OPTION_INVALID`, which names `create`
 */
export function checkComposed<Parts extends { readonly ledger: Ledger }>(parts: Parts, name: string): Parts {
  const at = `new ${name}`;
  const allowed = 'what an orchestrator makes it of';
  if (reading(at, allowed, () => (parts as Parts | undefined)?.ledger instanceof Ledger)) return parts;
  throw invalidOption(at, parts, allowed, `Use ${name}.create(options), or that of an orchestrator.`);
}

/** The longest timer of a clock. */
const TIMER_MS_MAX = 2_147_483_647;

/** @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `ID_INVALID` */
export function standAlone(given: ResourceManagerOptions): ResourceManagerParts {
  const at = 'ResourceManager.create';
  const { clock, specs } = reading(at, 'an object of options with a clock and resources', () => {
    const options = checkRecord(given, at, '{ clock, resources }') as unknown as ResourceManagerOptions;
    checkKeys(options, new Set(['clock', 'resources']), at);
    const { clock } = options;
    const isClock = [clock?.setTimer, clock?.monotonic, clock?.hold].every(
      (one) => typeof one === 'function',
    );
    if (!isClock) throw invalidOption(`${at}/clock`, clock, 'a clock, such as new SystemClock()');
    const resources = checkRecord(options.resources, `${at}/resources`, 'capacities by name');
    const names = Object.keys(resources);
    return {
      clock,
      specs: names.map((name) => specOf(name, resources[name], `${at}/resources/${name}`)),
    };
  });
  return joinAlone(clock, specs);
}

/** A resource as it is declared to the ledger. @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `ID_INVALID` */
export function specOf(name: string, given: unknown, at: string): RowSpec {
  checkId(name, at, 'a resource name');
  const amount = (value: unknown, where: string): number => checkNumber(value, where, 0, CAPACITY_MAX);
  const key = `resource:${name}`;
  if (typeof given === 'number') return { key, name, kind: 'resource', capacity: amount(given, at) };
  const record = checkRecord(given, at, 'a capacity, { capacity, per } or { budget }');
  if (record.budget !== undefined) {
    checkKeys(record, new Set(['budget']), at);
    return { key, name, kind: 'budget', capacity: amount(record.budget, `${at}/budget`) };
  }
  checkKeys(record, new Set(['capacity', 'per']), at);
  const capacity = amount(record.capacity, `${at}/capacity`);
  if (record.per === undefined) return { key, name, kind: 'resource', capacity };
  return { key, name, kind: 'rate', capacity, perMs: checkTimeLimit(record.per, `${at}/per`) };
}

/** A ledger with these rows, claims on it, and whatever wakes them. */
export function joinAlone(clock: Clock, specs: readonly RowSpec[]): ResourceManagerParts {
  const ledger = new Ledger();
  for (const spec of specs) ledger.declare(spec);
  const watchers = new Set<() => void>();
  let isAwake = false;
  const wake = (): void => {
    if (isAwake) return;
    isAwake = true;
    // In a later microtask, so that what is asked for together is ordered together.
    queueMicrotask(() => {
      isAwake = false;
      ledger.admit(
        () => clock.monotonic(),
        (waiter) => {
          claims.granted(waiter);
          return true;
        },
      );
      for (const watcher of watchers) watcher();
    });
  };
  let order = 0;
  let token = 0;
  const claims = new Claims({
    ledger,
    nextOrder: () => order++,
    nextToken: () => ++token,
    setTimer: (delayMs, callback) => setLongTimer(clock, delayMs, callback),
    wake,
  });
  watchRates(ledger, clock, wake);
  return {
    ledger,
    claims,
    wake,
    holders: new Holders({ tickets: () => [], claims: () => claims.records() }),
    monotonic: () => clock.monotonic(),
    onTurn: (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    globalRow: undefined,
    agentRows: () => [],
    hold: () => clock.hold(),
    applyPriorities: async ({ runId }) => {
      throw refuse('OPTION_INVALID', {
        at: 'optimizeResourceAllocation/apply',
        found: `run ${JSON.stringify(runId)}`,
        allowed: 'no run: this manager stands alone',
        hint: 'Ask orchestrator.resources of the orchestrator that has the run.',
      });
    },
  };
}

/** Waits as long as it has to, however little one timer can wait. */
export function setLongTimer(clock: Clock, delayMs: number, callback: () => void): CancelTimer {
  const until = clock.monotonic() + delayMs;
  let cancel: CancelTimer = () => {};
  const wait = (): void => {
    const left = until - clock.monotonic();
    cancel =
      left > TIMER_MS_MAX ? clock.setTimer(TIMER_MS_MAX, wait) : clock.setTimer(Math.max(0, left), callback);
  };
  wait();
  return () => cancel();
}

/** Wakes who waits for a rate when some of it has come back. */
function watchRates(ledger: Ledger, clock: Clock, wake: () => void): void {
  const timers = new Map<Row, CancelTimer>();
  ledger.onTimed((row, dueAt) => {
    timers.get(row)?.();
    timers.delete(row);
    if (dueAt === undefined) return;
    const ring = (): void => {
      timers.delete(row);
      ledger.replenish(row, clock.monotonic());
      wake();
    };
    timers.set(row, setLongTimer(clock, dueAt - clock.monotonic(), ring));
  });
}
