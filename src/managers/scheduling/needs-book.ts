/**
 * Finds for each task the rows of the ledger that it needs: the global limit, that of its workflow, the slot
 * and rate of its agent, its resources, its locks.
 *
 * Owns: the declared limits. Who may call it: the task scheduler, and the managers that change limits.
 *
 * B1  A task whose needs can never be met is refused before its run starts. A capacity that is cut later refuses no run
 *     that is there: it waits until there is more again.
 * B2  Tasks with equal needs are in one group.
 * B3  The groups of a plan are let go when nobody can reach the plan any more; so are the rows of its locks.
 */
import { nearestName } from '../../base/nearest.ts';
import { quote } from '../../base/values.ts';
import { refuse } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { AnyTask } from '../../model/task.ts';
import type { TaskPolicies } from '../../model/task-policies.ts';
import { type Group, LEDGER_ROWS_MAX, type Ledger, type Need } from '../resources/ledger.ts';
import { lockNeed } from '../resources/lock-row.ts';
import { CAPACITY_MAX, type Row } from '../resources/row.ts';

/** How much an agent may do at once and in a span of time. */
export interface AgentLimits {
  readonly concurrency?: number;
  readonly rate?: { readonly limit: number; readonly perMs: number };
}

/** The needs of the tasks of one plan. */
export interface BoundPlan {
  readonly groups: readonly Group[];
  /** The needs of the plans that its tasks open as child scopes, by task id. */
  readonly children: ReadonlyMap<string, BoundPlan>;
  /** The most that one task needs of each resource; without those of `children`. */
  readonly most: readonly ResourceDemand[];
}

/** What a task needs of a resource. */
interface ResourceDemand {
  readonly row: Row;
  /** In what the host counts in. */
  readonly amount: number;
  /** The place of the task, for messages. */
  readonly at: string;
}

const NO_CHILDREN: ReadonlyMap<string, BoundPlan> = new Map();

export class NeedsBook {
  readonly #ledger: Ledger;
  readonly #global: Row;
  readonly #agents: ReadonlyMap<string, AgentLimits>;
  /** Agents that were paused before any task had named them. */
  readonly #pausedAhead = new Set<string>();
  readonly #bound = new WeakMap<CompiledPlan, BoundPlan>();
  /** Plans are dropped by whoever kept them, without a word; whoever waits or holds keeps its plan alive. */
  readonly #dropped = new FinalizationRegistry<readonly Group[]>((groups) => this.#letGo(groups));

  constructor(ledger: Ledger, concurrency: number | undefined, agents: ReadonlyMap<string, AgentLimits>) {
    this.#ledger = ledger;
    this.#agents = agents;
    // Declared even without a limit, so that one can be set while tasks run.
    this.#global = ledger.declare({
      key: 'concurrency',
      name: 'all tasks',
      kind: 'concurrency',
      capacity: concurrency ?? CAPACITY_MAX,
    });
  }

  /** The row of the limit over all tasks. */
  get global(): Row {
    return this.#global;
  }

  /**
   * The needs of all tasks of a plan; worked out once.
   * @throws OrchestratorError `RESOURCE_UNKNOWN`, `RESOURCE_UNSCHEDULABLE`, `RESOURCE_AMOUNT_INVALID`
   */
  bind(plan: CompiledPlan): BoundPlan {
    const known = this.#bound.get(plan);
    if (known !== undefined) return known;
    const shared: Need[] = [{ row: this.#global, amount: 1 }];
    if (plan.concurrency !== undefined)
      shared.push({ row: this.#workflowRow(plan, plan.concurrency), amount: 1 });
    // Most tasks share one object of policies, so most look-ups end here.
    const byPolicies = new Map<TaskPolicies, Group>();
    const groups: Group[] = new Array(plan.size);
    const most = new Map<string, ResourceDemand>();
    let lastPolicies: TaskPolicies | undefined;
    let lastGroup: Group | undefined;
    for (let i = 0; i < plan.size; i++) {
      const task = plan.tasks[i] as AnyTask;
      // Mostly the one before it has the same, and then not even a look-up is needed.
      if (task.policies === lastPolicies && lastGroup !== undefined) {
        groups[i] = lastGroup;
        continue;
      }
      let group = byPolicies.get(task.policies);
      if (group === undefined) {
        const at = `workflow ${JSON.stringify(plan.name)} task ${JSON.stringify(task.taskId)}`;
        group = this.#groupOf(task, shared, at);
        byPolicies.set(task.policies, group);
        for (const { name, amount } of task.policies.resources)
          if (amount > (most.get(name)?.amount ?? 0))
            most.set(name, {
              row: this.#resource(name, at),
              amount,
              at: `${at}/resourceRequirements/${name}`,
            });
      }
      groups[i] = group;
      lastPolicies = task.policies;
      lastGroup = group;
    }
    const bound = { groups, children: this.#bindChildren(plan), most: [...most.values()] };
    this.#bound.set(plan, bound);
    // Only names of locks are without end: of the other rows there are as many as were declared.
    const locking = [...byPolicies.values()].filter((group) => group.rows.some((row) => row.kind === 'lock'));
    if (locking.length > 0) this.#dropped.register(plan, locking);
    // A later version of the workflow may say another number: the newest one that was not refused counts.
    if (plan.concurrency !== undefined)
      this.#ledger.setCapacity(this.#workflowRow(plan, plan.concurrency), plan.concurrency);
    return bound;
  }

  /**
   * Refuses a new run of a plan whose needs could be met when it was bound, but not by what there is now.
   * @throws OrchestratorError `RESOURCE_UNSCHEDULABLE`
   */
  refuseUnschedulable({ most, children }: BoundPlan): void {
    for (const demand of most) this.#checkFits(demand);
    for (const child of children.values()) this.refuseUnschedulable(child);
  }

  #bindChildren(plan: CompiledPlan): ReadonlyMap<string, BoundPlan> {
    if (plan.children === undefined) return NO_CHILDREN;
    return new Map([...plan.children].map(([taskId, child]) => [taskId, this.bind(child)]));
  }

  #letGo(groups: readonly Group[]): void {
    for (const group of groups) {
      group.holders--;
      this.#ledger.dropGroup(group);
    }
  }

  /**
   * Lets no task of an agent start. For one that no task has named yet nothing but its name is kept.
   * @throws OrchestratorError `LIMIT_EXCEEDED`
   */
  pauseAgent(agent: string): void {
    const slots = this.#ledger.row(`agent:${agent}`);
    if (slots !== undefined) {
      this.#ledger.pauseRow(slots);
      return;
    }
    if (this.#pausedAhead.size >= LEDGER_ROWS_MAX)
      throw refuse('LIMIT_EXCEEDED', {
        at: 'pause',
        found: `${this.#pausedAhead.size} paused agents that no task has named`,
        allowed: `at most ${LEDGER_ROWS_MAX}`,
        hint: 'Resume some, or pause the orchestrator.',
      });
    this.#pausedAhead.add(agent);
  }

  resumeAgent(agent: string): void {
    this.#pausedAhead.delete(agent);
    const slots = this.#ledger.row(`agent:${agent}`);
    if (slots !== undefined) this.#ledger.resumeRow(slots);
  }

  /** The rows of an agent: its slots and, if it has one, its rate. */
  agentRows(agent: string): readonly Row[] {
    const limits = this.#agents.get(agent);
    const slots = this.#ledger.declare({
      key: `agent:${agent}`,
      name: agent,
      kind: 'agent',
      capacity: limits?.concurrency ?? CAPACITY_MAX,
    });
    if (this.#pausedAhead.delete(agent)) this.#ledger.pauseRow(slots);
    if (limits?.rate === undefined) return [slots];
    const { limit, perMs } = limits.rate;
    return [
      slots,
      this.#ledger.declare({ key: `rate:${agent}`, name: agent, kind: 'rate', capacity: limit, perMs }),
    ];
  }

  #workflowRow(plan: CompiledPlan, concurrency: number): Row {
    const row = this.#ledger.declare({
      key: `concurrency:${plan.workflowId}`,
      name: plan.workflowId,
      kind: 'concurrency',
      capacity: concurrency,
    });
    return row;
  }

  #groupOf(task: AnyTask, shared: readonly Need[], at: string): Group {
    const group = this.#ledger.group(this.needsOf(task, shared, at), at);
    group.holders++;
    return group;
  }

  /**
   * What one task needs.
   * @throws OrchestratorError `RESOURCE_UNKNOWN`, `RESOURCE_UNSCHEDULABLE`, `RESOURCE_AMOUNT_INVALID`
   */
  needsOf({ policies }: AnyTask, shared: readonly Need[], at: string): readonly Need[] {
    const { agentAssigned, resources, locks } = policies;
    const needs = [...shared];
    if (agentAssigned !== undefined)
      for (const row of this.agentRows(agentAssigned)) needs.push({ row, amount: 1 });
    for (const { name, amount } of resources)
      needs.push(this.#resourceNeed(name, amount, `${at}/resourceRequirements/${name}`));
    for (const lock of locks) needs.push(lockNeed(this.#ledger, lock));
    return needs;
  }

  #resourceNeed(name: string, amount: number, at: string): Need {
    const row = this.#resource(name, at);
    this.#checkFits({ row, amount, at });
    return { row, amount };
  }

  #checkFits({ row, amount, at }: ResourceDemand): void {
    if (row.unitsOf(amount, at) <= row.wholeCapacity) return;
    throw refuse('RESOURCE_UNSCHEDULABLE', {
      at,
      found: `${amount} of ${quote(row.name)}`,
      allowed: `at most its whole capacity of ${row.wholeCapacity / row.scale}`,
    });
  }

  #resource(name: string, at: string): Row {
    const row = this.#ledger.row(`resource:${name}`);
    if (row === undefined) throw this.#unknownResource(name, at);
    return row;
  }

  #unknownResource(name: string, at: string): Error {
    const names = [...this.#ledger.rows()]
      .filter((row) => row.key.startsWith('resource:'))
      .map((row) => row.name);
    const nearest = nearestName(name, names);
    return refuse('RESOURCE_UNKNOWN', {
      at,
      found: `the unknown resource ${quote(name)}`,
      allowed:
        names.length === 0
          ? 'resources declared in open({ resources }); there are none'
          : names.slice(0, 20).join(', '),
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }
}
