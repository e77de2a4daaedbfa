/**
 * The campaign of deaths: a real process works on a real store and is killed, again and again, at chosen places of its own
 * code, and started again; then all that it had been told is compared with what is there.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Evidence } from './evidence.ts';
import { type LedgerLine, type Line, type Orders, type Phase, phasesOf, type StoreKind } from './protocol.ts';

const USAGE = `npm run campaign:kill -- [options]

  --kills N         deaths of each store while it works (default 1000)
  --recovery N      deaths of each store while it opens and recovers (default 300)
  --store KIND      file or sqlite (default: both, side by side)
  --durability D    os or power (default power)
  --keep            keeps the folders, also when nothing is wrong
  --help`;

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** A process that does not come to the place where it is to die is killed then, and counts as killed at any time. */
const LIFE_MS_MAX = 1_500;
/** The store is brought to its end and judged after so many deaths, so that it does not only grow. */
const DEATHS_OF_A_STORE = 100;
const FINISH_MS_MAX = 120_000;

interface Life {
  readonly lines: readonly Line[];
  readonly errors: string;
  readonly signal: string | null;
  readonly code: number | null;
}

function live(orders: Orders, limitMs: number): Promise<Life> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [CHILD, JSON.stringify(orders)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, errors] = ['', ''];
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      errors = (errors + data.toString()).slice(-2_000);
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      // What a death has cut off in the middle of a line was not said.
      const whole = out.split('\n').slice(0, -1);
      resolve({ lines: whole.map((line) => JSON.parse(line) as Line), errors, signal, code });
    });
  });
}

/** The last entry of a line: a death in the middle of a write leaves half of one before it. */
function parseLast(line: string): LedgerLine {
  return JSON.parse(line.slice(line.lastIndexOf('{"what"'))) as LedgerLine;
}

interface Tally {
  readonly deaths: Map<Phase | 'any time', number>;
  readonly notices: Map<string, number>;
  acknowledged: number;
  violations: number;
}

/** A number that follows from two others, spread over a range. */
function spread(a: number, b: number, most: number): number {
  return 1 + ((Math.imul(a * 31 + b, 0x9e3779b1) >>> 8) % most);
}

/** How many places of a phase are tried one after the other. */
const PLACES: Readonly<Record<Phase, number>> = {
  opening: 24,
  append: 60,
  sync: 60,
  checkpoint: 20,
  compaction: 24,
  index: 16,
};

/** One store, from its making to its end. */
class Story {
  readonly #kind: StoreKind;
  readonly #durability: 'os' | 'power';
  readonly #tally: Tally;
  readonly #evidence = new Evidence();
  readonly #ledger: LedgerLine[] = [];
  #process = 0;

  constructor(kind: StoreKind, durability: 'os' | 'power', tally: Tally) {
    this.#kind = kind;
    this.#durability = durability;
    this.#tally = tally;
  }

  async run(phases: readonly Phase[], isKept: boolean): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'campaign-kill-'));
    for (const phase of phases) await this.#die(folder, phase);
    await this.#finish(folder);
    const { violations, acknowledged } = this.#evidence;
    this.#tally.acknowledged += acknowledged;
    this.#tally.violations += violations.length;
    for (const violation of violations) console.log(`  VIOLATION (${this.#kind}, ${folder}): ${violation}`);
    if (violations.length === 0 && !isKept) await rm(folder, { recursive: true, force: true });
  }

  async #die(folder: string, phase: Phase): Promise<void> {
    const number = ++this.#process;
    const nth = spread(number, this.#tally.acknowledged + phase.length, PLACES[phase]);
    const kill = { phase, nth, isAfter: number % 2 === 0 };
    const orders: Orders = { kind: this.#kind, durability: this.#durability, folder, process: number, kill };
    const { lines, errors, signal, code } = await live(orders, LIFE_MS_MAX);
    this.#hear(lines, number);
    if (signal !== 'SIGKILL')
      this.#evidence.violations.push(`process ${number} ends with ${code}: ${errors}`);
    const last = lines.findLast((line) => line.type === 'dies');
    const at = last?.type === 'dies' ? last.phase : 'any time';
    this.#tally.deaths.set(at, (this.#tally.deaths.get(at) ?? 0) + 1);
  }

  async #finish(folder: string): Promise<void> {
    const number = ++this.#process;
    const orders: Orders = { kind: this.#kind, durability: this.#durability, folder, process: number };
    const { lines, errors, code } = await live(orders, FINISH_MS_MAX);
    this.#hear(lines, number);
    if (code !== 0) this.#evidence.violations.push(`the last process ends with ${code}: ${errors}`);
    const states = lines.filter((line) => line.type === 'state');
    const path = join(folder, 'ledger');
    const text = existsSync(path) ? await readFile(path, 'utf8') : '';
    for (const line of text.split('\n').slice(0, -1)) this.#ledger.push(parseLast(line));
    this.#evidence.judge(states, this.#ledger);
  }

  #hear(lines: readonly Line[], number: number): void {
    for (const line of lines) {
      if (line.type === 'notice')
        this.#tally.notices.set(line.what, (this.#tally.notices.get(line.what) ?? 0) + 1);
      else this.#evidence.hear(line, number);
    }
  }
}

async function killStore(
  kind: StoreKind,
  options: { kills: number; recovery: number; durability: 'os' | 'power'; isKept: boolean },
): Promise<boolean> {
  const started = performance.now();
  const tally: Tally = { deaths: new Map(), notices: new Map(), acknowledged: 0, violations: 0 };
  const working = phasesOf(kind).filter((phase) => phase !== 'opening');
  const phases: Phase[] = [];
  for (let i = 0; i < options.kills; i++) phases.push(working[i % working.length] as Phase);
  // Deaths while it opens come between the others, several in a row now and then.
  for (let i = 0; i < options.recovery; i++)
    phases.splice(Math.floor(((i - (i % 3)) * phases.length) / Math.max(1, options.recovery)), 0, 'opening');
  for (let from = 0; from < phases.length; from += DEATHS_OF_A_STORE)
    await new Story(kind, options.durability, tally).run(
      phases.slice(from, from + DEATHS_OF_A_STORE),
      options.isKept,
    );
  const missing = phasesOf(kind).filter(
    (phase) => phases.includes(phase) && (tally.deaths.get(phase) ?? 0) === 0,
  );
  const counts = [...tally.deaths].map(([phase, count]) => `${count} ${phase}`).join(', ');
  const notices = [...tally.notices].map(([what, count]) => `${count} ${what}`).join(', ');
  console.log(
    `${kind} (${options.durability}): ${phases.length} deaths (${counts}); ${tally.acknowledged} acknowledged results; told: ${notices === '' ? 'nothing' : notices}; ${((performance.now() - started) / 1_000).toFixed(0)} s; ${tally.violations} violations`,
  );
  if (missing.length > 0) console.log(`  never died at: ${missing.join(', ')}`);
  return tally.violations === 0 && missing.length === 0;
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw new Error(`--${name}: found ${text}; allowed: an integer from 0`);
  return value;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '1000' },
      recovery: { type: 'string', default: '300' },
      store: { type: 'string', default: 'both' },
      durability: { type: 'string', default: 'power' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return true;
  }
  const { store, durability } = values;
  if (!['file', 'sqlite', 'both'].includes(store))
    throw new Error(`--store: found ${store}; allowed: file, sqlite`);
  if (durability !== 'os' && durability !== 'power')
    throw new Error(`--durability: found ${durability}; allowed: os, power`);
  const kinds: readonly StoreKind[] = store === 'both' ? ['file', 'sqlite'] : [store as StoreKind];
  const [kills, recovery] = [count('kills', values.kills), count('recovery', values.recovery)];
  console.log(`Node ${process.version}`);
  const options = { kills, recovery, durability, isKept: values.keep } as const;
  return (await Promise.all(kinds.map((kind) => killStore(kind, options)))).every(Boolean);
}

process.exitCode = (await main()) ? 0 : 1;
