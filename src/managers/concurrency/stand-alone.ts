/**
 * What a concurrency controller is made of that stands alone, outside of an orchestrator.
 *
 * Owns: nothing. Who may call it: the concurrency controller.
 */
import { quote } from '../../base/values.ts';
import {
  checkChoice,
  checkFunction,
  checkKeys,
  checkRecord,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import type { ResourceNeed } from '../../model/needs.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Need } from '../resources/ledger.ts';
import { CAPACITY_MAX, type Row } from '../resources/row.ts';
import { joinAlone, setLongTimer } from '../resources/stand-alone.ts';
import type { ConcurrencyParts } from './concurrency-parts.ts';
import type { Deadlock, ResolvedDeadlock } from './deadlocks.ts';

/** How a concurrency controller is made that stands alone. */
export interface ConcurrencyControllerOptions {
  /** Time, for limits of waits, leases and rates: `new SystemClock()`, or `new VirtualClock()` in tests. */
  readonly clock: Clock;
  /** Whether deadlocks are broken when they come about, or only told. Default `resolve`. */
  readonly deadlocks?: 'resolve' | 'report' | undefined;
  /** Told of each deadlock; what it throws is passed over. */
  readonly onDeadlock?: ((deadlock: Deadlock | ResolvedDeadlock) => void) | undefined;
}

const KEYS: ReadonlySet<string> = new Set(['clock', 'deadlocks', 'onDeadlock']);

/** @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID` */
export function concurrencyAlone(given: ConcurrencyControllerOptions): ConcurrencyParts {
  const { clock, deadlocks, onDeadlock } = reading(
    'ConcurrencyController.create',
    'an object of options',
    () => readOptions(given),
  );
  const { ledger, claims, wake } = joinAlone(clock, []);
  const global = ledger.declare({
    key: 'concurrency',
    name: 'concurrency',
    kind: 'concurrency',
    capacity: CAPACITY_MAX,
  });
  let order = 0;
  return {
    ledger,
    claims,
    global,
    wake,
    nextOrder: () => order++,
    needsBeside: ({ policies }, at) => needsAlone(policies.resources, global, at),
    deadlocks: deadlocks ?? 'resolve',
    onDeadlock: (deadlock) => {
      try {
        onDeadlock?.(deadlock);
      } catch {
        // Whoever listens cannot keep a deadlock from being broken.
      }
    },
    now: () => clock.now(),
    setTimer: (delayMs, callback) => setLongTimer(clock, delayMs, callback),
    tickets: () => [],
  };
}

/** Alone there are no resources, and agents have no limits. */
function needsAlone(resources: readonly ResourceNeed[], global: Row, at: string): readonly Need[] {
  const [first] = resources;
  if (first === undefined) return [{ row: global, amount: 1 }];
  throw refuse('RESOURCE_UNKNOWN', {
    at: `${at}/resourceRequirements/${first.name}`,
    found: `the unknown resource ${quote(first.name)}`,
    allowed: 'none: this controller stands alone',
    hint: 'Ask orchestrator.concurrency of the orchestrator that has the resources.',
  });
}

function readOptions(given: ConcurrencyControllerOptions): ConcurrencyControllerOptions {
  const at = 'ConcurrencyController.create';
  const options = checkRecord(given, at, '{ clock }') as unknown as ConcurrencyControllerOptions;
  checkKeys(options, KEYS, at);
  const { clock, deadlocks, onDeadlock } = options;
  if (typeof clock?.setTimer !== 'function' || typeof clock.monotonic !== 'function')
    throw invalidOption(`${at}/clock`, clock, 'a clock, such as new SystemClock()');
  if (deadlocks !== undefined) checkChoice(deadlocks, `${at}/deadlocks`, ['resolve', 'report']);
  if (onDeadlock !== undefined) checkFunction(onDeadlock, `${at}/onDeadlock`, 'a function of a deadlock');
  return options;
}
