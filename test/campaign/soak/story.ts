/** One store and the processes that work on it, one after the other, from its making to its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../support/seeded-random.ts';
import { Evidence } from './evidence.ts';
import type { Line, Orders, Plant, StoreKind } from './protocol.ts';
import type { Measured } from './verdict.ts';

export interface StoryOptions {
  readonly kind: StoreKind;
  readonly minutes: number;
  readonly runsPerSecond: number;
  readonly seed: number;
  readonly keepMs: number;
  readonly isKept: boolean;
  readonly plant: Plant | undefined;
  readonly scenes: readonly string[];
}

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** A process lives for 20 to 60 s, and in a short soak for less, so that there are several. */
const LIFE_MS = { min: 20_000, max: 60_000 } as const;
/** The last process is not killed before its time is over: in a short life nothing can be told from its warming up. */
const LAST_PART = 2 / 3;
const LAST_MIN_MINUTES = 2.5;
/** Every so many deaths one comes while the store is opened, or is being recovered. */
const EARLY_EVERY = 5;
const EARLY_MS_MAX = 1_500;
/** How long the last process may take to bring all to its end, and to tell the states of all runs. */
const FINISH_MS_MAX = 600_000;
/** What keeps it alive for longer than this, after it has closed, was left open. */
const EXIT_MS_MAX = 10_000;

export class Story {
  readonly #options: StoryOptions;
  readonly #random: () => number;
  readonly #startedAt = performance.now();
  readonly evidence: Evidence;
  readonly measured: Measured[] = [];
  readonly scenes: Record<string, number> = {};
  readonly openMs: number[] = [];
  deaths = 0;
  recovered = 0;
  canPrune = false;
  /** Of the whole store at its end. */
  bytes = 0;
  /** What is open after `close()`. */
  left: Readonly<Record<string, number>> = {};
  #folder = '';
  #process = 0;
  #finishedBefore = 0;
  #finishedHere = 0;
  #isDone = false;

  constructor(options: StoryOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.evidence = new Evidence(this.#random);
  }

  /** Runs that have ended, over all processes. */
  get finished(): number {
    return this.#finishedBefore + this.#finishedHere;
  }

  async run(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), `campaign-soak-${this.#options.kind}-`));
    while (!this.#isDone && this.evidence.count < 1_000) {
      const lifeMs = this.#lifeMs();
      await this.#live(lifeMs);
      if (lifeMs === undefined) break;
    }
    if (!this.#isDone) this.evidence.blame('the last process has not told that all is done');
    this.evidence.finish();
    this.bytes = bytesIn(this.#folder);
    const isWrong = this.evidence.count > 0;
    if (isWrong || this.#options.isKept) console.log(`  the store is kept in ${this.#folder}`);
    else await rm(this.#folder, { recursive: true, force: true });
  }

  get #leftMs(): number {
    return this.#options.minutes * 60_000 - (performance.now() - this.#startedAt);
  }

  /** How long the next process is to live before it is killed; nothing for the last one. */
  #lifeMs(): number | undefined {
    const { kind, minutes } = this.#options;
    const lastMs = minutes * 60_000 * Math.max(LAST_PART, Math.min(2 / 3, LAST_MIN_MINUTES / minutes));
    const [min, max] = [Math.min(LIFE_MS.min, minutes * 3_000), Math.min(LIFE_MS.max, minutes * 8_000)];
    if (kind === 'memory' || this.#leftMs < lastMs + min) return undefined;
    const isEarly = this.deaths % EARLY_EVERY === EARLY_EVERY - 1;
    return isEarly ? this.#random() * EARLY_MS_MAX : min + this.#random() * (max - min);
  }

  #orders(lifeMs: number | undefined): Orders {
    const { kind, runsPerSecond, seed, keepMs, plant, scenes, minutes } = this.#options;
    return {
      ...{ kind, runsPerSecond, seed, keepMs, plant, scenes },
      folder: this.#folder,
      process: this.#process,
      sampleMs: Math.min(5_000, Math.max(500, minutes * 300)),
      stuckMs: Math.min(60_000, Math.max(10_000, minutes * 15_000)),
      endAfterMs: lifeMs === undefined ? Math.max(1_000, this.#leftMs) : undefined,
    };
  }

  #live(lifeMs: number | undefined): Promise<void> {
    this.#process++;
    const number = this.#process;
    const orders = this.#orders(lifeMs);
    writeFileSync(join(this.#folder, `question-${number}.json`), JSON.stringify(this.evidence.ask()));
    return new Promise((resolve) => {
      const child = spawn(process.execPath, ['--expose-gc', CHILD, JSON.stringify(orders)], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [rest, errors] = ['', ''];
      let exiting: ReturnType<typeof setTimeout> | undefined;
      child.stdout.setEncoding('utf8').on('data', (data: string) => {
        // What a death has cut off in the middle of a line was not said.
        const lines = (rest + data).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#hear(JSON.parse(line) as Line, number);
        if (this.#isDone) exiting ??= setTimeout(() => child.kill('SIGKILL'), EXIT_MS_MAX);
      });
      child.stderr.on('data', (data: Buffer) => {
        errors = (errors + data.toString()).slice(-2_000);
      });
      const limitMs = lifeMs ?? (orders.endAfterMs ?? 0) + FINISH_MS_MAX;
      const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        clearTimeout(exiting);
        this.#end(child, lifeMs !== undefined, `${signal ?? code}: ${errors}`);
        resolve();
      });
    });
  }

  #end(child: ChildProcess, wasToBeKilled: boolean, how: string): void {
    this.#finishedBefore += this.#finishedHere;
    this.#finishedHere = 0;
    const isAsMeant = wasToBeKilled ? child.signalCode === 'SIGKILL' : child.exitCode === 0;
    const what = this.#isDone ? 'does not end by itself after close()' : `ends with ${how}`;
    if (!isAsMeant) this.evidence.blame(`process ${this.#process} ${what}`);
    if (wasToBeKilled) this.deaths++;
  }

  #hear(line: Line, number: number): void {
    if (line.type === 'open') {
      this.recovered += line.recovered;
      this.openMs.push(line.openMs);
      this.canPrune ||= line.canPrune;
    } else if (line.type === 'sample') {
      this.#finishedHere = line.finished;
      const at = (performance.now() - this.#startedAt) / 1_000;
      const kept = this.#options.kind === 'memory' ? 0 : this.evidence.kept;
      this.measured.push({ ...line, at, process: number, kept });
    } else if (line.type === 'done') {
      this.#isDone = true;
      this.left = line.left;
      for (const [name, count] of Object.entries(line.scenes))
        this.scenes[name] = (this.scenes[name] ?? 0) + count;
    } else this.evidence.hear(line, number);
  }
}

function bytesIn(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const found = statSync(join(folder, entry), { throwIfNoEntry: false });
    if (found?.isFile()) sum += found.size;
  }
  return sum;
}
