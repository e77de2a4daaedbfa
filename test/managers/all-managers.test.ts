/**
 * A hundred thousand operations by chance on all managers together. After each one the ledger is held against what its
 * holders say (I25, I28, I29, and I26 for locks of the host); from time to time nobody may wait who could be served; in the end everything is free.
 */
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { expect, it } from 'vitest';
import type { LockGrant } from '../../src/managers/concurrency/concurrency-controller.ts';
import type { Grant } from '../../src/managers/resources/claims.ts';
import type { Row } from '../../src/managers/resources/row.ts';
import { type Engine, openEngine } from '../../src/orchestrator/engine.ts';
import { seededRandom } from '../support/seeded-random.ts';

const OPERATIONS = 100_000;
const LIMIT_MS = 120_000;
const CAPACITY = { cpu: 4, gpu: 1, mem: 2.5 };
const AGENTS = ['writer', 'reader'];

/** Everything that goes on, and who may be asked to do something next. */
class Traffic {
  readonly clock: VirtualClock;
  readonly engine: Engine;
  readonly #random: () => number;
  readonly #grants: Grant[] = [];
  readonly #controllers: AbortController[] = [];
  readonly #runs: string[] = [];
  readonly #pausedAgents = new Set<string>();
  readonly #before = new Map<Row, number>();
  /** Promises of requests, settled or not. */
  #open = 0;
  /** I26: the token of the last holder of each lock. */
  readonly #tokens = new Map<string, number>();
  #isPaused = false;
  #made = 0;
  readonly done = { grants: 0, refused: 0, runs: 0 };
  readonly faults: string[] = [];

  private constructor(clock: VirtualClock, engine: Engine, random: () => number) {
    this.clock = clock;
    this.engine = engine;
    this.#random = random;
  }

  static async open(seed: number): Promise<Traffic> {
    const clock = new VirtualClock({ auto: false });
    const engine = await openEngine({
      clock,
      resources: { ...CAPACITY, calls: { capacity: 5, per: '1s' } },
      agents: { writer: { concurrency: 2 } },
      concurrency: 6,
      retainRuns: 20,
    });
    await engine.begin();
    return new Traffic(clock, engine, seededRandom(seed));
  }

  /** One operation by chance. */
  async step(): Promise<void> {
    const chance = this.#random();
    const { resources, concurrency, scheduler } = this.engine.parts;
    if (chance < 0.16) this.#ask((wait) => resources.allocateResource(this.#amounts(), wait));
    else if (chance < 0.3)
      this.#ask((wait) => concurrency.acquireLock(this.#locks(), { ...wait, mode: this.#mode() }));
    else if (chance < 0.34) this.#ask((wait) => this.engine.allocateResources(this.#task('own'), wait));
    else if (chance < 0.68) this.#giveBack();
    else if (chance < 0.74) this.#takeOut(this.#controllers)?.abort();
    else if (chance < 0.8) this.#cut();
    else if (chance < 0.82) this.#pauseOrResume();
    else if (chance < 0.9) this.#start();
    else if (chance < 0.93) this.#reprioritise();
    else if (chance < 0.94) this.#cancel();
    else if (chance < 0.95) scheduler.prioritizeTasks(this.#random() < 0.5 ? 'priority' : 'critical-path');
    else await this.clock.advance(Math.floor(this.#random() * 400));
  }

  /** I25, I28, I29: what is used is what is held, at no time more than there is. */
  check(at: number): void {
    const held = new Map<Row, number[]>();
    for (const { row, amount } of this.engine.parts.holders.all()) {
      const known = held.get(row);
      const units = Math.round(amount * row.scale);
      if (known === undefined) held.set(row, [units]);
      else known.push(units);
    }
    for (const row of this.engine.parts.ledger.rows()) {
      const { used, capacity, key } = row;
      const amounts = held.get(row) ?? [];
      const sum = amounts.reduce((total, units) => total + units, 0);
      const fault = (what: string): void => void this.faults.push(`${what} of ${key} at ${at}: ${used} used`);
      if (!Number.isInteger(used) || used < 0) fault('an amount that is none');
      if (row.perMs === undefined && sum !== used) fault(`${sum} held`);
      // After a cut less and less is used, until it fits.
      if (used > Math.max(capacity, this.#before.get(row) ?? 0)) fault(`${capacity} is all there is`);
      if (row.kind === 'lock' && amounts.includes(row.declaredCapacity) && amounts.length > 1)
        fault('two holders');
      this.#before.set(row, used);
    }
  }

  /** When everything has come to rest, whoever waits lacks something. The place to look for deadlocks, too. */
  async checkWaiters(at: number): Promise<void> {
    await this.clock.advance(0);
    for (const { waiter, group } of this.engine.parts.ledger.waiters()) {
      if (this.#isPaused && group.pausable) continue;
      if (waiter.queued && group.queue.peek() === waiter && group.blockedBy() === undefined)
        this.faults.push(`somebody who could have ${group.key.replaceAll('\n', ' ')} waits at ${at}`);
    }
  }

  /** Gives back and lets go until nothing is under way. */
  async drain(): Promise<void> {
    const { resources, concurrency, scheduler, directory } = this.engine.parts;
    for (const [name, capacity] of Object.entries(CAPACITY)) resources.setCapacity(name, capacity);
    concurrency.setLimit(6);
    scheduler.resume();
    for (const agent of this.#pausedAgents) scheduler.resume({ agent });
    for (let round = 0; round < 100_000 && (this.#open > 0 || directory.unfinishedCount > 0); round++) {
      for (const grant of this.#grants.splice(0)) grant.release();
      await this.clock.advance(200);
    }
    for (const grant of this.#grants.splice(0)) grant.release();
    await this.clock.advance(5_000);
    expect(this.#open).toBe(0);
    expect(directory.unfinishedCount).toBe(0);
  }

  #ask(ask: (wait: { priority: number; signal?: AbortSignal; timeout?: number }) => Promise<Grant>): void {
    const controller = this.#random() < 0.5 ? new AbortController() : undefined;
    if (controller !== undefined) this.#controllers.push(controller);
    const wait = {
      priority: Math.floor(this.#random() * 5),
      ...(controller === undefined ? undefined : { signal: controller.signal }),
      ...(this.#random() < 0.4 ? { timeout: Math.floor(this.#random() * 2_000) } : undefined),
    };
    this.#open++;
    ask(wait).then(
      (grant) => {
        this.#open--;
        this.done.grants++;
        for (const name of 'names' in grant ? (grant as LockGrant).names : []) {
          if (grant.token <= (this.#tokens.get(name) ?? 0))
            this.faults.push(`token ${grant.token} of ${name} is old`);
          this.#tokens.set(name, grant.token);
        }
        this.#grants.push(grant);
      },
      () => {
        this.#open--;
        this.done.refused++;
      },
    );
  }

  #giveBack(): void {
    const grant = this.#takeOut(this.#grants);
    if (grant === undefined) return;
    grant.release();
    if (this.#random() < 0.1) expect(() => grant.release()).toThrow('given back before');
  }

  #cut(): void {
    const { resources, concurrency } = this.engine.parts;
    const chance = this.#random();
    if (chance < 0.3) concurrency.setLimit(1 + Math.floor(this.#random() * 8));
    else if (chance < 0.6) resources.setCapacity('cpu', Math.floor(this.#random() * 7));
    else if (chance < 0.8) resources.setCapacity('mem', Math.floor(this.#random() * 50) / 10);
    else if (chance < 0.9) resources.setCapacity('gpu', Math.floor(this.#random() * 3));
    else resources.setCapacity('calls', 3 + Math.floor(this.#random() * 4));
  }

  #pauseOrResume(): void {
    const { scheduler } = this.engine.parts;
    const agent = AGENTS[Math.floor(this.#random() * 2)] as string;
    if (this.#random() < 0.5) {
      if (this.#isPaused) scheduler.resume();
      else scheduler.pause();
      this.#isPaused = !this.#isPaused;
    } else if (this.#pausedAgents.delete(agent)) {
      scheduler.resume({ agent });
    } else {
      this.#pausedAgents.add(agent);
      scheduler.pause({ agent });
    }
  }

  #start(): void {
    // Few enough that a pause does not pile up work for ever.
    if (this.engine.parts.directory.unfinishedCount > 30) return;
    const first = this.#task('first');
    const tasks = [first, this.#task('second'), this.#task('third', [first])].slice(
      0,
      1 + Math.floor(this.#random() * 3),
    );
    const workflow = defineWorkflow(`w${this.#made++ % 50}`, { tasks: tasks as never });
    this.engine.starter.start(workflow, { priority: Math.floor(this.#random() * 5) }).then(
      ({ runId }) => {
        this.done.runs++;
        this.#runs.push(runId);
      },
      // More is needed than there is since a cut.
      () => this.done.refused++,
    );
  }

  #reprioritise(): void {
    const runId = this.#anyRun();
    if (runId === undefined) return;
    this.engine.parts.scheduler.setPriority(runId, 'first', Math.floor(this.#random() * 9)).catch(() => {});
  }

  #cancel(): void {
    const runId = this.#anyRun();
    const run = runId === undefined ? undefined : this.engine.parts.directory.find(runId);
    if (run !== undefined) void this.engine.starter.handleOf(run).cancel();
  }

  #anyRun(): string | undefined {
    while (this.#runs.length > 40) this.#runs.shift();
    return this.#runs[Math.floor(this.#random() * this.#runs.length)];
  }

  #task(id: string, dependencies: readonly unknown[] = []) {
    const naps = Math.floor(this.#random() * 500);
    const chance = this.#random();
    return task(id, {
      dependencies: dependencies as never,
      estimatedDuration: naps,
      resourceRequirements: this.#random() < 0.6 ? this.#amounts() : {},
      locks: this.#random() < 0.4 ? this.#locks().map((name) => ({ name, mode: this.#mode() })) : [],
      ...(chance < 0.5 ? { agentAssigned: AGENTS[Math.floor(chance * 4)] } : undefined),
      run: ({ clock }: { clock: { sleep(ms: number): Promise<void> } }) => {
        if (chance > 0.9) throw new Error('it fails');
        return chance > 0.7 ? undefined : clock.sleep(naps);
      },
    } as never);
  }

  #amounts(): Record<string, number> {
    const all = {
      cpu: 1 + Math.floor(this.#random() * 4),
      gpu: 1,
      mem: (1 + Math.floor(this.#random() * 25)) / 10,
      calls: 1,
    };
    const names = Object.keys(all).filter(() => this.#random() < 0.4);
    return Object.fromEntries(
      (names.length === 0 ? ['cpu'] : names).map((name) => [name, all[name as 'cpu']]),
    );
  }

  #locks(): string[] {
    const names = ['file', 'desk', 'door'].filter(() => this.#random() < 0.4);
    return names.length === 0 ? ['file'] : names;
  }

  #mode(): 'exclusive' | 'shared' {
    return this.#random() < 0.5 ? 'exclusive' : 'shared';
  }

  #takeOut<One>(list: One[]): One | undefined {
    const [one] = list.splice(Math.floor(this.#random() * list.length), 1);
    return one;
  }
}

it(
  'keeps I25, I28 and I29 (and I26 for locks of the host) over 100,000 operations, forgets nobody who waits, and everything is free in the end',
  async () => {
    const traffic = await Traffic.open(3);
    for (let i = 0; i < OPERATIONS; i++) {
      await traffic.step();
      traffic.check(i);
      if (i % 50 === 0) await traffic.checkWaiters(i);
      if (traffic.faults.length > 0) break;
    }
    expect(traffic.faults).toEqual([]);

    await traffic.drain();
    traffic.check(OPERATIONS);
    expect(traffic.faults).toEqual([]);
    const { ledger, holders } = traffic.engine.parts;
    expect([...holders.all()]).toEqual([]);
    expect(ledger.waiting).toBe(0);
    for (const row of ledger.rows()) {
      row.replenish(traffic.clock.monotonic());
      expect([row.key, row.free]).toEqual([row.key, row.capacity]);
    }
    console.log(traffic.done);
    expect(traffic.done.grants).toBeGreaterThan(OPERATIONS / 10);
    expect(traffic.done.runs).toBeGreaterThan(OPERATIONS / 100);
    await traffic.engine.close({ grace: 0 });
  },
  LIMIT_MS,
);
