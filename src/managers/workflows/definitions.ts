/**
 * The numbers that versions of workflows have in a durable store: a definition that comes again, in whatever process
 * and order, has the number under which its runs were started.
 *
 * Owns: the stream `definitions`, and what of it is not durable yet. Who may call it: the workflow manager asks for
 * numbers and adds versions; whoever starts a run waits for what was added.
 *
 * DF1  A number never changes its meaning: under it stands one digest, for ever.
 * DF2  No run is started of a version whose number is not durable.
 * DF3  An append of unknown outcome is looked up before anything is appended again.
 */
import { describeName } from '../../base/values.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { CompiledPlan } from '../../model/plan.ts';
import { versionDigest } from '../../model/version-fields.ts';
import type { EventRecord, LoggedEvent } from '../../ports/event-store.ts';
import type { PersistenceManager } from '../persistence/persistence-manager.ts';

/** The stream in which versions are written down. */
export const DEFINITIONS_STREAM = 'definitions';

const ADDED = 'WorkflowVersionAdded';
const VERSIONS = { [ADDED]: 1 } as const;

/** Late appends in a row that a write goes round. */
const CONFLICTS_MAX = 3;

/** A version was registered for the first time. */
interface WorkflowVersionAdded extends LoggedEvent {
  readonly type: typeof ADDED;
  readonly workflowId: string;
  readonly version: number;
  readonly digest: string;
}

/** What a workflow manager asks about numbers. */
export interface VersionNumbers {
  /** The numbers under which this content is known, ascending. */
  numbersOf(plan: CompiledPlan): readonly number[];
  /** The highest number that was given to a version of a workflow; 0 for none. */
  lastOf(workflowId: string): number;
  /** A version has got a number that was not given before. */
  add(plan: CompiledPlan, version: number): void;
}

/** What is known of one workflow. */
interface Known {
  readonly numbers: Map<string, number[]>;
  last: number;
}

export class Definitions implements VersionNumbers {
  readonly #persistence: Pick<PersistenceManager, 'readStream' | 'appendTo'>;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  /** What is in the store, as far as it was read. */
  #storedSeq = 0;
  /** What is to be written; an event gets its `seq` when it is. */
  #pending: Omit<WorkflowVersionAdded, 'seq'>[] = [];
  #writing: Promise<void> | undefined;
  /** An append has failed, and may have been written all the same. */
  #isUnsure = false;

  constructor(persistence: Pick<PersistenceManager, 'readStream' | 'appendTo'>, now: () => number) {
    this.#persistence = persistence;
    this.#now = now;
  }

  /**
   * Reads what the store knows.
   * @throws OrchestratorError `EVENT_UNKNOWN`, `HISTORY_INVALID`, and what the store throws
   */
  async load(): Promise<void> {
    for (const record of await this.#persistence.readStream(DEFINITIONS_STREAM, this.#storedSeq + 1)) {
      const added = readAdded(record);
      this.#storedSeq = record.seq;
      this.#note(added);
    }
  }

  numbersOf(plan: CompiledPlan): readonly number[] {
    return this.#known.get(plan.workflowId)?.numbers.get(versionDigest(plan)) ?? [];
  }

  lastOf(workflowId: string): number {
    return this.#known.get(workflowId)?.last ?? 0;
  }

  add(plan: CompiledPlan, version: number): void {
    const { workflowId } = plan;
    const digest = versionDigest(plan);
    const added = { type: ADDED, at: this.#now(), workflowId, version, digest } as const;
    this.#note(added);
    this.#pending.push(added);
    // Whoever starts a run hears of a failure; registering alone has lost nothing by it.
    this.whenDurable()?.catch(() => {});
  }

  /**
   * Waits until every number that was given so far is durable; no promise when that is so already.
   * @throws OrchestratorError what the store throws; asking again tries again
   */
  whenDurable(): Promise<void> | undefined {
    if (this.#writing !== undefined) return this.#writing.then(() => this.whenDurable());
    if (this.#pending.length === 0) return undefined;
    return this.#track(this.#isUnsure ? this.#writeAgain(CONFLICTS_MAX) : this.#write());
  }

  /** Looks up what is there before it writes; an append that was given up on may still come in between. */
  async #writeAgain(conflicts: number): Promise<void> {
    await this.#lookUp();
    try {
      await this.#write();
    } catch (error) {
      if (conflicts === 0 || !OrchestratorError.is(error, 'STORE_CONFLICT')) throw error;
      await this.#writeAgain(conflicts - 1);
    }
  }

  #track(writing: Promise<void> | undefined): Promise<void> | undefined {
    if (writing === undefined) return undefined;
    const settle = (): void => {
      this.#writing = undefined;
    };
    this.#writing = writing.finally(settle);
    return this.#writing;
  }

  /** Appends what is pending; more may come meanwhile. */
  #write(): Promise<void> | undefined {
    const group = this.#pending;
    if (group.length === 0) return undefined;
    const events = group.map((added, i) => ({ ...added, seq: this.#storedSeq + 1 + i }));
    let written: Promise<void> | undefined;
    try {
      written = this.#persistence.appendTo(DEFINITIONS_STREAM, events, VERSIONS);
    } catch (error) {
      this.#isUnsure = true;
      return Promise.reject(error);
    }
    this.#pending = [];
    if (written === undefined) {
      this.#storedSeq += group.length;
      return undefined;
    }
    return written.then(
      () => {
        this.#storedSeq += group.length;
        // What has come meanwhile is waited for as well.
        return this.#write();
      },
      (error: unknown) => {
        this.#pending.unshift(...group);
        this.#isUnsure = true;
        throw error;
      },
    );
  }

  /** Takes out of the pending what an append of unknown outcome has written after all. */
  async #lookUp(): Promise<void> {
    const records = await this.#persistence.readStream(DEFINITIONS_STREAM, this.#storedSeq + 1);
    for (const record of records) {
      const { workflowId, version } = readAdded(record);
      this.#storedSeq = record.seq;
      this.#pending = this.#pending.filter(
        (pending) => pending.workflowId !== workflowId || pending.version !== version,
      );
    }
    this.#isUnsure = false;
  }

  #note({ workflowId, version, digest }: Omit<WorkflowVersionAdded, 'seq'>): void {
    let known = this.#known.get(workflowId);
    if (known === undefined) {
      known = { numbers: new Map(), last: 0 };
      this.#known.set(workflowId, known);
    }
    const numbers = known.numbers.get(digest);
    if (numbers === undefined) known.numbers.set(digest, [version]);
    else numbers.push(version);
    known.last = Math.max(known.last, version);
  }
}

function readAdded({ seq, type, schemaVersion, payload }: EventRecord): WorkflowVersionAdded {
  const details = { stream: DEFINITIONS_STREAM, seq, type, schemaVersion };
  if (type !== ADDED || schemaVersion !== VERSIONS[ADDED])
    throw new OrchestratorError(
      'EVENT_UNKNOWN',
      `stream ${DEFINITIONS_STREAM}, event ${seq}: found ${describeName(type)} version ${schemaVersion}; allowed: ${ADDED} version 1. A newer version of this package has written it.`,
      { details },
    );
  const { workflowId, version, digest } = (payload ?? {}) as Partial<WorkflowVersionAdded>;
  if (typeof workflowId === 'string' && typeof digest === 'string' && Number.isSafeInteger(version))
    return payload as WorkflowVersionAdded;
  throw new OrchestratorError(
    'HISTORY_INVALID',
    `stream ${DEFINITIONS_STREAM}, event ${seq}: it names no version of a workflow. The store was damaged, or something else has written to it.`,
    { details },
  );
}
