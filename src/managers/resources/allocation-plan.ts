/**
 * Plans in which order the tasks of a workflow should start on what the ledger has.
 *
 * Owns: nothing. Who may call it: the resource manager.
 *
 * AP1  Planning takes nothing and changes no limit; only `apply` changes anything, by commands to the run.
 */
import { quote } from '../../base/values.ts';
import { checkInteger, checkKeys, checkRecord, invalidOption, reading } from '../../model/checks.ts';
import { compile } from '../../model/compile.ts';
import { refuse } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { AnyTask } from '../../model/task.ts';
import type { TaskPolicies } from '../../model/task-policies.ts';
import { type AnyWorkflow, Workflow, workflowFromData } from '../../model/workflow.ts';
import type { WorkflowData } from '../../model/workflow-data.ts';
import { listSchedule } from '../../planning/list-schedule.ts';
import type { PlannedNeed, PlannedRow, ScheduleProblem } from '../../planning/schedule-problem.ts';
import { CAPACITY_MAX, type Row } from './row.ts';

/** How an allocation is worked out. */
export interface OptimizeOptions {
  /** A live run of the workflow (its handle, or just its id): its tasks get priorities in the order that was found. */
  readonly apply?: { readonly runId: string } | undefined;
  /** How many orders are tried: 1 to 10,000. Default 1, the rule itself. */
  readonly tries?: number | undefined;
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
  /** How many orders were tried. */
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
}

const KEYS: ReadonlySet<string> = new Set(['apply', 'tries']);
const AT = 'optimizeResourceAllocation';

/** @param rowOf - the row of a resource; throws `RESOURCE_UNKNOWN` */
export async function planAllocation(
  given: AnyWorkflow | WorkflowData,
  options: OptimizeOptions,
  parts: OptimizeParts,
  rowOf: (name: string, at: string) => Row,
): Promise<AllocationPlan> {
  const { runId, tries } = checkOptimize(options);
  const plan = compile(Workflow.is(given) ? given : workflowFromData(given));
  const problem = new ProblemBuilder(plan, parts, rowOf).build();
  const { order, schedule, bounds, tries: tried } = listSchedule(problem, tries, sequence());
  if (schedule.started < plan.size) throw neverEnds(plan, schedule.start);
  let highest = -1e9;
  for (const { priority } of plan.tasks) if (priority > highest) highest = priority;
  // From the highest of the definition down to less than one below it: the run keeps its place among other runs.
  const tasks = Array.from(order, (task, place) => ({
    taskId: plan.ids[task] as string,
    start: schedule.start[task] as number,
    finish: schedule.finish[task] as number,
    priority: Math.max(-1e9, highest - place / (plan.size + 1)),
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

function checkOptimize(given: unknown): { readonly runId: string | undefined; readonly tries: number } {
  return reading(AT, 'an object of options', () => {
    // A handle is an instance of a class, so only the outer object is looked at as plain data.
    const { apply, tries } = checkRecord(given, AT, 'an object of options') as OptimizeOptions;
    checkKeys(given as object, KEYS, AT);
    const runId = apply?.runId;
    if (apply !== undefined && typeof runId !== 'string')
      throw invalidOption(`${AT}/apply`, apply, 'a run, or { runId }');
    return { runId, tries: tries === undefined ? 1 : checkInteger(tries, `${AT}/tries`, 1, 10_000) };
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
function sequence(): () => number {
  let state = 1;
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
      if (row === undefined || row.declaredCapacity >= CAPACITY_MAX) return;
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

/** A budget counts as far as it is left; everything else counts whole. */
function plannedRow(row: Row): PlannedRow {
  const capacity = row.declaredCapacity;
  if (row.kind === 'budget') return { capacity: Math.max(0, capacity - row.used), comesBack: 'never' };
  return { capacity, comesBack: row.perMs ?? 'end' };
}
