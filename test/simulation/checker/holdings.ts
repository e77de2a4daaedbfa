/**
 * Who holds what while bodies are at work: locks, resources, slots of agents, places under limits. A body holds from its
 * start to its end, or until the log says that its attempt is over. I25, I26, I28.
 *
 * Owns: these sums, of each process apart: what one has given out, another one that has replaced it knows nothing of.
 */

import { EPOCH_MS } from '../epoch.ts';
import type { HostRow, NestedRow, StartRow } from '../rows.ts';
import type { Scenario, TaskSpec, WorkflowSpec } from '../scenario.ts';
import type { Judge } from './judge.ts';

type Mode = 'exclusive' | 'shared';

interface Holder {
  readonly process: number;
  /** What gives it back. */
  readonly by: string;
  readonly locks: readonly { readonly name: string; readonly mode: Mode }[];
  /** Amounts by what they are of. */
  readonly amounts: ReadonlyMap<string, number>;
}

/** Something is held twice, unless the holder before had been given up on by then: the log says so a moment later. */
interface Suspicion {
  readonly process: number;
  readonly by: readonly string[];
  readonly t: number;
  readonly row: number;
  readonly invariant: string;
  readonly message: string;
}

export class Holdings {
  readonly #judge: Judge;
  readonly #isSteady: boolean;
  #suspicions: Suspicion[] = [];
  /** Processes whose store has failed, or that have lost it. */
  readonly #troubled = new Set<number>();
  readonly #limits = new Map<string, number>();
  readonly #tokens = new Map<string, number>();
  #holders: Holder[] = [];

  constructor(scenario: Scenario, judge: Judge) {
    this.#judge = judge;
    this.#isSteady = !scenario.faults.some(({ type }) => type === 'skew');
    const { resources, agents, concurrency } = scenario.options;
    for (const [name, capacity] of Object.entries(resources)) this.#limits.set(`resource ${name}`, capacity);
    // A capacity that is cut while something is in use stays overdrawn: the largest one is never exceeded.
    for (const { deed } of scenario.actions) {
      if (deed.type !== 'capacity') continue;
      const key = `resource ${deed.resource}`;
      this.#limits.set(key, Math.max(this.#limits.get(key) ?? 0, deed.capacity));
    }
    for (const [name, slots] of Object.entries(agents)) this.#limits.set(`agent ${name}`, slots);
    if (concurrency !== undefined) this.#limits.set('tasks at once', concurrency);
    for (const { name, concurrency: limit } of scenario.workflows)
      if (limit !== undefined) this.#limits.set(`workflow ${name}`, limit);
  }

  start(row: StartRow, workflow: WorkflowSpec, spec: TaskSpec): void {
    const { process, run, path, attempt, tokens } = row;
    const amounts = new Map<string, number>([
      ['tasks at once', 1],
      [`workflow ${workflow.name}`, 1],
    ]);
    for (const [name, amount] of Object.entries(spec.resources ?? {}))
      amounts.set(`resource ${name}`, amount);
    if (spec.agent !== undefined) amounts.set(`agent ${spec.agent}`, 1);
    for (const { name, mode } of spec.locks ?? [])
      if (mode === 'exclusive') this.#judgeToken(name, tokens[name]);
    this.#take({ process, by: `${run} ${path} ${attempt}`, locks: spec.locks ?? [], amounts }, row.t);
  }

  end(process: number, run: string, path: string, attempt: number): void {
    this.#give(process, `${run} ${path} ${attempt}`);
  }

  /** The log says that an attempt was over at that time, which is a moment before that became durable. */
  over(process: number, by: string, at: number): void {
    this.#give(process, by);
    const isCleared = (one: Suspicion): boolean =>
      one.process === process &&
      one.by.some((holder) => isOf(holder, by)) &&
      (!this.#isSteady || this.#troubled.has(process) || at - EPOCH_MS <= one.t);
    this.#suspicions = this.#suspicions.filter((one) => !isCleared(one));
  }

  /** A process has given up on a run, at this moment: what its bodies held is free, whatever they still do. */
  lost(process: number, run: string, t: number): void {
    const isOfRun = (by: string): boolean => by.startsWith(`${run} `);
    this.#holders = this.#holders.filter((one) => one.process !== process || !isOfRun(one.by));
    this.#suspicions = this.#suspicions.filter(
      (one) => one.process !== process || one.t !== t || !one.by.some(isOfRun),
    );
  }

  /** What it has decided may be written later than it was decided first: an end of an attempt says a later time then. */
  trouble(process: number): void {
    this.#troubled.add(process);
  }

  /** What was not explained by then is wrong. */
  finish(): void {
    for (const { row, invariant, message } of this.#suspicions) {
      this.#judge.row = row;
      this.#judge.wrong(invariant, message);
    }
  }

  lock({ process, run, path, attempt, name, mode, t }: NestedRow): void {
    const by = `${run} ${path} ${attempt} with ${name}`;
    this.#take({ process, by, locks: [{ name, mode }], amounts: new Map() }, t);
  }

  unlock({ process, run, path, attempt, name }: NestedRow): void {
    this.#give(process, `${run} ${path} ${attempt} with ${name}`);
  }

  host({ kind, process, id, lock, resource, t }: HostRow): void {
    if (kind === 'host_releases') {
      this.#give(process, `host ${id}`);
      return;
    }
    const amounts = new Map(resource === undefined ? [] : [[`resource ${resource.name}`, resource.amount]]);
    this.#take({ process, by: `host ${id}`, locks: lock === undefined ? [] : [lock], amounts }, t);
  }

  die(process: number): void {
    this.#holders = this.#holders.filter((holder) => holder.process !== process);
    // What it had decided and not written, nobody will know.
    this.#suspicions = this.#suspicions.filter((one) => one.process !== process);
  }

  /** An exclusive lock is never given under a lower token than before, by whatever process. */
  #judgeToken(name: string, token: number | undefined): void {
    const last = this.#tokens.get(name) ?? 0;
    const isFresh = token !== undefined && token > last;
    this.#judge.must(isFresh, 'I26', () => `the lock ${name} is given with token ${token} after ${last}`);
    this.#tokens.set(name, Math.max(last, token ?? 0));
  }

  /** Everything of a holder comes back: of an attempt, also the locks that it took while it ran. */
  #give(process: number, by: string): void {
    this.#holders = this.#holders.filter((holder) => holder.process !== process || !isOf(holder.by, by));
  }

  #take(taken: Holder, t: number): void {
    const others = this.#holders.filter(({ process }) => process === taken.process);
    const suspect = (invariant: string, by: readonly string[], message: string): void => {
      this.#suspicions.push({ process: taken.process, by, t, row: this.#judge.row, invariant, message });
    };
    for (const { name, mode } of taken.locks) {
      for (const { by, locks } of others) {
        const isInTheWay = locks.some(
          (one) => one.name === name && (one.mode === 'exclusive' || mode === 'exclusive'),
        );
        if (isInTheWay) suspect('I25', [by], `${taken.by} holds ${name} beside ${by}`);
      }
    }
    this.#holders.push(taken);
    for (const [of, amount] of taken.amounts) {
      const limit = this.#limits.get(of);
      if (limit === undefined) continue;
      const holders = others.filter(({ amounts }) => amounts.has(of));
      const used = holders.reduce((sum, { amounts }) => sum + (amounts.get(of) ?? 0), amount);
      const by = holders.map((holder) => holder.by);
      if (used > limit)
        suspect('I28', by, `${used} of ${of} in use by ${[taken.by, ...by].join(', ')}; allowed: ${limit}`);
    }
  }
}

function isOf(holder: string, by: string): boolean {
  return holder === by || holder.startsWith(`${by} with `);
}
