/**
 * What the processes have said before they died, what handlers have written into the ledger, and what the store has at
 * the end: compared.
 *
 * Owns: what was acknowledged. Who may call it: the campaign.
 *
 * EV1  What was acknowledged is there, as it was acknowledged.
 * EV2  A task whose result was acknowledged in one process does not begin in a later one.
 * EV3  A result that is there was returned by a body.
 */
import { isDeepStrictEqual } from 'node:util';
import type { LedgerLine, Line } from './protocol.ts';

type State = Extract<Line, { readonly type: 'state' }>;

/** What a listener is told of the output of a task. */
function toldOf({ output, large }: State['tasks'][number]): unknown {
  return large === undefined ? output : { large };
}

export class Evidence {
  /** By run and path: the output, and the process that was told of it. */
  readonly #tasks = new Map<string, { readonly output: unknown; readonly process: number }>();
  readonly #runs = new Map<string, string>();
  readonly #keys = new Map<string, string>();
  readonly violations: string[] = [];

  /** How many results were acknowledged. */
  get acknowledged(): number {
    return this.#tasks.size;
  }

  hear(line: Line, process: number): void {
    if (line.type === 'task') {
      const name = `${line.run} ${line.path}`;
      const known = this.#tasks.get(name);
      if (known === undefined) this.#tasks.set(name, { output: line.output, process });
      else this.#must(isDeepStrictEqual(known.output, line.output), `${name} was told of twice, differently`);
    }
    if (line.type === 'run') this.#runs.set(line.run, line.status);
    if (line.type === 'key') {
      const known = this.#keys.get(line.key);
      this.#must(
        known === undefined || known === line.run,
        `${line.key} is the key of ${known} and ${line.run}`,
      );
      this.#keys.set(line.key, line.run);
    }
  }

  /** Compares all that was said with what is there. */
  judge(states: readonly State[], ledger: readonly LedgerLine[]): void {
    const byRun = new Map(states.map((state) => [state.run, state]));
    const tasks = new Map<string, State['tasks'][number]>(
      states.flatMap(({ run, tasks: of }) => of.map((task) => [`${run} ${task.path}`, task] as const)),
    );
    for (const [name, { output }] of this.#tasks) {
      const task = tasks.get(name);
      this.#must(
        task?.status === 'completed' && isDeepStrictEqual(toldOf(task), output),
        `${name} was acknowledged as ${JSON.stringify(output)}; there is ${JSON.stringify(task)}`,
      );
    }
    for (const [run, status] of this.#runs)
      this.#must(
        byRun.get(run)?.status === status,
        `run ${run} was ${status}, it is ${byRun.get(run)?.status}`,
      );
    for (const [key, run] of this.#keys)
      this.#must(
        byRun.get(run)?.key === key,
        `run ${run} was started under ${key}, it has ${byRun.get(run)?.key}`,
      );
    for (const { run, status } of states) this.#must(status === 'completed', `run ${run} ends as ${status}`);
    this.#judgeLedger(tasks, ledger);
  }

  #judgeLedger(tasks: ReadonlyMap<string, State['tasks'][number]>, ledger: readonly LedgerLine[]): void {
    const returned = new Map<string, unknown[]>();
    for (const { what, run, path, process, output } of ledger) {
      const name = `${run} ${path}`;
      if (what === 'end') returned.set(name, [...(returned.get(name) ?? []), output]);
      const acknowledged = this.#tasks.get(name);
      this.#must(
        what === 'end' || acknowledged === undefined || process <= acknowledged.process,
        `${name} begins in process ${process}, although its result was acknowledged in ${acknowledged?.process}`,
      );
    }
    for (const [name, { status, output }] of tasks)
      this.#must(
        status !== 'completed' || (returned.get(name) ?? []).some((one) => isDeepStrictEqual(one, output)),
        `${name} has completed with ${JSON.stringify(output)}, which no body has returned`,
      );
  }

  #must(isTrue: boolean, message: string): void {
    if (!isTrue && this.violations.length < 20) this.violations.push(message);
  }
}
