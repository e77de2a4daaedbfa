/**
 * Plays a scenario: first with everything that goes wrong, then without, until all has come to its end.
 *
 * Owns: the processes, one after the other. Who may call it: the campaign, the shrinker, tests.
 *
 * PL1  What follows from a scenario follows from it alone: playing it again gives the same rows.
 * PL2  After the faults everything has to end by itself; a process is only ever replaced when it has lost its store.
 */
import { createHash } from 'node:crypto';
import { Disk } from './disk.ts';
import { takeGlobals } from './globals.ts';
import { type Common, Host } from './host.ts';
import { processStore } from './process-store.ts';
import type { Row } from './rows.ts';
import { type Fault, SAFETY_MS, type Scenario } from './scenario.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { World } from './world.ts';

/** Everything has to end within so many milliseconds after the faults. */
const LIVENESS_MS = 20_000;
/** Times that a process which has lost its store, or did not open, is replaced after the faults. */
const REPLACED_MAX = 4;

/** What came of a scenario. */
export interface Played {
  readonly rows: readonly Row[];
}

/** A digest of all that happened. */
export function hashOf({ rows }: Played): string {
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex');
}

/** Plays a scenario from its beginning to its end. */
export async function play(scenario: Scenario): Promise<Played> {
  const stage = new Play(scenario);
  const { world } = stage.common;
  const giveBack = takeGlobals(world, () => stage.machineNow());
  try {
    await stage.run();
  } finally {
    await stage.end();
    giveBack();
  }
  return { rows: world.rows };
}

/** Whether a body returns what does not fit into the log. */
function hasLarge({ workflows }: Scenario): boolean {
  const tasks = workflows.flatMap(({ versions }) => versions.flat());
  return tasks.some(({ behaviours }) => behaviours.some(({ isLarge }) => isLarge === true));
}

class Play {
  readonly common: Common;
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #disk: Disk;
  readonly #counts = { appends: 0, reads: 0, checkpoints: 0, removals: 0, blobs: 0 };
  readonly #begun = new Set<number>();
  #waiting: number[] = [];
  #host: Host | undefined;
  readonly #hosts: Host[] = [];
  #isWithoutFaults = false;
  #processes = 0;
  #skew = 0;
  #machineTurns = 0;
  /** How many rows were read. */
  #read = 0;
  /** Runs whose end is not durable. */
  readonly #unended = new Set<string>();
  /** Processes that have given up on a run. */
  readonly #lostBy = new Set<number>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#world = new World(scenario.seed);
    this.#disk = new Disk(this.#world, hasLarge(scenario));
    this.common = {
      world: this.#world,
      scenario,
      runOf: new Map(),
      done: new Set(),
      nextRun: 0,
      known: new Set(),
    };
  }

  /** The machine's clock, which now and then says that a turn of the event loop has taken long. */
  machineNow(): number {
    if (this.#world.chance.chance(0.02)) this.#machineTurns += 25;
    return this.#world.now + this.#machineTurns;
  }

  async run(): Promise<void> {
    const { actions, faults } = this.#scenario;
    this.#openNext();
    for (const [number, { at }] of actions.entries()) this.#world.after(at, () => this.#act(number));
    for (const fault of faults) this.#schedule(fault);
    await this.#world.run(SAFETY_MS);
    this.#isWithoutFaults = true;
    this.#skew = 0;
    await this.#comeToAnEnd();
  }

  /** Whoever is still there is gone, and has given away no turn that comes in another play. */
  async end(): Promise<void> {
    for (const { process } of this.#hosts) process.isAlive = false;
    await this.#world.run(this.#world.now);
  }

  #schedule(fault: Fault): void {
    const at = (ms: number, callback: () => void): void => {
      this.#world.after(ms, () => {
        if (!this.#isWithoutFaults) callback();
      });
    };
    if (fault.type === 'crash_at') at(fault.at, () => this.#dieNow('at some time'));
    if (fault.type === 'takeover') at(fault.at, () => this.#takeOver(fault.ms));
    if (fault.type === 'reopen') at(fault.at, () => void this.#reopen(fault.grace));
    if (fault.type === 'skew')
      at(fault.at, () => {
        this.#note(0, 'the clock jumps');
        this.#skew += fault.ms;
      });
  }

  #act(number: number): void {
    const host = this.#host;
    if (host?.process.isOpen !== true || !host.process.isAlive || host.process.isPaused || host.isClosed) {
      this.#waiting.push(number);
      return;
    }
    this.#begun.add(number);
    host.act(number);
  }

  #openNext(): void {
    const { world } = this.common;
    const process = new SimulatedProcess(world, ++this.#processes, () => this.#skew);
    const { isImmediate, latency, hasCheckpoints } = this.#scenario.store;
    const store = processStore({
      world,
      disk: this.#disk,
      process,
      counts: this.#counts,
      isImmediate,
      latency,
      hasCheckpoints,
      faults: () => (this.#isWithoutFaults ? [] : this.#scenario.faults),
      die: (dead, why) => this.#die(dead, why),
    });
    const host = new Host(this.common, process, store);
    this.#host = host;
    this.#hosts.push(host);
    void host.open().then(() => {
      if (!process.isAlive) return;
      if (host.failure !== undefined) this.#die(process, `it does not open: ${String(host.failure)}`);
      else this.#goOn();
    });
  }

  /** What was not done, or not answered, is done by the process that is there now. */
  #goOn(): void {
    const { done, scenario } = this.common;
    const again = [...this.#begun].filter((number) => {
      const deed = scenario.actions[number]?.deed;
      return (
        !done.has(number) && (deed?.type === 'cancel' || (deed?.type === 'start' && deed.key !== undefined))
      );
    });
    for (const number of [...again, ...this.#waiting.splice(0)]) this.#act(number);
  }

  #note(process: number, what: string): void {
    this.#world.note({ kind: 'fault', process, t: this.#world.now, what });
  }

  #dieNow(why: string): void {
    if (this.#host?.process.isAlive) this.#die(this.#host.process, why);
  }

  #die(process: SimulatedProcess, why: string): void {
    if (!process.isAlive) return;
    process.isAlive = false;
    this.#disk.settle(process.number);
    this.#note(process.number, `dies ${why}`);
    if (this.#host?.process === process)
      this.#world.after(this.#world.chance.int(0, 10), () => this.#openNext());
  }

  #takeOver(ms: number): void {
    const old = this.#host?.process;
    if (old === undefined || !old.isAlive || !old.isOpen) return;
    old.isPaused = true;
    this.#note(old.number, 'stands still');
    this.#world.after(ms, () => {
      if (!old.isAlive) return;
      old.isFenced = true;
      this.#disk.settle(old.number);
      this.#disk.epoch++;
      this.#note(old.number, 'has lost the store');
      this.#openNext();
    });
    this.#world.after(ms + this.#world.chance.int(0, 20), () => {
      old.isPaused = false;
      this.#world.wakeUp(old);
    });
  }

  async #reopen(grace: number): Promise<void> {
    const host = this.#host;
    if (host === undefined || !host.process.isAlive || !host.process.isOpen || host.process.isPaused) return;
    this.#note(host.process.number, 'closes');
    try {
      await host.close(grace);
    } catch {
      // The store was taken meanwhile, or fails: it ends all the same.
      this.#die(host.process, 'closed, and its store fails');
    }
    if (host.isClosed && host.process.isAlive && this.#host === host) this.#die(host.process, 'closed');
  }

  async #comeToAnEnd(): Promise<void> {
    let end = this.#world.now + LIVENESS_MS;
    for (let replaced = 0; ; replaced++) {
      await this.#world.run(end, () => this.#isReady());
      this.#letGo();
      await this.#world.run(end, () => this.#hasLost() || this.#isOver());
      if (!this.#hasLost() || replaced === REPLACED_MAX) break;
      this.#dieNow('it has lost its store');
      end = this.#world.now + LIVENESS_MS;
    }
    if (!this.#isOver()) {
      this.#host?.wrong('LIVENESS', `does not end: ${[...this.#unended].join(', ')}`);
      return;
    }
    await this.#lookAround();
  }

  #isReady(): boolean {
    const host = this.#host;
    return host?.process.isAlive === true && host.process.isOpen && !host.process.isPaused;
  }

  /** Whatever the scenario has stopped goes on. */
  #letGo(): void {
    const orchestrator = this.#host?.orchestrator;
    if (orchestrator === undefined) return;
    orchestrator.resume();
    // What was made while the store failed, and nobody was told of, is taken up as well.
    orchestrator.recoverState().then(
      () => {
        this.#host?.watchAll();
        resumeAll();
      },
      () => {},
    );
    for (const [name, capacity] of Object.entries(this.#scenario.options.resources))
      orchestrator.resources.setCapacity(name, capacity);
    resumeAll();

    function resumeAll(): void {
      for (const run of orchestrator?.runs() ?? []) void run.resume().catch(() => {});
    }
  }

  /** Whether the process has given up on a run: then another one has to go on. */
  #hasLost(): boolean {
    this.#readOn();
    return this.#lostBy.has((this.#host as Host).process.number);
  }

  #isOver(): boolean {
    this.#readOn();
    return this.#isReady() && this.#unended.size === 0;
  }

  /** Reads what the trace has new. */
  #readOn(): void {
    const { rows } = this.#world;
    for (; this.#read < rows.length; this.#read++) {
      const row = rows[this.#read] as Row;
      if (row.kind === 'over' && row.status === 'lost') this.#lostBy.add(row.process);
      if (row.kind !== 'log') continue;
      const { type, runId } = row.event;
      if (type === 'RunCreated') this.#unended.add(runId);
      if (type === 'RunCompleted' || type === 'RunFailed' || type === 'RunCancelled')
        this.#unended.delete(runId);
    }
  }

  /** Everything has ended: nothing may be held, every state can be loaded, and closing leaves nothing behind. */
  async #lookAround(): Promise<void> {
    const host = this.#host as Host;
    let isDone = false;
    const end = (): void => {
      isDone = true;
    };
    const around = host.lookAround().then(end, (error: unknown) => {
      host.wrong('I13', `what is over cannot be looked at: ${String(error)}`);
      end();
    });
    await this.#world.run(this.#world.now + LIVENESS_MS, () => isDone);
    if (!isDone) host.wrong('LIVENESS', 'what is over cannot be looked at and closed');
    else await around;
  }
}
