/**
 * What the processes have said before they died, compared with what the store has afterwards.
 *
 * Owns: what was acknowledged. Who may call it: the soak.
 *
 * SE1  What was acknowledged is there as it was acknowledged, after each restart and at the end.
 * SE2  A task whose result was acknowledged in one process does not begin in a later one.
 * SE3  A key gives the run that it gave before.
 * SE4  At the end every run has ended.
 * SE5  Only a run that was to be pruned may be gone: one that has ended as long ago as runs are kept.
 */
import { digestOfTasks } from './digest.ts';
import type { Line, Question } from './protocol.ts';

type Of<Type extends Line['type']> = Extract<Line, { readonly type: Type }>;

type Tasks = ReadonlyMap<string, { readonly digest: string; readonly process: number }>;

interface Ended {
  readonly status: string;
  readonly digest: string;
  /** When that was heard, in milliseconds; before all time if only the store told it: its process died before it could. */
  readonly at: number;
  isThere: boolean;
}

/** What a process is asked to look up: of the process before, and of all others. */
const ASKED = { recent: 1_000, older: 300, keys: 50 } as const;
const ENDINGS: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);
const TOLD_MAX = 20;
/** What a process says is heard later than it was true, on a machine that is busy. */
const SLACK_MS = 10_000;
const KEY_OF_A_START = /^\d+-\d+-\w+$/u;

export class Evidence {
  readonly #random: () => number;
  /** Of runs that have not ended, by run and path. */
  readonly #tasks = new Map<string, Map<string, { readonly digest: string; readonly process: number }>>();
  readonly #ended = new Map<string, Ended>();
  readonly #keys = new Map<string, string>();
  /** What was acknowledged before the process that looks it up: it goes on while its answers are on their way. */
  #asked = new Map<string, { readonly ended: Ended | undefined; readonly tasks: Tasks }>();
  #recent: string[] = [];
  #recentKeys: string[] = [];
  readonly #now: () => number;
  #keepMs: number | undefined;
  #isLast = false;
  /** What is wrong; of very many only the first are told. */
  readonly violations: string[] = [];
  count = 0;
  /** Results of tasks that were acknowledged. */
  acknowledged = 0;
  /** Runs that were looked up and found to be as acknowledged. */
  verified = 0;
  pruned = 0;

  constructor(random: () => number, now: () => number = () => performance.now()) {
    this.#random = random;
    this.#now = now;
  }

  /** Runs that have ended. */
  get ended(): number {
    return this.#ended.size;
  }

  /** How many ended runs the store has to keep by now. */
  get kept(): number {
    return [...this.#ended.values()].filter((one) => !this.#mayBeGone(one)).length;
  }

  hear(line: Line, process: number): void {
    if (line.type === 'task') this.#hearTask(line, process);
    else if (line.type === 'again') for (const path of line.paths) this.#tasks.get(line.run)?.delete(path);
    else if (line.type === 'end') this.#hearEnd(line);
    else if (line.type === 'key') this.#hearKey(line);
    else if (line.type === 'state') this.#compare(line);
    else if (line.type === 'last') this.#isLast = true;
    else if (line.type === 'prunes') this.#keepMs = line.keepMs;
    else if (line.type === 'fault') this.#wrong(`process ${process}: ${line.what}`);
    else if (line.type === 'begin') {
      const known = this.#tasks.get(line.run)?.get(line.path);
      if (known !== undefined && known.process < process)
        this.#wrong(
          `${line.run} ${line.path} begins in process ${process}, its result was acknowledged in ${known.process}`,
        );
    }
  }

  /** What the next process is to look up; what is remembered as recent begins anew. */
  ask(): Question {
    const older = [...this.#ended.keys()].filter(() => this.#random() < ASKED.older / (this.ended + 1));
    const keys = this.#recentKeys.slice(-ASKED.keys).map((key) => ({ key, run: this.#keys.get(key) ?? '' }));
    const runs = new Set([...this.#tasks.keys(), ...this.#recent.slice(-ASKED.recent), ...older]);
    this.#asked = new Map(
      [...runs].map((run) => [run, { ended: this.#ended.get(run), tasks: new Map(this.#tasks.get(run)) }]),
    );
    [this.#recent, this.#recentKeys] = [[], []];
    return { runs: [...runs], keys };
  }

  /** All states have been told: what was acknowledged is among them. */
  finish(): void {
    for (const [run, ended] of this.#ended) if (!ended.isThere) this.#missing(run, ended);
    for (const run of this.#tasks.keys()) this.#wrong(`run ${run} was begun; nothing is there at the end`);
  }

  /** Something is wrong that no line tells of. */
  blame(message: string): void {
    this.#wrong(message);
  }

  #hearTask({ run, path, digest }: Of<'task'>, process: number): void {
    if (this.#ended.has(run)) return;
    this.acknowledged++;
    const tasks = this.#tasks.get(run) ?? new Map();
    this.#tasks.set(run, tasks.set(path, { digest, process }));
  }

  #hearEnd({ run, status, digest }: Omit<Of<'end'>, 'type'>, at = this.#now()): void {
    const known = this.#ended.get(run);
    if (known !== undefined && (known.status !== status || known.digest !== digest))
      this.#wrong(`run ${run} was told of as ${known.status}, then as ${status}, with other outputs`);
    if (known === undefined) this.#ended.set(run, { status, digest, at, isThere: false });
    this.#tasks.delete(run);
    this.#recent.push(run);
  }

  #hearKey({ run, key }: Of<'key'>): void {
    const known = this.#keys.get(key);
    if (known !== undefined && known !== run && !this.#mayBeGone(this.#ended.get(known)))
      this.#wrong(`${key} is the key of ${known} and ${run}`);
    this.#keys.set(key, run);
    if (known === undefined && KEY_OF_A_START.test(key)) this.#recentKeys.push(key);
  }

  #compare({ run, status, tasks }: Of<'state'>): void {
    const now = { ended: this.#ended.get(run), tasks: this.#tasks.get(run) ?? new Map() };
    const { ended, tasks: acknowledged } = (this.#isLast ? undefined : this.#asked.get(run)) ?? now;
    if (status === undefined) {
      if (ended !== undefined) this.#missing(run, ended);
      else this.#wrong(`run ${run} is not in the store, and results of it were acknowledged`);
      return;
    }
    this.verified++;
    if (this.#isLast && !ENDINGS.has(status)) this.#wrong(`run ${run} never ends: it is ${status}`);
    if (ended !== undefined) {
      ended.isThere ||= this.#isLast;
      if (ended.status !== status || ended.digest !== digestOfTasks(tasks))
        this.#wrong(`run ${run} was ${ended.status}, it is ${status}, ${JSON.stringify(tasks)}`);
      return;
    }
    for (const [path, { digest }] of acknowledged)
      if (tasks[path] !== digest)
        this.#wrong(`${run} ${path} was acknowledged as ${digest}; there is ${tasks[path]}`);
    if (this.#isLast) this.#tasks.delete(run);
    // Its process died when its end was in the store, and had not told it.
    else if (ENDINGS.has(status))
      this.#hearEnd({ run, status, digest: digestOfTasks(tasks) }, Number.NEGATIVE_INFINITY);
  }

  #mayBeGone(ended: Ended | undefined): boolean {
    if (ended === undefined || this.#keepMs === undefined) return false;
    return this.#now() - ended.at > this.#keepMs - SLACK_MS;
  }

  #missing(run: string, ended: Ended): void {
    if (this.#mayBeGone(ended)) this.pruned++;
    else this.#wrong(`run ${run} was acknowledged as ${ended.status}; it is not in the store`);
  }

  #wrong(message: string): void {
    this.count++;
    if (this.violations.length < TOLD_MAX) this.violations.push(message);
  }
}
