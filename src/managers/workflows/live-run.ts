/**
 * One run in memory: its state, and everything in this process that belongs to it.
 *
 * Owns: the state, the tickets of its tasks, what was decided and is not durable yet, who waits for it. Who may
 * change it: the run loop and the managers that it calls; the facade reads.
 *
 * LR1  `state` may be ahead of the store; what is shown outside never passes `durableSeq`.
 * LR2  Each open attempt has one ticket.
 * LR3  A command stays in the commit group until its events are durable, so that none is lost when the state has
 *      to be read again.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { Refusal, RunCommand } from '../../machine/commands.ts';
import type { RunAttributes, RunEvent } from '../../machine/events.ts';
import { initialState, type PlanOf, type RunState, type ScopeState } from '../../machine/state.ts';
import type { OrchestratorError } from '../../model/errors.ts';
import type { TaskPath } from '../../model/path.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import { isRunFinished, type RunStatus } from '../../model/status.ts';
import type { StreamFacts } from '../../ports/event-store.ts';
import { streamOf } from '../persistence/persistence-manager.ts';
import type { Group } from '../resources/ledger.ts';
import type { BoundPlan } from '../scheduling/needs-book.ts';
import type { ScheduledRun, Ticket } from '../scheduling/ticket.ts';

/** Told when a command was carried out and is durable, was refused, or could not be made durable. */
export type Acknowledge = (refused: Refusal | OrchestratorError | undefined) => void;

/** A command on its way. */
export interface Envelope {
  readonly liveRun: LiveRun;
  readonly command: RunCommand;
  readonly acknowledge: Acknowledge | undefined;
  /** Whether it was decided before, on a state that could not be made durable. */
  readonly repeated: boolean;
  /** Why it was refused, when that is to be told as soon as what it was judged by is durable. */
  readonly refusal: Refusal | undefined;
}

/** What an append that failed had to do with one run. */
export interface LostAppend {
  /** The commands whose events were to be written. */
  readonly sent: readonly Envelope[];
  /** The commands that were decided meanwhile. */
  readonly later: readonly Envelope[];
  /** The last event that was to be written. */
  readonly last: RunEvent;
}

/** The run whose handler or listener is being executed, if any. */
const currentRun = new AsyncLocalStorage<LiveRun>();

/** The run that the calling code is a part of. */
export function runOfCaller(): LiveRun | undefined {
  return currentRun.getStore();
}

/** What a run is made of. */
export interface LiveRunParts {
  readonly runId: string;
  /** That of the version that it is started with. */
  readonly plan: CompiledPlan;
  /** Gives those of versions that it is moved to. */
  readonly planOf?: PlanOf | undefined;
  readonly bound: BoundPlan;
  readonly submission: number;
  /** What its host gave it to be found by. */
  readonly attributes?: RunAttributes | undefined;
}

export class LiveRun implements ScheduledRun {
  readonly runId: string;
  /** The stream of its events. */
  readonly stream: string;
  readonly #firstPlan: CompiledPlan;
  readonly #planOf: PlanOf | undefined;
  readonly submission: number;
  readonly attributes: RunAttributes | undefined;
  state: RunState;
  /** The status that the store was last told to find it by; nothing is known when an append has failed. */
  toldStatus: RunStatus | undefined;
  /** The last `seq` that is durable. */
  durableSeq = 0;
  /** The last `seq` that was folded into a checkpoint of the run that was kept by itself. */
  checkpointSeq = 0;
  /** Before this `seq` nobody asks again whether one is worth it. */
  weighedUntil = 0;
  /** The group in which its events gather, how many they are, and its place among the runs of the group. */
  group: object | undefined;
  gathered = 0;
  place = 0;
  /** Settles when it has been read for the first time, while it is: until then nothing is known of it. */
  whenRead: Promise<void> | undefined;
  /** Its state is being read from the store; commands wait in `backlog`. */
  isReloading = false;
  backlog: Envelope[] = [];
  /** What the state has of an append that failed, until the state has been read again. */
  forgotten: readonly RunEvent[] = [];
  /** The last event of each append in a row that failed: any of them may have been written. */
  doubtful: readonly RunEvent[] = [];
  /** By path, the starts that another process had left under way when this one took the run over. */
  cutOff: ReadonlyMap<TaskPath, string> = NOTHING_CUT_OFF;
  /** Appends and reads in a row that failed. */
  failedAppends = 0;
  /** Nothing of it starts; the ready tasks wait in `held`. */
  isHeld = false;
  readonly held: { readonly scope: ScopeState; readonly index: number }[] = [];
  /** The reason given to `cancel`, as it was given. */
  cancelReason: unknown;
  /** Why nothing more is known of it in this process. */
  lost: OrchestratorError | undefined;
  /** Its end is durable. */
  isOver = false;
  /** It is forgotten here: its log is gone, unless the store is durable. */
  isReleased = false;
  /** The host let it go by itself, so not even who still holds it can read its outputs. */
  isDiscarded = false;
  #bound: BoundPlan;
  readonly #tickets: (Ticket | undefined)[][] = [];
  // Made when they are first needed: most runs fail nowhere and are read by nobody.
  #thrown: Map<string, unknown> | undefined;
  #readers: Set<() => void> | undefined;
  readonly #waiters: (() => void)[] = [];
  readonly #context: AsyncResource;

  constructor(parts: LiveRunParts) {
    this.runId = parts.runId;
    this.stream = streamOf(parts.runId);
    this.#firstPlan = parts.plan;
    this.#planOf = parts.planOf;
    this.submission = parts.submission;
    this.attributes = parts.attributes === undefined ? undefined : Object.freeze(parts.attributes);
    this.#bound = parts.bound;
    this.state = this.stateBefore();
    this.#context = currentRun.run(this, createContext);
  }

  /** That of its version now. */
  get plan(): CompiledPlan {
    return this.state.plan;
  }

  /** What the store is to find it by from its next append on, if that has changed since it was last told. */
  newFacts(): StreamFacts | undefined {
    const { status, createdAt: startedAt, plan } = this.state;
    if (status === this.toldStatus) return undefined;
    this.toldStatus = status;
    const facts = { workflowId: plan.workflowId, status, startedAt };
    return this.attributes === undefined ? facts : { ...facts, attributes: this.attributes };
  }

  /** Its state before its first event, for a fold of its log. */
  stateBefore(): RunState {
    return initialState(this.runId, this.#firstPlan, this.#planOf);
  }

  /** The needs of another plan are the ones that count from now on. */
  bind(bound: BoundPlan): void {
    this.#bound = bound;
  }

  /** What was thrown by the last failed attempt of a task, as it was thrown; by path. */
  get thrown(): Map<string, unknown> {
    this.#thrown ??= new Map();
    return this.#thrown;
  }

  groupOf(scope: ScopeState, index: number): Group {
    return this.#boundOf(scope).groups[index] as Group;
  }

  /** The needs of the plan of a scope hang below those of the plan that opened it, as the scopes do. */
  #boundOf({ parent, parentIndex }: ScopeState): BoundPlan {
    if (parent === undefined) return this.#bound;
    return this.#boundOf(parent).children.get(parent.plan.ids[parentIndex] as string) as BoundPlan;
  }

  ticketOf(scope: ScopeState, index: number): Ticket | undefined {
    return this.#tickets[scope.number]?.[index];
  }

  setTicket(scope: ScopeState, index: number, ticket: Ticket | undefined): void {
    let tickets = this.#tickets[scope.number];
    if (tickets === undefined) {
      // With all its places from the start: an array that begins at a high place would become a slow table.
      tickets = new Array<Ticket | undefined>(scope.plan.size);
      this.#tickets[scope.number] = tickets;
    }
    tickets[index] = ticket;
  }

  /** All tickets, in no order. */
  *tickets(): IterableIterator<Ticket> {
    for (const tickets of this.#tickets) {
      for (const ticket of tickets ?? []) if (ticket !== undefined) yield ticket;
    }
  }

  forgetTickets(): void {
    this.#tickets.length = 0;
    this.held.length = 0;
  }

  /** Calls a function in the async context in which the run was started. */
  within<Argument, Result>(call: (argument: Argument) => Result, argument: Argument): Result {
    if (!sharesOneStore()) return this.#context.runInAsyncScope(call, undefined, argument);
    return this.#context.runInAsyncScope(callApart<Argument, Result>, undefined, call, argument);
  }

  /** Calls back whenever more events are durable, or the run is lost or released; returns how to stop it. */
  onProgress(reader: () => void): () => void {
    this.#readers ??= new Set();
    this.#readers.add(reader);
    return () => this.#readers?.delete(reader);
  }

  /** Calls back once, when the end of the run is durable or it is lost; at once if that is so already. */
  onOver(callback: () => void): void {
    if (this.isOver || this.lost !== undefined) callback();
    else this.#waiters.push(callback);
  }

  /** Tells those who wait for the end. */
  settle(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
    this.notifyReaders();
  }

  notifyReaders(): void {
    if (this.#readers === undefined || this.#readers.size === 0) return;
    for (const reader of [...this.#readers]) reader();
  }

  /** Whether its end is decided, durable or not. */
  get isFinished(): boolean {
    return isRunFinished(this.state.status);
  }
}

const NOTHING_CUT_OFF: ReadonlyMap<TaskPath, string> = new Map();

/** Calls a function in a context of its own, which is a copy of the current one. */
function callApart<Argument, Result>(call: (argument: Argument) => Result, argument: Argument): Result {
  return createContext().runInAsyncScope(call, undefined, argument);
}

let sharing: boolean | undefined;

/**
 * Whether `enterWith` in one scope of a resource is seen in its next one. It is before Node 24, where stores hang
 * on the resource, so each call then needs a resource of its own.
 */
function sharesOneStore(): boolean {
  if (sharing !== undefined) return sharing;
  const probe = new AsyncLocalStorage<boolean>();
  const resource = createContext();
  resource.runInAsyncScope(() => probe.enterWith(true));
  sharing = resource.runInAsyncScope(() => probe.getStore()) === true;
  probe.disable();
  return sharing;
}

function createContext(): AsyncResource {
  // No destroy hook: the context lives exactly as long as the run.
  return new AsyncResource('TaskmasterRun', { requireManualDestroy: true });
}
