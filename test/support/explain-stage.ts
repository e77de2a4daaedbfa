/** What explanations are played on: one task that waits, and everybody around it, whom the test ends one by one. */
import {
  defineWorkflow,
  type Explanation,
  MemoryStore,
  Orchestrator,
  type OrchestratorOptions,
  type Run,
  type StreamAppend,
  settled,
  task,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { createGate, type Gate } from './gate.ts';

/** The id of the task that waits, and of its workflow. */
export const WAITER = 'waiter';
export const SCENE = 'scene';

/** A task in the workflow of the one that waits. */
export interface Mate {
  readonly id: string;
  readonly needs?: object;
  /** How the task that waits depends on it, if it does. */
  readonly edge?: 'completed' | 'settled';
  /** The mate that it depends on itself. */
  readonly after?: string;
}

/** The workflow of the task that waits. */
export interface Cast {
  readonly needs?: object;
  readonly concurrency?: number | undefined;
  readonly mates?: readonly Mate[];
  /** What its handler does in each attempt before it goes on until it is ended. */
  readonly attempt?: (attempt: number) => void;
}

export class Stage {
  readonly orchestrator: Orchestrator;
  readonly clock: VirtualClock;
  readonly store: SlowStore;
  #run: Run | undefined;
  readonly #gates = new Map<string, Gate>();
  readonly #runIds = new Map<string, string>();

  private constructor(orchestrator: Orchestrator, clock: VirtualClock, store: SlowStore) {
    this.orchestrator = orchestrator;
    this.clock = clock;
    this.store = store;
  }

  static async open(options: OrchestratorOptions = {}): Promise<Stage> {
    const clock = new VirtualClock({ auto: false });
    const store = new SlowStore();
    return new Stage(await Orchestrator.open({ ...options, clock, store }), clock, store);
  }

  /** The run of the task that waits. */
  get run(): Run {
    if (this.#run === undefined) throw new Error('the task that waits was not started');
    return this.#run;
  }

  why(): Explanation {
    return this.run.explain(WAITER);
  }

  /** Lets everything happen that can without time passing. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }

  /** Starts a run of one task that holds what it needs until `end(id)`. */
  async hold(id: string, needs: object): Promise<void> {
    const { promise } = this.#gate(id);
    const holder = task(id, { ...needs, run: () => promise });
    const run = await this.orchestrator.manageWorkflow(defineWorkflow(`of-${id}`, { tasks: [holder] }));
    this.#runIds.set(id, run.runId);
    await this.settle();
  }

  /** Runs a task that ends at once. */
  async pass(id: string, needs: object): Promise<void> {
    this.#gate(id).open();
    await this.hold(id, needs);
  }

  /** Ends a task, well or not. */
  async end(id: string, fails = false): Promise<void> {
    if (fails) this.#gate(id).fail(new Error(`${id} has failed`));
    else this.#gate(id).open();
    await this.settle();
  }

  /** Starts the workflow of the task that waits. */
  async start({ needs = {}, mates = [], concurrency, attempt = () => {} }: Cast): Promise<void> {
    const tasks = new Map<string, ReturnType<typeof task<string>>>();
    const dependencies: Record<string, unknown> = {};
    for (const { id, needs: own, edge, after } of mates) {
      const { promise } = this.#gate(id);
      const before = after === undefined ? undefined : tasks.get(after);
      const mate = task(id, {
        ...own,
        ...(before === undefined ? undefined : { dependencies: [before] }),
        run: () => promise,
      }) as unknown as ReturnType<typeof task<string>>;
      tasks.set(id, mate);
      if (edge !== undefined) dependencies[id] = edge === 'settled' ? settled(mate) : mate;
    }
    const waiter = task(WAITER, {
      ...needs,
      dependencies: dependencies as Record<string, never>,
      run: (context) => {
        attempt(context.attempt);
        return this.#gate(WAITER).promise;
      },
    });
    const workflow = defineWorkflow(SCENE, {
      tasks: [...tasks.values(), waiter as never],
      ...(concurrency === undefined ? undefined : { concurrency }),
    });
    this.#run = await this.orchestrator.manageWorkflow(workflow);
    await this.settle();
  }

  /** As whom a task holds something. */
  holder(id: string): object {
    const runId = this.#runIds.get(id) ?? this.run.runId;
    return { kind: 'task', runId, path: id, attempt: 1 };
  }

  async close(): Promise<void> {
    this.store.letGo();
    await this.orchestrator.close({ grace: 0 });
  }

  #gate(id: string): Gate {
    let gate = this.#gates.get(id);
    if (gate === undefined) {
      gate = createGate();
      gate.promise.catch(() => {});
      this.#gates.set(id, gate);
    }
    return gate;
  }
}

/** A store whose appends can be made to wait. */
export class SlowStore extends MemoryStore {
  #held: Gate | undefined;
  #passing = 0;

  /** From now on appends wait, after so many that do not. */
  hold(passing = 0): void {
    this.#held ??= createGate();
    this.#passing = passing;
  }

  letGo(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.open();
  }

  override append(batch: readonly StreamAppend[]): undefined {
    const append = (): void => super.append(batch);
    // A store may answer with a promise; only the type of the memory store says that this one does not.
    return (
      this.#held === undefined || this.#passing-- > 0 ? append() : this.#held.promise.then(append)
    ) as undefined;
  }
}
