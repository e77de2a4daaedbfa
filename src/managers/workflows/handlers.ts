/**
 * The handlers that were registered by name.
 *
 * Owns: the table from name to function. Who may call it: the facade registers; runs are checked against it
 * before they start.
 *
 * HD1  A workflow that names an unknown handler is refused before its run starts, with the nearest name.
 * HD2  A name is looked up in a map, so no name can mean something built in.
 */
import { nearestName } from '../../base/nearest.ts';
import { quote } from '../../base/values.ts';
import { refuse } from '../../model/errors.ts';
import type { AnyHandler } from '../../model/handler.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { AnyTask } from '../../model/task.ts';

export class Handlers {
  readonly #byName = new Map<string, AnyHandler>();
  readonly #checked = new WeakSet<CompiledPlan>();

  register(name: string, handler: AnyHandler): void {
    this.#byName.set(name, handler);
  }

  /** The names that a plan uses and nobody registered. */
  missing(plan: CompiledPlan): readonly string[] {
    const names = new Set<string>();
    for (const task of plan.tasks)
      if (task.run === undefined && this.of(task) === undefined) names.add(task.handlerRef?.name ?? '');
    return [...names];
  }

  /** @throws OrchestratorError `HANDLER_UNKNOWN` */
  check(plan: CompiledPlan): void {
    if (this.#checked.has(plan)) return;
    for (const task of plan.tasks)
      if (task.run === undefined && this.of(task) === undefined) throw this.#unknown(plan, task);
    this.#checked.add(plan);
  }

  /** The code of a task. */
  of(task: AnyTask): AnyHandler | undefined {
    return task.run ?? this.#byName.get(task.handlerRef?.name ?? '');
  }

  #unknown(plan: CompiledPlan, task: AnyTask): Error {
    const name = task.handlerRef?.name ?? '';
    const nearest = nearestName(name, this.#byName.keys());
    const known = [...this.#byName.keys()].slice(0, 20).join(', ');
    return refuse('HANDLER_UNKNOWN', {
      at: `workflow ${JSON.stringify(plan.name)} task ${JSON.stringify(task.taskId)}/handler`,
      found: `the unregistered name ${quote(name)}`,
      allowed: known === '' ? 'names registered in open({ handlers }); there are none' : known,
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }
}
