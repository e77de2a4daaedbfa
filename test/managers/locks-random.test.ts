/**
 * Locks alone, by chance: owners and attempts that take sets of locks one after the other, shared and exclusively, under
 * leases and limits of time, and upgrade them. After each step, and again when everybody who can be served was, the state
 * is held against a search by brute force.
 */
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import {
  ConcurrencyController,
  type LockGrant,
} from '../../src/managers/concurrency/concurrency-controller.ts';
import type { LockingAttempt } from '../../src/managers/concurrency/nested-locks.ts';
import { NeedGroup } from '../../src/managers/resources/need-group.ts';
import { LockWitness } from '../support/lock-witness.ts';
import { seededRandom } from '../support/seeded-random.ts';

const SEEDS = [1, 2, 3, 4];
const STEPS = 5_000;
const NAMES = ['file', 'desk', 'door'];
const OWNERS = new Map([
  ['ann', 1],
  ['bob', 1],
  ['cid', 2],
  ['dan', 1],
]);
/** How many attempts are under way at once. */
const ATTEMPTS = 2;

/** An attempt of a task that needed nothing from its start. */
class FakeAttempt implements LockingAttempt {
  readonly runId: string;
  readonly path = 'work';
  readonly attempt = 1;
  readonly group = new NeedGroup<never>('', [], [], true);
  readonly order: number;
  readonly #controller = new AbortController();
  readonly #callbacks: (() => void)[] = [];
  #over = false;

  constructor(number: number) {
    this.runId = `run-${number}`;
    this.order = 1_000_000 + number;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  priority(): number {
    return 1;
  }

  isOver(): boolean {
    return this.#over;
  }

  fail(): void {
    this.end();
  }

  onEnd(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  end(): void {
    this.#over = true;
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}

class Play {
  readonly clock = new VirtualClock({ auto: false });
  readonly faults: string[] = [];
  readonly witness: LockWitness;
  readonly done = { granted: 0, lost: 0 };
  readonly #random: () => number;
  readonly #concurrency: ConcurrencyController;
  readonly #grants: LockGrant[] = [];
  readonly #stops: AbortController[] = [];
  readonly #attempts: FakeAttempt[] = [];
  #made = 0;
  #waiting = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#concurrency = ConcurrencyController.create({
      clock: this.clock,
      onDeadlock: (deadlock) => {
        if ('victim' in deadlock) this.witness.checkVictim(deadlock);
      },
    });
    this.witness = new LockWitness({
      concurrency: this.#concurrency,
      now: () => this.clock.now(),
      fault: (what) => void this.faults.push(what),
      priorities: OWNERS,
    });
  }

  async step(): Promise<void> {
    const chance = this.#random();
    if (chance < 0.35) this.#ask(this.#random() < 0.7);
    else if (chance < 0.55) this.#giveBack();
    else if (chance < 0.6) this.#takeOut(this.#stops)?.abort();
    else if (chance < 0.63) this.#takeOut(this.#attempts)?.end();
    else if (chance < 0.66) this.witness.renewOne(this.#random);
    else if (chance < 0.69) this.#concurrency.resolveConflicts();
    else if (chance < 0.72) this.setPolicy(this.witness.policy === 'report' ? 'resolve' : 'report');
    else await this.clock.advance(Math.floor(this.#random() * 100));
    this.witness.look();
    await this.clock.advance(0);
    this.witness.look();
  }

  setPolicy(policy: 'report' | 'resolve'): void {
    this.#concurrency.setDeadlockPolicy(policy);
    this.witness.policy = policy;
  }

  /** Gives back and lets go until nobody holds or waits. */
  async drain(): Promise<void> {
    this.setPolicy('resolve');
    for (let round = 0; round < 100 && (this.#waiting > 0 || this.#grants.length > 0); round++) {
      for (const attempt of this.#attempts.splice(0)) attempt.end();
      while (this.#grants.length > 0) this.#giveBack();
      await this.clock.advance(10);
      this.witness.look();
    }
    expect([this.#waiting, this.#concurrency.locks()]).toEqual([0, []]);
  }

  #ask(asOwner: boolean): void {
    const stop = new AbortController();
    const leaseMs = this.#random() < 0.5 ? 20 + Math.floor(this.#random() * 300) : undefined;
    const options = {
      mode: this.#random() < 0.5 ? ('shared' as const) : ('exclusive' as const),
      signal: stop.signal,
      lease: leaseMs,
      timeout: this.#random() < 0.2 ? Math.floor(this.#random() * 300) : undefined,
    };
    const names = this.#names();
    this.#stops.push(stop);
    if (this.#stops.length > 20) this.#stops.shift();
    this.#waiting++;
    const asked = asOwner ? this.#askAsOwner(names, options) : this.#askInside(names, options);
    asked.then(
      (grant) => {
        this.#waiting--;
        this.done.granted++;
        this.#grants.push(grant);
        if (leaseMs !== undefined && grant.isHeld) this.witness.watchLease(grant, leaseMs);
      },
      ({ code }) => {
        this.#waiting--;
        if (code === 'LOCK_STALE') this.done.lost++;
      },
    );
  }

  #askAsOwner(names: readonly string[], options: object): Promise<LockGrant> {
    const [owner, priority] = [...OWNERS][Math.floor(this.#random() * OWNERS.size)] as [string, number];
    return this.#concurrency.acquireLock(names, { ...options, owner, priority });
  }

  #askInside(names: readonly string[], options: object): Promise<LockGrant> {
    while (this.#attempts.length < ATTEMPTS) this.#attempts.push(new FakeAttempt(++this.#made));
    const attempt = this.#attempts[Math.floor(this.#random() * ATTEMPTS)] as FakeAttempt;
    return this.#concurrency.nested.acquire(attempt, attempt, names, options) as Promise<LockGrant>;
  }

  #giveBack(): void {
    const grant = this.#takeOut(this.#grants);
    if (grant?.isHeld === true) grant.release();
  }

  #names(): string[] {
    const names = NAMES.filter(() => this.#random() < 0.4);
    return names.length === 0 ? ['file'] : names;
  }

  #takeOut<One>(list: One[]): One | undefined {
    return list.splice(Math.floor(this.#random() * list.length), 1)[0];
  }
}

describe('locks alone, by chance', () => {
  it.each(SEEDS)('are as a search by brute force finds them in every state (seed %i)', async (seed) => {
    const play = new Play(seed);
    for (let step = 0; step < STEPS; step++) {
      await play.step();
      if (play.faults.length > 0) break;
    }
    expect(play.faults).toEqual([]);
    await play.drain();
    expect(play.faults).toEqual([]);
    const { circles, victims, leasesEnded } = play.witness.seen;
    expect(Math.min(circles, leasesEnded, play.done.granted)).toBeGreaterThan(STEPS / 100);
    expect(Math.min(victims, play.done.lost)).toBeGreaterThan(0);
  });
});
