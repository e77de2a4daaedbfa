/**
 * Holds what a concurrency controller does with locks against what can be worked out from outside: deadlocks by brute
 * force, victims, tokens (I26), leases (I27). It looks only at `locks()` and at grants.
 */
import type {
  ConcurrencyController,
  Deadlock,
  LockGrant,
  LockHolder,
  LockState,
  ResolvedDeadlock,
} from '@taskmaster-ai/orchestrator';
import {
  sharedExclusives,
  shortestWayRound,
  stuckSets,
  type WaitFor,
  waitForOf,
} from './brute-force-cycles.ts';

interface Leased {
  readonly grant: LockGrant;
  readonly leaseMs: number;
  /** No later than this it has to be gone, unless it was renewed. */
  until: number;
}

export class LockWitness {
  readonly seen = { states: 0, circles: 0, longest: 0, victims: 0, victimTasks: 0, leasesEnded: 0 };
  readonly #concurrency: ConcurrencyController;
  readonly #now: () => number;
  readonly #fault: (what: string) => void;
  readonly #priorities: ReadonlyMap<string, number>;
  /** Since which look each owner is there. */
  #since = new Map<string, number>();
  readonly #tokens = new Map<string, number>();
  readonly #leased = new Set<Leased>();
  /** Attempts that were ended, and have to be gone when everything has come to rest. */
  readonly #ended = new Set<string>();
  #looks = 0;
  policy: 'resolve' | 'report' = 'resolve';

  constructor(parts: {
    readonly concurrency: ConcurrencyController;
    readonly now: () => number;
    readonly fault: (what: string) => void;
    /** Of the owners that the host names. */
    readonly priorities: ReadonlyMap<string, number>;
  }) {
    this.#concurrency = parts.concurrency;
    this.#now = parts.now;
    this.#fault = parts.fault;
    this.#priorities = parts.priorities;
  }

  /** Looks at the state that there is now. */
  look(): void {
    this.#looks++;
    const locks = this.#concurrency.locks();
    const graph = waitForOf(locks);
    this.#compare(locks, graph, this.#concurrency.detectDeadlocks());
    this.#note(locks, graph);
    for (const name of sharedExclusives(locks))
      this.#fault(`${name} is held exclusively beside somebody else: ${JSON.stringify(locks)}`);
    this.#checkLeases(locks);
  }

  /** When everything has come to rest, nothing is left of a victim. */
  lookAtRest(): void {
    for (const { holders } of this.#concurrency.locks())
      for (const { holder } of holders)
        if (holder.kind === 'task' && this.#ended.has(`${holder.runId}/${holder.path}#${holder.attempt}`))
          this.#fault(`a victim holds on to what its task needed: ${holder.runId}/${holder.path}`);
    this.#ended.clear();
  }

  /** Breaks what there is. */
  resolve(): void {
    this.#concurrency.resolveConflicts();
    if (stuckSets(waitForOf(this.#concurrency.locks())).length > 0) this.#fault('a circle is left');
    if (this.#concurrency.detectDeadlocks().length > 0) this.#fault('a deadlock is still reported');
  }

  /** Whether a victim was the one to be ended, and holds and wants nothing any more that it asked for itself. */
  checkVictim({ victim, members }: ResolvedDeadlock): void {
    this.seen.victims++;
    if (victim.task !== undefined) {
      this.seen.victimTasks++;
      this.#ended.add(`${victim.task.runId}/${victim.task.path}#${victim.task.attempt}`);
    }
    if (!members.some(({ name }) => name === victim.name)) this.#fault(`${victim.name} is no member`);
    for (const { name, priority, task } of members) {
      if (task === undefined && priority !== this.#priorities.get(name))
        this.#fault(`${name} has ${priority}`);
      if (priority < victim.priority) this.#fault(`${name} is less than the victim ${victim.name}`);
      if (priority > victim.priority || task !== undefined || victim.task !== undefined) continue;
      if ((this.#since.get(name) ?? this.#looks) > (this.#since.get(victim.name) ?? this.#looks))
        this.#fault(`${name} is younger than the victim ${victim.name}`);
    }
    const isOf = (ref: LockHolder['holder'], owner: string | undefined): boolean =>
      ref.kind === 'claim' &&
      (victim.task === undefined
        ? owner === victim.name
        : ref.owner !== undefined && `${ref.owner.runId}/${ref.owner.path}` === victim.name);
    for (const { holders, waiters } of this.#concurrency.locks()) {
      if (holders.some(({ holder, owner }) => isOf(holder, owner))) this.#fault(`${victim.name} still holds`);
      if (waiters.some(({ waiter, owner }) => isOf(waiter, owner))) this.#fault(`${victim.name} still waits`);
    }
  }

  /** From now on the lease of a grant is watched. */
  watchLease(grant: LockGrant, leaseMs: number): void {
    this.#leased.add({ grant, leaseMs, until: this.#now() + leaseMs });
  }

  /** Renews one of them, which has to go well exactly as long as it is held. */
  renewOne(random: () => number): void {
    const all = [...this.#leased];
    const one = all[Math.floor(random() * all.length)];
    if (one === undefined) return;
    const { isHeld } = one.grant;
    try {
      one.grant.renew();
      one.until = this.#now() + one.leaseMs;
      if (!isHeld) this.#fault('a lease was renewed that had ended');
    } catch (error) {
      if (isHeld || !['LOCK_STALE', 'GRANT_RELEASED'].includes((error as { code: string }).code))
        this.#fault(`a lease could not be renewed: ${String(error)}`);
    }
  }

  /** Each set that waits for itself has exactly one report, of a shortest circle in it, told as it is. */
  #compare(locks: readonly LockState[], graph: WaitFor, reported: readonly Deadlock[]): void {
    this.seen.states++;
    const sets = stuckSets(graph);
    this.seen.circles += sets.length;
    if (this.policy === 'resolve' && sets.length > 0) this.#fault('a circle was not broken');
    if (sets.length !== reported.length) {
      const found = sets.map((set) => set.map((place) => graph.actors[place]?.name));
      this.#fault(
        `${reported.length} deadlocks reported, ${sets.length} are there: ${JSON.stringify({
          reported: reported.map(({ members }) => members),
          found,
          locks,
        })}`,
      );
      return;
    }
    if (sets.length === 0) return;
    const open = new Set(sets);
    for (const { members } of reported) {
      const places = members.map(({ name, task }) =>
        graph.actors.findIndex((actor) => actor.name === name && actor.attempt === task?.attempt),
      );
      const set = [...open].find((one) => places.every((place) => one.includes(place)));
      if (set === undefined || new Set(places).size !== places.length) {
        this.#fault(`a report of ${members.map(({ name }) => name).join(', ')}, who are no circle`);
        continue;
      }
      open.delete(set);
      places.forEach((place, i) => {
        if (!graph.edges[place]?.has(places[(i + 1) % places.length] as number))
          this.#fault('a step that is none');
      });
      this.seen.longest = Math.max(this.seen.longest, places.length);
      if (places.length !== shortestWayRound(graph, set)) this.#fault('a circle that is not a shortest one');
      members.forEach(({ holds, wants }, i) => {
        const actor = graph.actors[places[i] as number];
        const isTold = (told: readonly { name: string }[], names: Set<string> | undefined): boolean =>
          names !== undefined && told.length >= names.size && told.every(({ name }) => names.has(name));
        if (!isTold(holds, actor?.holds) || !isTold(wants, actor?.wants))
          this.#fault('a member is told wrong');
      });
    }
  }

  #note(locks: readonly LockState[], { actors }: WaitFor): void {
    const since = new Map<string, number>();
    for (const { name } of actors)
      if (this.#priorities.has(name)) since.set(name, this.#since.get(name) ?? this.#looks);
    this.#since = since;
    for (const { name, holders } of locks) {
      const known = this.#tokens.get(name) ?? 0;
      const tokens = holders.map(({ token }) => token);
      const fresh = tokens.filter((token) => !this.#current.has(token));
      for (const token of fresh)
        if (token <= known) this.#fault(`the token ${token} of ${name} is not above ${known} (I26)`);
      if (fresh.length > 0) this.#tokens.set(name, Math.max(known, ...fresh));
    }
    this.#current = new Set(locks.flatMap(({ holders }) => holders.map(({ token }) => token)));
  }

  #current = new Set<number>();

  /** I27: a lease that has run out holds nothing, renews nothing, gives nothing back, and its signal says so. */
  #checkLeases(locks: readonly LockState[]): void {
    if (this.#leased.size === 0) return;
    const now = this.#now();
    const untils = new Map(
      locks.flatMap(({ holders }) => holders.map(({ token, leaseUntil }) => [token, leaseUntil] as const)),
    );
    for (const one of this.#leased) {
      const { grant } = one;
      if (grant.isHeld) {
        if (now >= one.until) this.#fault('a lease outlived its time (I27)');
        const until = untils.get(grant.token);
        if (until === undefined || until < now || until > one.until)
          this.#fault('a lease that is shown wrong (I27)');
        if (grant.signal.aborted) this.#fault('the signal of a lease that runs is aborted (I27)');
        continue;
      }
      this.#leased.delete(one);
      if (codeOf(() => grant.renew()) === 'GRANT_RELEASED') continue;
      this.seen.leasesEnded++;
      const told = [codeOf(() => grant.renew()), codeOf(() => grant.release())];
      if (told.some((code) => code !== 'LOCK_STALE'))
        this.#fault(`a lease that ended was told ${told.join()} (I27)`);
      if (!grant.signal.aborted) this.#fault('the signal of a lease that ended is not aborted (I27)');
      if (untils.has(grant.token)) this.#fault('a lease that ended holds on (I27)');
    }
  }
}

function codeOf(call: () => void): string {
  try {
    call();
    return 'nothing';
  } catch (error) {
    return (error as { code: string }).code;
  }
}
