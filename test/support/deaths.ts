/**
 * A program that dies again and again: each process of it opens the same store, and ends for good at an append of the
 * test's choice. What its handlers did stands in a ledger outside, which no death takes away.
 */
import {
  type EventStore,
  type HandlerContext,
  Orchestrator,
  type Run,
  type RunEvent,
  type StreamAppend,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { DurableMemory } from './durable-memory.ts';
import { nextTurn } from './gate.ts';
import type { SmallWorkflow } from './small-workflows.ts';
import { storedLog, Witness } from './witness.ts';

/** When a process dies: before its nth append is written, or after it was written and before anybody hears of it. */
export interface Death {
  readonly append: number;
  readonly when: 'before' | 'after';
}

/** What is left when every process is gone. */
export class Disk {
  readonly store = new DurableMemory();
  readonly ledger: LedgerEntry[] = [];
  readonly faults: string[] = [];
  owner: string | undefined;
  /** The clock of the next process starts here. */
  now = 0;
}

/** The start of a body. */
export interface LedgerEntry {
  readonly process: number;
  readonly path: string;
  readonly attempt: number;
  readonly restart: number;
}

const NEVER: Promise<never> = new Promise(() => {});

/** One process: its view of the store, and whether it is alive. */
class Process {
  isAlive = true;
  appends = 0;
  readonly store: EventStore;
  readonly #whenDead: Promise<void>;

  constructor(disk: Disk, death: Death | undefined) {
    let die = (): void => {};
    this.#whenDead = new Promise((resolve) => {
      die = () => {
        this.isAlive = false;
        resolve();
      };
    });
    const append = async (group: readonly StreamAppend[]): Promise<void> => {
      this.appends++;
      const isLast = this.appends === death?.append;
      if (isLast && death.when === 'before') die();
      if (!this.isAlive) return NEVER;
      disk.store.append(group);
      if (isLast) die();
      return this.isAlive ? undefined : NEVER;
    };
    const claim = (owner: string): number => {
      // Nobody is there any more who could give it back.
      if (disk.owner !== undefined) disk.store.release(disk.owner);
      disk.owner = owner;
      return disk.store.claim(owner);
    };
    this.store = new Proxy(disk.store as unknown as EventStore, {
      get: (target, key) => {
        if (key === 'append') return append;
        if (key === 'claim') return claim;
        const found = Reflect.get(target, key, target) as unknown;
        if (typeof found !== 'function') return found;
        return (...given: unknown[]): unknown => (this.isAlive ? found.apply(target, given) : NEVER);
      },
    });
  }

  /** What a call gives, or `undefined` when the process dies before. */
  orDead<Value>(call: Promise<Value>): Promise<Value | undefined> {
    return Promise.race([call, this.#whenDead.then(() => undefined)]);
  }
}

/** Handlers that write into the ledger, and judge what they see when they start. */
class LedgerWitness extends Witness {
  readonly #disk: Disk;
  readonly #number: number;
  readonly #isAlive: () => boolean;

  constructor(disk: Disk, number: number, isAlive: () => boolean) {
    super(disk.store);
    this.#disk = disk;
    this.#number = number;
    this.#isAlive = isAlive;
  }

  override handler<Out>(
    body: (context: HandlerContext<unknown, unknown>) => Out | Promise<Out>,
    dependencies: readonly string[] = [],
  ): (context: HandlerContext<unknown, unknown>) => Out | Promise<Out> {
    return (context) => {
      if (!this.#isAlive()) return NEVER;
      const { path, attempt, restart, runId } = context;
      const { ledger, faults } = this.#disk;
      ledger.push({ process: this.#number, path, attempt, restart });
      const log = storedLog(this.#disk.store, runId);
      const of = (type: RunEvent['type'], id: string): number =>
        log.filter((event) => event.type === type && 'path' in event && event.path === id).length;
      const starts = ledger.filter((entry) => entry.path === path).length;
      if (starts > of('TaskStarted', path) + of('TaskRestarted', path))
        faults.push(`I2: body ${starts} of ${path} has no start in the log`);
      if (restart !== of('TaskRestarted', path)) faults.push(`${path} is told of ${restart} restarts`);
      for (const id of dependencies)
        if (of('TaskCompleted', id) === 0) faults.push(`I1: ${path} ran before ${id} was completed`);
      if (of('TaskCompleted', path) > 0) faults.push(`I5: ${path} ran again although it has completed`);
      return body(context);
    };
  }
}

/** How the program ended. */
export interface ProgramEnd {
  readonly status: string;
  readonly outputs: unknown;
  readonly failures: readonly string[];
  readonly tasks: readonly string[];
  readonly log: readonly RunEvent[];
}

/** What one process came to. */
export interface ProcessEnd {
  /** `undefined` when it died. */
  readonly end: ProgramEnd | undefined;
  /** How many appends it made. */
  readonly appends: number;
}

/** Runs the program in a process of its own: it starts its run, or finds it, and waits for its end. */
export async function runProcess(
  disk: Disk,
  small: SmallWorkflow,
  number: number,
  death?: Death,
): Promise<ProcessEnd> {
  const process = new Process(disk, death);
  const clock = new VirtualClock({ startAt: disk.now + 1 });
  const workflow = small.define(new LedgerWitness(disk, number, () => process.isAlive));
  const options = { ...small.options, clock, store: process.store, workflows: [workflow] };
  const program = async (): Promise<ProgramEnd> => {
    const orchestrator = await Orchestrator.open(options);
    // Doing it twice changes nothing (I14).
    await orchestrator.recoverState();
    const run: Run<unknown> = await orchestrator.manageWorkflow(workflow, { key: 'once' });
    await small.drive?.(run);
    const { status, outputs, failures } = await run.settled();
    const end = {
      status,
      outputs,
      failures: failures.map(({ path, attempt, failure }) => `${path} ${attempt} ${failure.message}`).sort(),
      tasks: run.tasks().map((view) => `${view.path} ${view.status} ${view.attempt}`),
      log: storedLog(disk.store, run.runId),
    };
    await orchestrator.close();
    disk.owner = undefined;
    return end;
  };
  const end = await process.orDead(program());
  disk.now = clock.now();
  // What a handler of the dead process had begun in memory is given its chance to do harm.
  if (end === undefined) await nextTurn();
  return { end, appends: process.appends };
}
