/**
 * What was decided since the last append and is to become durable with the next one: events, the commands they
 * came from, and what is to be done in the world afterwards.
 *
 * Owns: these lists, in the order of decision over all runs. Who may call it: the run loop.
 *
 * CG1  Over all runs, effects keep the order of their decisions, so that bodies start in the order of admission.
 * CG2  A run that is dropped leaves nothing behind.
 */
import { Batch, type Sink } from '../../base/batch.ts';
import type { RunEvent } from '../../machine/events.ts';
import type { RareInstruction } from '../../machine/instructions.ts';
import type { StreamAppend } from '../../ports/event-store.ts';
import type { Ticket } from '../scheduling/ticket.ts';
import type { Envelope, LiveRun } from './live-run.ts';

/** What has to wait until it is durable: the body of a ticket that is to be run, or an instruction. */
export type Effect = Ticket | RareInstruction;

/** What of one run was decided and not written. */
export interface Unwritten {
  readonly events: readonly RunEvent[];
  readonly envelopes: readonly Envelope[];
}

export class CommitGroup implements Sink<RunEvent> {
  readonly #runs = new Batch<LiveRun>();
  readonly #events = new Batch<RunEvent>();
  readonly #owners = new Batch<LiveRun>();
  readonly #envelopes = new Batch<Envelope>();
  readonly #effects = new Batch<Effect>();
  readonly #effectOwners = new Batch<LiveRun>();
  #current: LiveRun | undefined;

  /** Whether there is nothing to write. */
  get isEmpty(): boolean {
    return this.#events.size === 0 && this.#envelopes.size === 0;
  }

  /** How many effects wait. */
  get effectCount(): number {
    return this.#effects.size;
  }

  /** The events that are pushed next belong to this run. */
  open(run: LiveRun): this {
    this.#current = run;
    return this;
  }

  push(event: RunEvent): void {
    const run = this.#current as LiveRun;
    this.#events.push(event);
    this.#owners.push(run);
    if (run.group !== this) {
      run.group = this;
      run.gathered = 0;
      this.#runs.push(run);
    }
    run.gathered++;
  }

  addEnvelope(envelope: Envelope): void {
    this.#envelopes.push(envelope);
  }

  addEffect(run: LiveRun, effect: Effect): void {
    this.#effects.push(effect);
    this.#effectOwners.push(run);
  }

  /** What is to be written, by run. */
  appends(appendOf: (run: LiveRun, events: readonly RunEvent[]) => StreamAppend): readonly StreamAppend[] {
    const { size } = this.#runs;
    // Mostly there is one run, and all events are its own.
    if (size === 1) return [appendOf(this.#runs.at(0), this.#events.toArray())];
    const byRun: RunEvent[][] = new Array(size);
    const filled = new Int32Array(size);
    for (let r = 0; r < size; r++) {
      const run = this.#runs.at(r);
      byRun[r] = new Array<RunEvent>(run.gathered);
      run.place = r;
    }
    for (let e = 0; e < this.#events.size; e++) {
      const r = this.#owners.at(e).place;
      const at = filled[r] as number;
      (byRun[r] as RunEvent[])[at] = this.#events.at(e);
      filled[r] = at + 1;
    }
    return byRun.map((events, r) => appendOf(this.#runs.at(r), events));
  }

  /** Calls back for each event with its run, in the order of decision. */
  eachEvent(visit: (event: RunEvent, run: LiveRun) => void): void {
    for (let e = 0; e < this.#events.size; e++) visit(this.#events.at(e), this.#owners.at(e));
  }

  eachRun(visit: (run: LiveRun) => void): void {
    for (let r = 0; r < this.#runs.size; r++) visit(this.#runs.at(r));
  }

  eachEnvelope(visit: (envelope: Envelope) => void): void {
    for (let e = 0; e < this.#envelopes.size; e++) visit(this.#envelopes.at(e));
  }

  eachEffect(visit: (run: LiveRun, effect: Effect) => void): void {
    for (let e = 0; e < this.#effects.size; e++) visit(this.#effectOwners.at(e), this.#effects.at(e));
  }

  /** The runs that would have to be written, as an array of their own. */
  runs(): readonly LiveRun[] {
    return this.#runs.toArray();
  }

  /** The events of a run, in their order. */
  eventsOf(run: LiveRun): readonly RunEvent[] {
    return this.#events.toArray().filter((_, e) => this.#owners.at(e) === run);
  }

  /** Whether there are several runs, and the appends of some of them keep failing. */
  get hasSuspects(): boolean {
    if (this.#runs.size < 2) return false;
    for (let r = 0; r < this.#runs.size; r++) if (isSuspect(this.#runs.at(r))) return true;
    return false;
  }

  /** Takes out what is to be written next as a group of its own: all sound runs, or else one that is not. */
  split(): CommitGroup {
    const sound = this.runs().some((run) => !isSuspect(run));
    const first = this.#runs.at(0);
    const isTaken = (run: LiveRun): boolean => (sound ? !isSuspect(run) : run === first);
    const taken = new CommitGroup();
    this.eachEvent((event, run) => isTaken(run) && taken.open(run).push(event));
    this.eachEnvelope((envelope) => isTaken(envelope.liveRun) && taken.addEnvelope(envelope));
    this.eachEffect((run, effect) => isTaken(run) && taken.addEffect(run, effect));
    this.#keep((run) => !isTaken(run));
    return taken;
  }

  /** Takes everything of some runs out, in one pass: what of each was to be written, in its order. */
  takeOut(runs: readonly LiveRun[]): ReadonlyMap<LiveRun, Unwritten> {
    const taken = new Map<LiveRun, { events: RunEvent[]; envelopes: Envelope[] }>();
    for (const run of runs) taken.set(run, { events: [], envelopes: [] });
    this.eachEvent((event, run) => taken.get(run)?.events.push(event));
    this.eachEnvelope((envelope) => taken.get(envelope.liveRun)?.envelopes.push(envelope));
    this.#keep((run) => !taken.has(run));
    for (const run of runs) if (run.group === this) run.group = undefined;
    return taken;
  }

  #keep(stays: (run: LiveRun) => boolean): void {
    this.#runs.keep(stays);
    let place = 0;
    this.#events.keep(() => stays(this.#owners.at(place++)));
    this.#owners.keep(stays);
    this.#envelopes.keep((envelope) => stays(envelope.liveRun));
    place = 0;
    this.#effects.keep(() => stays(this.#effectOwners.at(place++)));
    this.#effectOwners.keep(stays);
  }

  /** Forgets everything. */
  clear(): void {
    for (let r = 0; r < this.#runs.size; r++) {
      const run = this.#runs.at(r);
      if (run.group === this) run.group = undefined;
    }
    this.#current = undefined;
    this.#runs.clear();
    this.#events.clear();
    this.#owners.clear();
    this.#envelopes.clear();
    this.#effects.clear();
    this.#effectOwners.clear();
  }
}

/** One failure is most likely that of the store, several in a row may be that of the run. */
function isSuspect(run: LiveRun): boolean {
  return run.failedAppends > 1;
}
