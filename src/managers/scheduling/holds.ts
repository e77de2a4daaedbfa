/**
 * Pauses: of everything, of one agent, one workflow or one run.
 *
 * Owns: what is paused, and the tickets that were set aside for it. Who may call it: the task scheduler.
 *
 * HO1  A ticket of a paused workflow or run stands aside, never in the queue; so the queue pays nothing for pauses.
 * HO2  A paused agent is a row of the ledger that gives nothing; nobody is moved for it.
 * HO3  Each ticket that stands aside comes back exactly once: by the resume that leaves nothing that holds it.
 * HO4  What runs goes on.
 * HO5  A resume looks at the tickets that it is about, and at no other that stands aside.
 */
import { describeValue } from '../../base/values.ts';
import { checkKeys, checkRecord, reading } from '../../model/checks.ts';
import { refuse } from '../../model/errors.ts';
import { checkId } from '../../model/ids.ts';
import type { ScheduledRun, Ticket } from './ticket.ts';

/** What is paused or resumed: exactly one of the three. */
export type PauseTarget =
  /** Starts nothing that is assigned to this agent. */
  | { readonly agent: string; readonly workflowId?: undefined; readonly runId?: undefined }
  /** Starts nothing of any run of this workflow, now and later. */
  | { readonly workflowId: string; readonly agent?: undefined; readonly runId?: undefined }
  /** Starts nothing of this run. It is not logged; `run.pause()` outlives the process. */
  | { readonly runId: string; readonly agent?: undefined; readonly workflowId?: undefined };

/** Who holds a task back. */
export interface PausedBy {
  readonly what: 'orchestrator' | 'agent' | 'workflow' | 'run';
  /** The agent, workflow id or run id; empty for the orchestrator. */
  readonly name: string;
  /** Set for a run that was paused by `run.pause()`, which is in its log: only `run.resume()` ends it. */
  readonly isLogged?: true;
}

/** How many workflows and runs can be paused by name at once. */
export const PAUSES_MAX = 100_000;

const KEYS: ReadonlySet<string> = new Set(['agent', 'workflowId', 'runId']);
const ALLOWED = 'one of { agent }, { workflowId }, { runId }';

/** @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `ID_INVALID` */
export function checkTarget(given: unknown, at: string): PausedBy {
  return reading(at, ALLOWED, () => {
    const target = checkRecord(given, at, ALLOWED);
    checkKeys(target, KEYS, at);
    const { agent, workflowId, runId } = target as PauseTarget;
    const named = [agent, workflowId, runId].filter((name) => name !== undefined);
    if (named.length !== 1)
      throw refuse('OPTION_INVALID', { at, found: describeValue(given), allowed: ALLOWED });
    if (agent !== undefined) return { what: 'agent', name: checkId(agent, `${at}/agent`, 'an agent name') };
    if (workflowId !== undefined)
      return { what: 'workflow', name: checkId(workflowId, `${at}/workflowId`, 'a workflow id') };
    return { what: 'run', name: checkId(runId, `${at}/runId`, 'a run id') };
  });
}

export class Holds {
  readonly #workflows = new Set<string>();
  readonly #runs = new Set<string>();
  readonly #aside = new Set<Ticket>();
  /** The same by the run, and by the workflow, that they belong to. */
  readonly #byRun = new Map<string, Set<Ticket>>();
  readonly #byWorkflow = new Map<string, Set<Ticket>>();

  /** Whether no more names can be taken in. */
  get isFull(): boolean {
    return this.#workflows.size + this.#runs.size >= PAUSES_MAX;
  }

  /** Whether a workflow or a run is paused; asked for each ticket that comes. */
  get isActive(): boolean {
    return this.#workflows.size > 0 || this.#runs.size > 0;
  }

  /** How many tickets stand aside. */
  get size(): number {
    return this.#aside.size;
  }

  /** The tickets that stand aside, in the order in which they came. */
  aside(): Iterable<Ticket> {
    return this.#aside;
  }

  has(ticket: Ticket): boolean {
    return this.#aside.has(ticket);
  }

  /** What holds a run back. */
  of(run: ScheduledRun): readonly PausedBy[] {
    const by: PausedBy[] = [];
    const { workflowId } = run.state.plan;
    if (this.#workflows.has(workflowId)) by.push({ what: 'workflow', name: workflowId });
    if (this.#runs.has(run.runId)) by.push({ what: 'run', name: run.runId });
    if (run.isHeld) by.push({ what: 'run', name: run.runId, isLogged: true });
    return by;
  }

  /** Sets a ticket aside if its workflow or run is paused. */
  take(ticket: Ticket): boolean {
    const { run } = ticket;
    if (!this.#workflows.has(run.state.plan.workflowId) && !this.#runs.has(run.runId)) return false;
    this.#aside.add(ticket);
    addTo(this.#byRun, run.runId, ticket);
    addTo(this.#byWorkflow, run.state.plan.workflowId, ticket);
    return true;
  }

  /** Lets a ticket go that is not wanted any more. */
  drop(ticket: Ticket): boolean {
    if (!this.#aside.delete(ticket)) return false;
    const { run } = ticket;
    takeFrom(this.#byRun, run.runId, ticket);
    takeFrom(this.#byWorkflow, run.state.plan.workflowId, ticket);
    return true;
  }

  /** Forgets the pauses of runs that nobody knows any more. */
  sweep(isKnown: (runId: string) => boolean): void {
    for (const runId of this.#runs) if (!isKnown(runId) && !this.#byRun.has(runId)) this.#runs.delete(runId);
  }

  /**
   * @returns whether that is new
   * @throws OrchestratorError `LIMIT_EXCEEDED`
   */
  pause({ what, name }: PausedBy): boolean {
    const names = what === 'workflow' ? this.#workflows : this.#runs;
    if (names.has(name)) return false;
    if (this.isFull)
      throw refuse('LIMIT_EXCEEDED', {
        at: 'pause',
        found: `${this.#workflows.size + this.#runs.size} workflows and runs that are paused by name`,
        allowed: `at most ${PAUSES_MAX}`,
        hint: 'Resume some, or pause the orchestrator.',
      });
    names.add(name);
    return true;
  }

  /** @returns the tickets that nothing holds any more; they stand aside no longer */
  resume({ what, name }: PausedBy): readonly Ticket[] {
    const isWorkflow = what === 'workflow';
    if (!(isWorkflow ? this.#workflows : this.#runs).delete(name)) return [];
    const free: Ticket[] = [];
    for (const ticket of [...((isWorkflow ? this.#byWorkflow : this.#byRun).get(name) ?? [])]) {
      const { run } = ticket;
      if (this.#workflows.has(run.state.plan.workflowId) || this.#runs.has(run.runId)) continue;
      this.drop(ticket);
      free.push(ticket);
    }
    return free;
  }
}

function addTo(index: Map<string, Set<Ticket>>, name: string, ticket: Ticket): void {
  const known = index.get(name);
  if (known === undefined) index.set(name, new Set([ticket]));
  else known.add(ticket);
}

function takeFrom(index: Map<string, Set<Ticket>>, name: string, ticket: Ticket): void {
  const known = index.get(name);
  known?.delete(ticket);
  if (known?.size === 0) index.delete(name);
}
