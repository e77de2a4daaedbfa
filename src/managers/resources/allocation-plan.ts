/**
 * Plans in which order the tasks of a workflow should start on what the ledger has.
 *
 * Owns: nothing. Who may call it: the resource manager.
 *
 * AP1  Planning takes nothing and changes no limit; only `apply` changes anything, by commands to the run.
 * AP2  Only what a run would do by itself is applied: an order, and what the scheduler makes of it.
 * AP3  However many tries it has, the event loop gets its turns; virtual time stands still meanwhile.
 */
import { quote } from '../../base/values.ts';
import {
  checkInteger,
  checkKeys,
  checkRecord,
  checkSignal,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import { compile } from '../../model/compile.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { AnyTask } from '../../model/task.ts';
import type { TaskPolicies } from '../../model/task-policies.ts';
import { type AnyWorkflow, Workflow, workflowFromData } from '../../model/workflow.ts';
import type { WorkflowData } from '../../model/workflow-data.ts';
import { type PlannedOrder, type Scheme, searchOrders } from '../../planning/list-schedule.ts';
import type { PlannedNeed, PlannedRow, ScheduleProblem } from '../../planning/schedule-problem.ts';
import { CAPACITY_MAX, type Row } from './row.ts';

/** How an allocation is worked out. */
export interface OptimizeOptions {
  /** A live run of the workflow (its handle, or just its id): its tasks get priorities in the order that was found. */
  readonly apply?: { readonly runId: string } | undefined;
  /** How many schedules are built: 1 to 10,000. Default 1, the rule itself. It ends early when none can be better. */
  readonly tries?: number | undefined;
  /**
   * `parallel`, the default: what the scheduler makes of an order, which starts whatever fits. `serial`: also schedules
   * in which a task is kept waiting, although it fits, for one that comes later; they end earlier, but no priorities
   * bring them about, so there is no `apply` with it. For at most 10,000 tasks.
   */
  readonly scheme?: 'parallel' | 'serial' | undefined;
  /** The same seed, the same plan: an integer from 0 to 2^32 - 1. Default 1. */
  readonly seed?: number | undefined;
  /** Ends the search with `WAIT_ABORTED`; nothing is applied then. */
  readonly signal?: AbortSignal | undefined;
}

/** One task of a plan. */
export interface PlannedTask {
  readonly taskId: string;
  /** In milliseconds from the start of the run. */
  readonly start: number;
  readonly finish: number;
  /** The priority with which it comes in its order. */
  readonly priority: number;
}

/** An order, and what it comes to. */
export interface AllocationPlan {
  readonly workflowId: string;
  /** In the order of their priority; each behind its dependencies. */
  readonly tasks: readonly PlannedTask[];
  /** When the last task ends, in milliseconds from the start of the run. */
  readonly makespan: number;
  /** No order can end before this: the critical path, or the work over the capacity, whichever is longer. */
  readonly lowerBound: number;
  /** The longest chain of dependencies, in milliseconds. */
  readonly criticalPath: number;
  /** How many schedules were built. */
  readonly tries: number;
  /** Whether it was applied to a run. */
  readonly applied: boolean;
}

/** What a run is told to heed. */
export interface PriorityOrder {
  readonly runId: string;
  readonly workflowId: string;
  readonly priorities: readonly { readonly taskId: string; readonly priority: number }[];
}

/** What planning reads beside the resources, and how a plan is applied. */
export interface OptimizeParts {
  /** The limit over all tasks; none without it. */
  readonly globalRow: Row | undefined;
  /** The rows of an agent: its slots and its rate. */
  readonly agentRows: (agent: string) => readonly Row[];
  readonly applyPriorities: (order: PriorityOrder) => Promise<void>;
  /** Lets virtual time stand still until the returned function is called. */
  readonly hold: () => () => void;
}

const KEYS: ReadonlySet<string> = new Set(['apply', 'tries', 'scheme', 'seed', 'signal']);
const AT = 'optimizeResourceAllocation';

/** A serial schedule takes time in the square of the tasks. */
export const SERIAL_TASKS_MAX = 10_000;

/** After so many tasks have been put into schedules the event loop gets a turn: some 20 ms. */
const PLACED_PER_TURN = 15_000;

interface CheckedOptimize {
  readonly runId: string | undefined;
  readonly tries: number;
  readonly scheme: Scheme;
  readonly seed: number;
  readonly signal: AbortSignal | undefined;
}

/** @param rowOf - the row of a resource; throws `RESOURCE_UNKNOWN` */
export async function planAllocation(
  given: AnyWorkflow | WorkflowData,
  options: OptimizeOptions,
  parts: OptimizeParts,
  rowOf: (name: string, at: string) => Row,
): Promise<AllocationPlan> {
  const checked = checkOptimize(options);
  const { runId, scheme } = checked;
  const plan = compile(Workflow.is(given) ? given : workflowFromData(given));
  if (scheme === 'serial' && plan.size > SERIAL_TASKS_MAX)
    throw refuse('LIMIT_EXCEEDED', {
      at: `${AT}/scheme`,
      found: `serial for ${plan.size} tasks`,
      allowed: `at most ${SERIAL_TASKS_MAX} tasks`,
      hint: 'Use the scheme "parallel".',
    });
  const problem = new ProblemBuilder(plan, parts, rowOf).build();
  const { order, schedule, bounds, tries: tried } = await search(problem, checked, parts.hold);
  if (schedule.started < plan.size) throw neverEnds(plan, schedule.start);
  // One above the least that there is, so that there is room below it.
  let highest = -1e9 + 1;
  for (const { priority } of plan.tasks) if (priority > highest) highest = priority;
  // From the highest of the definition down to less than one below it: the run keeps its place among other runs.
  const tasks = Array.from(order, (task, place) => ({
    taskId: plan.ids[task] as string,
    start: schedule.start[task] as number,
    finish: schedule.finish[task] as number,
    priority: highest - place / (plan.size + 1),
  }));
  if (runId !== undefined) {
    const priorities = tasks.map(({ taskId, priority }) => ({ taskId, priority }));
    await parts.applyPriorities({ runId, workflowId: plan.workflowId, priorities });
  }
  return {
    workflowId: plan.workflowId,
    tasks,
    makespan: schedule.makespan,
    lowerBound: Math.max(bounds.criticalPath, bounds.work),
    criticalPath: bounds.criticalPath,
    tries: tried,
    applied: runId !== undefined,
  };
}

/** Searches in parts, so that everything else goes on. @throws OrchestratorError `WAIT_ABORTED` */
async function search(
  problem: ScheduleProblem,
  { scheme, tries, seed, signal }: CheckedOptimize,
  hold: OptimizeParts['hold'],
): Promise<PlannedOrder> {
  const orders = searchOrders(problem, { scheme, tries, random: sequence(seed) });
  const letGo = hold();
  try {
    for (let placed = 0; ; placed += problem.size) {
      if (signal?.aborted)
        throw new OrchestratorError('WAIT_ABORTED', `${AT}: the search was ended by its signal`, {
          cause: signal.reason,
        });
      const { done, value } = orders.next();
      if (done === true) return value;
      if (placed < PLACED_PER_TURN) continue;
      placed = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    letGo();
  }
}

function checkOptimize(given: unknown): CheckedOptimize {
  return reading(AT, 'an object of options', () => {
    // A handle is an instance of a class, so only the outer object is looked at as plain data.
    const options = checkRecord(given, AT, 'an object of options') as OptimizeOptions;
    checkKeys(given as object, KEYS, AT);
    const { apply, tries = 1, scheme = 'parallel', seed = 1, signal } = options;
    const runId = apply?.runId;
    if (apply !== undefined && typeof runId !== 'string')
      throw invalidOption(`${AT}/apply`, apply, 'a run, or { runId }');
    if (scheme !== 'parallel' && scheme !== 'serial')
      throw invalidOption(`${AT}/scheme`, scheme, '"parallel" or "serial"');
    if (scheme === 'serial' && apply !== undefined)
      throw refuse('OPTION_INVALID', {
        at: `${AT}/apply`,
        found: 'a run, with the scheme "serial"',
        allowed: 'no run with this scheme',
        hint: 'Priorities keep no task waiting that fits: apply a plan of the scheme "parallel".',
      });
    return {
      runId,
      scheme,
      tries: checkInteger(tries, `${AT}/tries`, 1, 10_000),
      seed: checkInteger(seed, `${AT}/seed`, 0, 2 ** 32 - 1),
      signal: checkSignal(signal, `${AT}/signal`),
    };
  });
}

function neverEnds(plan: CompiledPlan, start: Float64Array): Error {
  const first = plan.ids[start.findIndex((at) => Number.isNaN(at))] as string;
  return refuse('RESOURCE_UNSCHEDULABLE', {
    at: `workflow ${quote(plan.name)} task ${quote(first)}`,
    found: 'more needed than there will ever be, because a budget runs out or a capacity is too small',
    allowed: 'needs that all can be met one after the other',
  });
}

/** The same numbers each time, so that equal questions get equal answers: mulberry32, by Tommy Ettinger (public domain). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** More holders of a shared lock than any process can have. */
const SHARED_MAX = 1_000_000_000;

/** Turns the needs of tasks into numbers of rows. */
class ProblemBuilder {
  readonly #plan: CompiledPlan;
  readonly #parts: OptimizeParts;
  readonly #rowOf: (name: string, at: string) => Row;
  readonly #rows: PlannedRow[] = [];
  readonly #places = new Map<string, number>();

  constructor(plan: CompiledPlan, parts: OptimizeParts, rowOf: (name: string, at: string) => Row) {
    this.#plan = plan;
    this.#parts = parts;
    this.#rowOf = rowOf;
  }

  build(): ScheduleProblem {
    const { tasks, size, order, dependentStart, dependents, unmet } = this.#plan;
    const byPolicies = new Map<TaskPolicies, readonly PlannedNeed[]>();
    const byText = new Map<string, readonly PlannedNeed[]>();
    const needs = tasks.map((task) => {
      let known = byPolicies.get(task.policies);
      if (known === undefined) {
        const asked = this.#needsOf(task);
        const text = asked.map(({ row, units }) => `${row}=${units}`).join(' ');
        known = byText.get(text) ?? asked;
        byText.set(text, known);
        byPolicies.set(task.policies, known);
      }
      return known;
    });
    const durations = Float64Array.from(tasks, (task) => task.policies.estimatedDurationMs ?? 1);
    return { size, order, dependentStart, dependents, unmet, durations, rows: this.#rows, needs };
  }

  #needsOf({ taskId, policies }: AnyTask): readonly PlannedNeed[] {
    const { globalRow, agentRows } = this.#parts;
    const at = `workflow ${quote(this.#plan.name)} task ${quote(taskId)}`;
    const needs: PlannedNeed[] = [];
    const add = (row: Row | undefined, amount: number): void => {
      if (row === undefined || row.wholeCapacity >= CAPACITY_MAX) return;
      needs.push({ row: this.#place(row.key, () => plannedRow(row)), units: row.unitsOf(amount, at) });
    };
    add(globalRow, 1);
    const { concurrency, workflowId } = this.#plan;
    if (concurrency !== undefined)
      needs.push({ row: this.#own(`concurrency:${workflowId}`, concurrency), units: 1 });
    if (policies.agentAssigned !== undefined)
      for (const row of agentRows(policies.agentAssigned)) add(row, 1);
    for (const { name, amount } of policies.resources) {
      const row = this.#rowOf(name, `${at}/resourceRequirements/${name}`);
      add(row, amount);
    }
    for (const { name, mode } of policies.locks)
      needs.push({
        row: this.#own(`lock:${name}`, SHARED_MAX),
        units: mode === 'exclusive' ? SHARED_MAX : 1,
      });
    return needs;
  }

  #own(key: string, capacity: number): number {
    return this.#place(key, () => ({ capacity, comesBack: 'end' }));
  }

  #place(key: string, make: () => PlannedRow): number {
    let place = this.#places.get(key);
    if (place === undefined) {
      place = this.#rows.push(make()) - 1;
      this.#places.set(key, place);
    }
    return place;
  }
}

/** A budget counts as far as it is left; everything else counts whole, also while it is paused. */
function plannedRow(row: Row): PlannedRow {
  const capacity = row.wholeCapacity;
  if (row.kind === 'budget') return { capacity: Math.max(0, capacity - row.used), comesBack: 'never' };
  return { capacity, comesBack: row.perMs ?? 'end' };
}
