/**
 * Resources: what there is, what is used, and grants of amounts for code that is not a task.
 *
 * Owns: nothing of its own; it looks after the rows of the ledger whose keys begin with `resource:`. Who may
 * call it: the host.
 *
 * RM1  used never exceeds capacity, except that a capacity can be cut below what is used: then nothing more is
 *      taken until it fits (I28).
 * RM2  Amounts of several resources are taken together or not at all.
 */
import { nearestName } from '../../base/nearest.ts';
import { describeName } from '../../base/values.ts';
import {
  checkDuration,
  checkKeys,
  checkNumber,
  checkRecord,
  checkSignal,
  type Duration,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import { checkResourceNeeds, nameRequest } from '../../model/needs.ts';
import type { AnyWorkflow } from '../../model/workflow.ts';
import type { WorkflowData } from '../../model/workflow-data.ts';
import type { AllocationPlan, OptimizeOptions } from './allocation-plan.ts';
import type { Grant } from './claims.ts';
import type { Ledger } from './ledger.ts';
import type { ResourceManagerParts } from './resource-parts.ts';
import { type ResourceReport, type ResourceUsage, ResourceUsageBook, usageOf } from './resource-usage.ts';
import { CAPACITY_MAX, type Row } from './row.ts';
import { checkComposed, type ResourceManagerOptions, standAlone } from './stand-alone.ts';

/** How a request waits. */
export interface WaitOptions {
  /** Higher is served earlier, among requests and tasks alike. Default 0. */
  readonly priority?: number | undefined;
  /** How long to wait. Default: for ever. */
  readonly timeout?: Duration | undefined;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

const WAIT_KEYS: ReadonlySet<string> = new Set(['priority', 'timeout', 'signal']);

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkWait(
  given: unknown,
  at: string,
  keys = WAIT_KEYS,
): {
  readonly priority: number;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
} {
  return reading(at, 'an object of options', () => {
    const { priority, timeout, signal } = checkRecord(given, at, 'an object of options') as WaitOptions;
    checkKeys(given as object, keys, at);
    return {
      priority: priority === undefined ? 0 : checkNumber(priority, `${at}/priority`, -1e9, 1e9),
      timeoutMs: timeout === undefined ? undefined : checkDuration(timeout, `${at}/timeout`),
      signal: checkSignal(signal, `${at}/signal`),
    };
  });
}

/** What is given back has to be a grant. @throws OrchestratorError `OPTION_INVALID` */
export function checkGrant<Given extends Grant>(grant: Given, at: string): Given {
  const isGrant = (): boolean => typeof (grant as Given | undefined)?.release === 'function';
  if (reading(at, 'a grant', isGrant)) return grant;
  throw invalidOption(at, grant, 'a grant', 'Give back what the request for it resolved to.');
}

/** Resources: what there is, what is used, grants for code that is not a task. An orchestrator has one. */
export class ResourceManager {
  readonly #parts: ResourceManagerParts;
  readonly #ledger: Ledger;
  readonly #usage: ResourceUsageBook;

  /** @internal Use `ResourceManager.create`, or `orchestrator.resources`. */
  constructor(parts: ResourceManagerParts) {
    this.#parts = checkComposed(parts, 'ResourceManager');
    this.#ledger = parts.ledger;
    this.#usage = new ResourceUsageBook(parts);
  }

  /**
   * A manager of its own, outside of an orchestrator.
   * @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `ID_INVALID`
   */
  static create(options: ResourceManagerOptions): ResourceManager {
    return new ResourceManager(standAlone(options));
  }

  /**
   * Takes amounts of resources, all at once, when they are free.
   *
   * @param amounts - by resource name, each above 0 and at most its capacity
   * @returns the grant; give it back with `releaseResource` or its own `release`
   * @throws OrchestratorError `RESOURCE_UNKNOWN`, `RESOURCE_UNSCHEDULABLE`, `RESOURCE_AMOUNT_INVALID`, `WAIT_TIMEOUT`, `WAIT_ABORTED`, `QUEUE_FULL`
   */
  async allocateResource(
    amounts: Readonly<Record<string, number>>,
    options: WaitOptions = {},
  ): Promise<Grant> {
    const at = 'allocateResource';
    const wait = checkWait(options, at);
    const asked = reading(at, 'plain data', () => checkResourceNeeds(amounts, at));
    if (asked.length === 0) throw invalidOption(at, amounts, 'at least one resource with its amount');
    const needs = asked.map(({ name, amount }) => {
      const row = this.#row(name, at);
      if (row.unitsOf(amount, `${at}/${name}`) > row.wholeCapacity) {
        throw refuse('RESOURCE_UNSCHEDULABLE', {
          at: `${at}/${name}`,
          found: String(amount),
          allowed: `at most its whole capacity of ${row.wholeCapacity / row.scale}`,
        });
      }
      return { row, amount };
    });
    return this.#parts.claims.request(needs, { ...wait, what: nameRequest(at, asked) });
  }

  /** Gives a grant back. @throws OrchestratorError `GRANT_RELEASED` the second time */
  releaseResource(grant: Grant): void {
    checkGrant(grant, 'releaseResource').release();
  }

  /**
   * Changes how much there is. More wakes who waits; less than what is used lets nothing new start until it fits; less
   * than what somebody waits for lets that wait until there is more again. What is asked for from now on is judged by
   * it.
   *
   * @param capacity - from 0, rounded to a step. 0 pauses whoever needs the resource: what is asked for meanwhile
   *   waits, if it would have fitted before
   * @throws OrchestratorError `RESOURCE_UNKNOWN`, `OPTION_INVALID`, `RESOURCE_AMOUNT_INVALID` for less than a step
   */
  setCapacity(name: string, capacity: number): void {
    const row = this.#row(name, 'setCapacity');
    const amount = checkNumber(capacity, 'setCapacity', 0, CAPACITY_MAX / row.scale);
    // Rounded to nothing it would pause everybody, without a word.
    if (amount > 0 && amount * row.scale < 0.5) row.unitsOf(amount, 'setCapacity');
    this.#usage.refresh(row);
    this.#ledger.setCapacity(row, amount);
    this.#parts.wake();
  }

  /** The state of a resource. @throws OrchestratorError `RESOURCE_UNKNOWN` */
  usage(name: string): ResourceUsage {
    const row = this.#row(name, 'usage');
    this.#usage.refresh(row);
    return usageOf(row);
  }

  /**
   * How a resource is used: now, by whom, how many wait, at most, and over time since it was first asked about.
   * Without a name, of every resource.
   *
   * @throws OrchestratorError `RESOURCE_UNKNOWN`
   */
  monitorResourceUsage(name: string): ResourceReport;
  monitorResourceUsage(): readonly ResourceReport[];
  monitorResourceUsage(name?: string): ResourceReport | readonly ResourceReport[] {
    if (name !== undefined) return this.#usage.report(this.#row(name, 'monitorResourceUsage'));
    return this.names().map((each) => this.#usage.report(this.#row(each, 'monitorResourceUsage')));
  }

  /**
   * Works out in which order the tasks of a workflow should start, and when it ends then, by latest-finish-time list
   * scheduling over resources, locks, agent slots and limits (Kolisch, EJOR 90(2), 1996); a task without
   * `estimatedDuration` counts 1 ms. It is reckoned from full capacities: what others use meanwhile makes it later.
   * With `tries`, orders near it are tried as well, each also backwards from its end (regret-based biased random
   * sampling and justification: Kolisch and Hartmann, EJOR 174(1), 2006; Valls, Ballestín and Quintanilla, EJOR
   * 165(2), 2005), and the best counts. With `apply`, the tasks of a live run that have not started get priorities
   * in this order.
   *
   * @throws OrchestratorError `RESOURCE_UNKNOWN`, `RESOURCE_UNSCHEDULABLE`, `RESOURCE_AMOUNT_INVALID`,
   *   `OPTION_INVALID`, `OPTION_UNKNOWN`, `RUN_NOT_FOUND`, `LIMIT_EXCEEDED`, `WAIT_ABORTED`, and what is wrong with
   *   the definition
   */
  async optimizeResourceAllocation(
    workflow: AnyWorkflow | WorkflowData,
    options: OptimizeOptions = {},
  ): Promise<AllocationPlan> {
    // Loaded when it is first asked for: who only runs workflows need not wait for it.
    const { planAllocation } = await import('./allocation-plan.ts');
    return planAllocation(workflow, options, this.#parts, (name, at) => this.#row(name, at));
  }

  /** The names of all resources. */
  names(): readonly string[] {
    return [...this.#ledger.rows()].filter((row) => row.key.startsWith('resource:')).map((row) => row.name);
  }

  #row(name: string, at: string): Row {
    const row = typeof name === 'string' ? this.#ledger.row(`resource:${name}`) : undefined;
    if (row !== undefined) return row;
    const nearest = typeof name === 'string' ? nearestName(name, this.names()) : undefined;
    throw refuse('RESOURCE_UNKNOWN', {
      at,
      found: `the unknown resource ${describeName(name)}`,
      allowed:
        this.names().slice(0, 20).join(', ') || 'resources declared in open({ resources }); there are none',
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }
}
