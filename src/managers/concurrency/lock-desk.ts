/**
 * Where locks are asked for by the host and by handlers, on top of what they hold.
 *
 * Owns: the wait-for graph, the upgrades, the owners that the host named, the grants by token. Who may call it: the
 * concurrency controller, and the attempts of tasks through it.
 *
 * LD1  An owner never waits for itself: what it holds or waits for already is refused, except a shared lock that it
 *      asks for exclusively (an upgrade), for which it waits until it is the only holder.
 * LD2  While an upgrade waits or is held, the shared lock under it stays taken, though it was released; when that is
 *      taken back, the upgrade goes with it (UG1).
 * LD3  A wait or a grant that closes a circle is found in the same call, and broken unless it is only to be reported.
 */
import { type OrchestratorError, refuse } from '../../model/errors.ts';
import { type Lease, takenBackMeanwhile } from '../../model/lock-options.ts';
import type { LockMode, LockNeed } from '../../model/needs.ts';
import type { Claims, ClaimWatch, Grant } from '../resources/claims.ts';
import type { Group, Ledger, Need } from '../resources/ledger.ts';
import { lockNeed, modeOf, upgradeNeed } from '../resources/lock-row.ts';
import type { Row } from '../resources/row.ts';
import {
  cyclesOf,
  type Deadlock,
  describeDeadlock,
  describeMember,
  type ResolvedDeadlock,
  victimError,
  victimOf,
} from './deadlocks.ts';
import { HeldLock } from './lock-grant.ts';
import { Upgrades } from './upgrades.ts';
import { Party, type PartyWait, WaitGraph } from './wait-graph.ts';

/** What happens to a deadlock when it is found. */
export type DeadlockPolicy = 'resolve' | 'report';

/** What the desk is made of. */
export interface LockDeskParts {
  readonly ledger: Ledger;
  readonly claims: Claims;
  /** The age of who asks first now, among all that was submitted: greater is younger. */
  readonly nextOrder: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly setTimer: (delayMs: number, callback: () => void) => () => void;
  /** Whether deadlocks are broken when they are found, or only told. */
  readonly deadlocks: DeadlockPolicy;
  /** Told of each deadlock; must not throw. */
  readonly onDeadlock: (deadlock: Deadlock | ResolvedDeadlock) => void;
}

/** A request for locks, checked. */
export interface LockAsk {
  readonly locks: readonly LockNeed[];
  /** What is taken together with the locks. */
  readonly others?: readonly Need[];
  readonly what: string;
  readonly priority: number;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly lease: Lease | undefined;
  readonly party: Party | undefined;
  readonly abortError?: (reason: unknown) => unknown;
}

export class LockDesk {
  policy: DeadlockPolicy;
  readonly #parts: LockDeskParts;
  readonly #graph = new WaitGraph();
  readonly #owners = new Map<string, Party>();
  readonly #byToken = new Map<number, HeldLock>();
  /** Who has asked, by request and by the token of what the ledger still counts as taken; for inspection. */
  readonly #asking = new WeakMap<ClaimWatch, Party>();
  readonly #holding = new Map<number, Party>();
  readonly #upgrades = new Upgrades();

  constructor(parts: LockDeskParts) {
    this.#parts = parts;
    this.policy = parts.deadlocks;
  }

  /** The party of an owner that the host named; made when it is not known. */
  ownerNamed(name: string, priority: number): Party {
    let party = this.#owners.get(name);
    if (party === undefined) {
      party = new Party(name, this.#parts.nextOrder(), () => priority);
      this.#owners.set(name, party);
    }
    return party;
  }

  /** Notes what a party holds that was not taken here. */
  adopt(party: Party, group: Group): void {
    this.#each(group, (row, units) => this.#graph.hold(party, row, units));
  }

  /** Ends a party: what it waits for rejects with `reason`, what it took here is taken back, what was adopted is forgotten. */
  end(party: Party, adopted: Group, reason: unknown): void {
    for (const wait of [...party.waits]) wait.leave(reason);
    for (const grant of [...party.grants]) grant.revoke();
    this.#each(adopted, (row, units) => this.#graph.giveBack(party, row, units));
    this.#upgrades.forget(party);
  }

  /** @throws OrchestratorError `LOCK_CONFLICT`, `LOCK_STALE`, and what a claim ends with */
  async acquire(ask: LockAsk): Promise<HeldLock> {
    const { ledger, claims } = this.#parts;
    const { party, priority, timeoutMs, signal, what, abortError } = ask;
    const upgrading: Row[] = [];
    let held: HeldLock | undefined;
    const watch = this.#watch(ask, upgrading, (made) => {
      held = made;
    });
    try {
      const needs = ask.locks.map((lock) => this.#needOf(ledger, lock, ask, upgrading));
      await claims.request([...needs, ...(ask.others ?? [])], {
        priority,
        timeoutMs,
        signal,
        what,
        watch,
        ...(abortError === undefined ? undefined : { abortError }),
        ...(party?.task === undefined ? undefined : { owner: party.task }),
      });
    } finally {
      if (party !== undefined) this.#forgetIdle(party);
      if (held === undefined) this.#dropRows(ask);
    }
    return held as HeldLock;
  }

  /** The grant with this token, as long as it is held. */
  withToken(token: number): HeldLock | undefined {
    return this.#byToken.get(token);
  }

  /** The owner that the host named, of a request that waits or of a token whose locks the ledger counts as taken. */
  ownerOf(asked: ClaimWatch | number | undefined): string | undefined {
    if (asked === undefined) return undefined;
    const party = typeof asked === 'number' ? this.#holding.get(asked) : this.#asking.get(asked);
    return party?.task === undefined ? party?.name : undefined;
  }

  /** How many owners and attempts hold locks while they may wait for more. */
  get parties(): number {
    return this.#graph.size;
  }

  detect(): readonly Deadlock[] {
    return cyclesOf(this.#graph).map(describeDeadlock);
  }

  /** Ends one member of each deadlock, until there is none. */
  resolve(): readonly ResolvedDeadlock[] {
    const resolved: ResolvedDeadlock[] = [];
    for (let cycles = cyclesOf(this.#graph); cycles.length > 0; cycles = cyclesOf(this.#graph)) {
      for (const cycle of cycles) {
        // Whoever heard of an earlier victim may have given up or given back by itself.
        if (!this.#graph.isCycle(cycle)) continue;
        const party = victimOf(cycle);
        const victim = describeMember(party);
        const deadlock = describeDeadlock(cycle);
        const error = victimError(victim, deadlock);
        for (const wait of [...party.waits]) wait.leave(error);
        for (const grant of [...party.grants]) grant.revoke();
        party.fail?.(error);
        resolved.push({ ...deadlock, victim });
      }
    }
    for (const one of resolved) this.#parts.onDeadlock(one);
    return resolved;
  }

  #needOf(ledger: Ledger, lock: LockNeed, { party, what }: LockAsk, upgrading: Row[]): Need {
    const known = party === undefined ? undefined : ledger.row(`lock:${lock.name}`);
    if (party === undefined || known === undefined) return lockNeed(ledger, lock);
    const waits = [...party.waits].some(({ group }) => group.rows.includes(known));
    const units = party.holds.get(known);
    if (waits || this.#upgrades.has(party, known))
      throw conflict(
        what,
        `the lock ${JSON.stringify(lock.name)}, which ${party.name} has asked for already`,
      );
    if (units === undefined) return lockNeed(ledger, lock);
    const mode: LockMode = modeOf(known, units);
    if (mode === 'exclusive' || lock.mode === 'shared')
      throw conflict(
        what,
        `the lock ${JSON.stringify(lock.name)}, which ${party.name} holds already (${mode})`,
      );
    upgrading.push(known);
    return upgradeNeed({ row: known, amount: 0 });
  }

  #watch(ask: LockAsk, upgrading: readonly Row[], onHeld: (held: HeldLock) => void): ClaimWatch {
    const { party } = ask;
    let wait: PartyWait | undefined;
    let group: Group | undefined;
    let token = 0;
    const endWait = (): void => {
      if (wait !== undefined) this.#graph.unwait(wait);
    };
    const watch: ClaimWatch = {
      waits: (of, leave) => {
        group = of;
        if (party === undefined) return;
        wait = { party, group: of, leave };
        this.#graph.wait(wait);
        this.#upgrades.note(party, upgrading, leave);
        this.#check(party);
      },
      granted: (grant) => {
        const held = this.#held(ask, grant, upgrading);
        if (party !== undefined) {
          token = grant.token;
          this.#holding.set(token, party);
          this.#each(group as Group, (row, units) => this.#graph.hold(party, row, units));
          party.grants.add(held);
          this.#upgrades.note(party, upgrading, () => held.revoke());
        }
        endWait();
        onHeld(held);
        if (party !== undefined && party.waits.size > 0) this.#check(party);
      },
      left: () => {
        endWait();
        if (party !== undefined) this.#endUpgrade(party, upgrading);
      },
      released: () => {
        if (party === undefined) return;
        this.#holding.delete(token);
        this.#each(group as Group, (row, units) => this.#graph.giveBack(party, row, units));
        this.#endUpgrade(party, upgrading);
      },
    };
    if (party !== undefined) this.#asking.set(watch, party);
    return watch;
  }

  #held(ask: LockAsk, grant: Grant, upgrading: readonly Row[]): HeldLock {
    const { party, lease, locks } = ask;
    const { now, setTimer, ledger } = this.#parts;
    const rows = locks.map(({ name }) => ledger.row(`lock:${name}`) as Row);
    // What an upgrade can stand on.
    const under = rows.filter((row) => !upgrading.includes(row));
    const names = locks.map(({ name }) => name);
    const held: HeldLock = new HeldLock({
      grant,
      names,
      lease,
      since: now(),
      now,
      setTimer,
      mayGo: () => party === undefined || !under.some((row) => this.#upgrades.has(party, row)),
      onOver: (how) => {
        this.#byToken.delete(grant.token);
        if (party === undefined) return;
        if (how === 'taken back')
          this.#upgrades.lose(party, under, () => takenBackMeanwhile('upgrade', names, grant.token));
        this.#sweep(party);
        this.#forgetIdle(party);
      },
    });
    this.#byToken.set(grant.token, held);
    return held;
  }

  #endUpgrade(party: Party, rows: readonly Row[]): void {
    if (rows.length === 0) return;
    this.#upgrades.drop(party, rows);
    for (const one of party.grants) (one as HeldLock).settle();
    this.#sweep(party);
  }

  /** Forgets the grants that are over and given back. */
  #sweep(party: Party): void {
    for (const one of party.grants) if ((one as HeldLock).isSettled) party.grants.delete(one);
  }

  /** A request that was refused at once leaves no rows behind for locks that nobody holds or waits for. */
  #dropRows({ locks, what }: LockAsk): void {
    const { ledger } = this.#parts;
    for (const { name } of locks) {
      const row = ledger.row(`lock:${name}`);
      if (row?.groups === 0) ledger.dropGroup(ledger.group([{ row, amount: 1 }], what, false));
    }
  }

  #forgetIdle(party: Party): void {
    if (party.task !== undefined || party.holds.size > 0 || party.waits.size > 0) return;
    if (this.#owners.get(party.name) === party) this.#owners.delete(party.name);
  }

  /** Looks for a circle through a party. */
  #check(party: Party): void {
    if (!this.#graph.isInCycle(party)) return;
    if (this.policy === 'resolve') this.resolve();
    else for (const deadlock of this.detect()) this.#parts.onDeadlock(deadlock);
  }

  #each(group: Group, visit: (row: Row, units: number) => void): void {
    group.rows.forEach((row, i) => {
      if (row.kind === 'lock') visit(row, group.amounts[i] as number);
    });
  }
}

function conflict(what: string, found: string): OrchestratorError {
  return refuse('LOCK_CONFLICT', {
    at: what,
    found,
    allowed: 'a lock that it neither holds nor waits for, or the exclusive mode of one that it holds shared',
  });
}
