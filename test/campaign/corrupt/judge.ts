/**
 * Opens the store of a disk and compares what it says with what was acknowledged.
 *
 * Owns: the counts and the violations of one class of damages. Who may call it: the campaign.
 *
 * J1  What was acknowledged is there, or whoever asks for it is refused by a code (`loss` otherwise).
 * J2  Nothing is there that was not written (`invented`).
 * J3  Whatever fails, fails with a coded error (`crash`), and soon (`hang`); damage names file, offset and `seq` (`vague`).
 * J4  What is only a state that a crash leaves is not refused (`refused`), and goes on to be written to (`stuck`).
 */
import { OrchestratorError } from '../../../src/model/errors.ts';
import type { MemoryDisk } from './memory-disk.ts';
import {
  appendMore,
  hasMore,
  isBeside,
  type Known,
  knownAfter,
  OWNER,
  questions,
  STEPS,
  type Store,
} from './story.ts';

/** How a store on a disk is opened. The tests of this judge give others, with faults in them. */
export type OpenStore = (disk: MemoryDisk) => Store;

/** What is expected of a disk. */
export interface Expected {
  /** So many steps were acknowledged; all that they said has to be there. */
  readonly atLeast: number;
  /** So many may have been carried out. */
  readonly atMost: number;
  /** Whether it may be refused, because it was damaged. */
  readonly mayRefuse: boolean;
  /** Whether to look at it without a claim first, and to go on with it afterwards. */
  readonly isThorough: boolean;
  /** Whether blobs of a stream that was removed may be there again: nobody asks the disk about them. */
  readonly mayHaveOldBlobs?: boolean;
}

const HANG_MS = 10_000;
const SHOWN_MAX = 10;
const UNCLAIMED_EACH = 6;

type Answer = { readonly value: string } | { readonly refused: OrchestratorError };

/** A promise that has to settle. */
export async function bounded<Value>(promise: PromiseLike<Value>, ms = HANG_MS): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Hang()), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

class Hang extends Error {}

const known = new Map<number, Known>();
function afterSteps(count: number): Known {
  const found = known.get(count) ?? knownAfter(STEPS, count);
  known.set(count, found);
  return found;
}

export class Judge {
  readonly name: string;
  readonly #open: OpenStore;
  readonly #hangMs: number;
  readonly #counts = new Map<string, number>();
  readonly #shown: string[] = [];
  violations = 0;
  states = 0;

  constructor(name: string, open: OpenStore, hangMs = HANG_MS) {
    this.name = name;
    this.#open = open;
    this.#hangMs = hangMs;
  }

  /** The first violations, for people. */
  get shown(): readonly string[] {
    return this.#shown;
  }

  /** How often each kind of end came about, as text. */
  get counts(): string {
    return [...this.#counts].map(([what, count]) => `${count} ${what}`).join(', ');
  }

  /** Judges a disk; it is written to when the judge goes on with it. */
  async judge(disk: MemoryDisk, expected: Expected, about: string): Promise<void> {
    this.states++;
    // Its owner is this very process, which lives; it has shown no sign of life for long.
    disk.now += 3_600_000;
    if (expected.isThorough) {
      const store = this.#open(disk);
      // Each of these reads the log anew, so only some of them are asked, other ones every time.
      const answers = await this.#observe(store, about, (i) => (i + this.states) % UNCLAIMED_EACH === 0);
      this.#compare(answers, expected, `${about}, unclaimed`);
    }
    const store = this.#open(disk);
    const claim = await this.attempt(() => store.claim(OWNER), about);
    if (claim instanceof OrchestratorError) {
      this.#refused(claim, expected, `${about}, claim`);
      return;
    }
    if (claim === undefined) return;
    const isWhole = this.#compare(await this.#observe(store, about), expected, about);
    if (expected.isThorough && isWhole) await this.#goOn(store, disk, claim.value, expected, about);
    await this.attempt(() => store.release(OWNER) as Promise<void>, `${about}, release`);
  }

  /** Asks for something that may be refused; what is worse is a violation, and gives nothing. */
  async attempt<Value>(
    ask: () => Value | PromiseLike<Value>,
    about: string,
  ): Promise<{ readonly value: Value } | OrchestratorError | undefined> {
    try {
      const asked = (async () => ask())();
      return { value: await bounded(asked, this.#hangMs) };
    } catch (error) {
      if (OrchestratorError.is(error)) return error;
      if (error instanceof Hang) this.violation('hang', about, `nothing within ${this.#hangMs} ms`);
      else this.violation('crash', about, (error as Error)?.stack ?? String(error));
      return undefined;
    }
  }

  violation(kind: string, about: string, what: string): void {
    this.violations++;
    this.count(`VIOLATION ${kind}`);
    if (this.#shown.length < SHOWN_MAX) this.#shown.push(`${kind}: ${about}: ${what}`);
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  async #observe(
    store: Store,
    about: string,
    isAsked: (i: number) => boolean = () => true,
  ): Promise<ReadonlyMap<string, Answer>> {
    const answers = new Map<string, Answer>();
    for (const [i, [name, ask]] of [...questions(store)].entries()) {
      if (!isAsked(i)) continue;
      const answer = await this.attempt(ask, `${about}, ${name}`);
      if (answer instanceof OrchestratorError) answers.set(name, { refused: answer });
      else if (answer !== undefined) answers.set(name, { value: JSON.stringify(answer.value ?? null) });
    }
    return answers;
  }

  /** @returns whether all was answered, and right */
  #compare(answers: ReadonlyMap<string, Answer>, expected: Expected, about: string): boolean {
    const { atLeast, atMost } = expected;
    const candidates: Known[] = [];
    for (let steps = atLeast; steps <= atMost; steps++) candidates.push(afterSteps(steps));
    let isWhole = true;
    for (const [name, answer] of answers)
      if ('refused' in answer) {
        isWhole = false;
        this.#refused(answer.refused, expected, `${about}, ${name}`, false);
      }
    const wrong = candidates.map((candidate) =>
      [...answers].filter(([name, answer]) => {
        if ('refused' in answer) return false;
        if (isBeside(name)) return !isBlobOf(name, answer.value, candidates, expected);
        return answer.value !== candidate.get(name);
      }),
    );
    const best = wrong.reduce((least, one) => (one.length < least.length ? one : least));
    const [first] = best;
    if (first === undefined) {
      this.count(isWhole ? 'whole' : 'refused in part');
      return isWhole;
    }
    const [name, answer] = first as [string, { readonly value: string }];
    const wanted = candidates[wrong.indexOf(best)]?.get(name) ?? '';
    const kind = wasKnown(name, answer.value, atMost) ? 'loss' : 'invented';
    this.violation(kind, `${about}, ${name}`, `${cut(answer.value)} for ${cut(wanted)}`);
    return false;
  }

  #refused(error: OrchestratorError, { mayRefuse }: Expected, about: string, isCounted = true): void {
    if (!mayRefuse) this.violation('refused', about, `${error.code}: ${error.message}`);
    else if (isCounted) this.count(error.code);
    if (error.code !== 'STORE_CORRUPT') return;
    const { file, offset, seq } = (error.details ?? {}) as Record<string, unknown>;
    if (typeof file !== 'string' || typeof offset !== 'number' || typeof seq !== 'number')
      this.violation('vague', about, error.message);
  }

  /** What opens goes on: what it takes now is there when it is opened once more, and everything else still is. */
  async #goOn(
    store: Store,
    disk: MemoryDisk,
    epoch: number,
    expected: Expected,
    about: string,
  ): Promise<void> {
    const more = await this.attempt(() => appendMore(store, epoch, 'later'), `${about}, one more append`);
    if (more instanceof OrchestratorError) this.violation('stuck', about, more.message);
    await this.attempt(() => store.release(OWNER) as Promise<void>, `${about}, release`);
    const again = this.#open(disk);
    const claim = await this.attempt(() => again.claim(OWNER), `${about}, the second claim`);
    if (claim instanceof OrchestratorError) this.violation('stuck', about, claim.message);
    if (claim === undefined || claim instanceof OrchestratorError) return;
    this.#compare(await this.#observe(again, about), expected, `${about}, opened once more`);
    const has = await this.attempt(() => hasMore(again, 'later'), `${about}, the append of before`);
    if (has === undefined || has instanceof OrchestratorError || !has.value)
      this.violation('loss', `${about}, opened once more`, 'the append of before is not there');
    await this.attempt(() => again.release(OWNER) as Promise<void>, `${about}, the second release`);
  }
}

/** Blobs are files of their own: each may be as it was before the step that was under way, or as after it. */
function isBlobOf(name: string, value: string, candidates: readonly Known[], expected: Expected): boolean {
  if (candidates.some((one) => one.get(name) === value)) return true;
  const isGone = candidates.some((one) => one.get(name) === 'null');
  return expected.mayHaveOldBlobs === true && isGone && wasKnown(name, value, expected.atMost);
}

/** Whether a store that had taken no more than so many steps could have said it. */
function wasKnown(name: string, value: string, steps: number): boolean {
  for (let i = 0; i <= steps; i++) if (afterSteps(i).get(name) === value) return true;
  return false;
}

function cut(text: string): string {
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}
