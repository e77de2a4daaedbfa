/**
 * The handlers that were registered by name, and the modules of handlers whose exports can be named.
 *
 * Owns: the table from name to code. Who may call it: the facade registers; runs are checked against it before they
 * start; the attempt manager asks for the code of a task.
 *
 * HD1  A workflow that names an unknown handler is refused before its run starts, with the nearest name.
 * HD2  A name is looked up in a map, so no name can mean something built in.
 * HD3  A function comes before the export of a module, and one module before those that were registered after it.
 */
import { nearestName } from '../../base/nearest.ts';
import { quote } from '../../base/values.ts';
import { checkPlace } from '../../model/check-handler.ts';
import { refuse } from '../../model/errors.ts';
import type { AnyHandler } from '../../model/handler.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import type { AnyTask } from '../../model/task.ts';
import { isWorkerRef, placed, type WorkerModule, type WorkerRef } from '../../model/worker-handlers.ts';

/** What a task runs: a function of this thread, or an export of a module that a worker loads. */
export type HandlerCode = AnyHandler | WorkerRef;

/** What needs threads, or the files of the host. */
export interface HandlersParts {
  /** A function that loads the module of a reference into this thread and calls the export. */
  readonly importHere: (ref: WorkerRef) => AnyHandler;
  /** Told once of each module, when a workflow that is to be run needs its workers. */
  readonly onModule: (module: WorkerModule) => void;
}

const NAMES_SHOWN = 20;

export class Handlers {
  readonly #parts: HandlersParts;
  readonly #byName = new Map<string, HandlerCode>();
  readonly #checked = new WeakSet<CompiledPlan>();
  /** References as their tasks want them placed, so that an attempt makes nothing. */
  readonly #placed = new WeakMap<AnyTask, HandlerCode>();
  readonly #seen = new WeakSet<WorkerModule>();

  constructor(parts: HandlersParts) {
    this.#parts = parts;
  }

  /** Makes a name mean something; a name that means something already keeps its meaning. */
  register(name: string, code: HandlerCode): void {
    if (!this.#byName.has(name)) this.#byName.set(name, code);
  }

  /** Whether a name means something. */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /**
   * Makes the names of a module's functions mean these functions.
   * @throws OrchestratorError `HANDLER_UNKNOWN` when the module has limits for a function that it does not export
   */
  registerModule(module: WorkerModule, names: readonly string[]): void {
    for (const name of module.settings.handlers.keys())
      if (!names.includes(name)) throw unknownExport(name, names, module);
    for (const name of names) this.register(name, Object.freeze({ kind: 'worker', name, module }));
  }

  /** The names that a plan uses and nobody registered. */
  missing(plan: CompiledPlan): readonly string[] {
    const names = new Set<string>();
    for (const task of plan.tasks)
      if (task.run === undefined && this.of(task) === undefined) names.add(task.handlerRef?.name ?? '');
    return [...names];
  }

  /** @throws OrchestratorError `HANDLER_UNKNOWN`; `OPTION_CONFLICT` for a function that is to be run on a worker */
  check(plan: CompiledPlan): void {
    if (this.#checked.has(plan)) return;
    for (const task of plan.tasks) if (task.run === undefined) this.#checkNamed(plan, task);
    this.#checked.add(plan);
    for (const task of plan.tasks) if (task.run === undefined) this.#tell(this.of(task));
  }

  /** The code of a task. */
  of(task: AnyTask): HandlerCode | undefined {
    return task.run ?? this.#named(task);
  }

  #named(task: AnyTask): HandlerCode | undefined {
    const { handlerRef, policies } = task;
    const code = isWorkerRef(handlerRef) ? handlerRef : this.#byName.get(handlerRef?.name ?? '');
    if (typeof code !== 'object' || policies.runOn === undefined) return code;
    let known = this.#placed.get(task);
    if (known === undefined) {
      known = policies.runOn === 'inline' ? this.#parts.importHere(code) : placed(code, policies.runOn);
      this.#placed.set(task, known);
    }
    return known;
  }

  #tell(code: HandlerCode | undefined): void {
    if (typeof code !== 'object' || this.#seen.has(code.module)) return;
    this.#seen.add(code.module);
    this.#parts.onModule(code.module);
  }

  #checkNamed(plan: CompiledPlan, task: AnyTask): void {
    const { handlerRef, policies } = task;
    if (this.of(task) === undefined) throw this.#unknown(plan, task);
    if (isWorkerRef(handlerRef)) return;
    const isFunction = typeof this.#byName.get(handlerRef?.name ?? '') === 'function';
    checkPlace(isFunction, policies, placeOf(plan, task));
  }

  #unknown(plan: CompiledPlan, task: AnyTask): Error {
    const name = task.handlerRef?.name ?? '';
    const nearest = nearestName(name, this.#byName.keys());
    const known = [...this.#byName.keys()].slice(0, NAMES_SHOWN).join(', ');
    return refuse('HANDLER_UNKNOWN', {
      at: `${placeOf(plan, task)}/handler`,
      found: `the unregistered name ${quote(name)}`,
      allowed: known === '' ? 'names registered in open({ handlers }); there are none' : known,
      hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
    });
  }
}

function placeOf(plan: CompiledPlan, task: AnyTask): string {
  return `workflow ${JSON.stringify(plan.name)} task ${JSON.stringify(task.taskId)}`;
}

function unknownExport(name: string, names: readonly string[], { url }: WorkerModule): Error {
  const nearest = nearestName(name, names);
  return refuse('HANDLER_UNKNOWN', {
    at: `workerHandlers/handlers/${name}`,
    found: `limits for ${quote(name)}, which the module does not export`,
    allowed: names.slice(0, NAMES_SHOWN).join(', ') || `the functions that ${url} exports; there are none`,
    hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
  });
}
