/**
 * Keeps values that are too large for a log beside it, under the mark of their content.
 *
 * Owns: nothing but the access to the store. Who may call it: the persistence manager, and whoever it gives this to.
 *
 * BB1  The same value of a run is kept once, however often it is saved.
 * BB2  What comes back is what was saved, or an error: its content is checked against its mark.
 * BB3  A blob is durable before anything refers to it; one that nothing refers to is forgotten with its stream.
 */
import { createHash } from 'node:crypto';
import { CodecRefusal, decodeValue, encodeValue } from '../../base/codec.ts';
import { Reference } from '../../base/reference.ts';
import type { RunEvent } from '../../machine/events.ts';
import { invalidOption, reading } from '../../model/checks.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import type { EventStore } from '../../ports/event-store.ts';
import type { StoreAccess } from './persistence-context.ts';

const REFERENCE = 'a Reference, as it stands in the place of a large output';

type BlobStore = Required<Pick<EventStore, 'saveBlob' | 'loadBlob'>>;

export class Blobs {
  readonly #access: StoreAccess;

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  /** Whether it is worth it to keep blobs: the store can, and does not keep the values themselves. */
  get areKept(): boolean {
    return this.#canKeep && this.#access.store.capabilities.keepsValues !== true;
  }

  get #canKeep(): boolean {
    const { saveBlob, loadBlob } = this.#access.store;
    return saveBlob !== undefined && loadBlob !== undefined;
  }

  /**
   * Keeps a value that the guard has let pass.
   * @returns what stands for it, once it is durable
   * @throws OrchestratorError `LIMIT_EXCEEDED`, and what the store throws
   */
  async save(runId: string, value: unknown): Promise<Reference> {
    const bytes = Buffer.from(encoded(value, runId), 'utf8');
    const reference = new Reference(markOf(bytes), bytes.length);
    await this.#write(runId, reference, bytes);
    return reference;
  }

  /**
   * The value that a reference of a run stands for.
   * @throws OrchestratorError `STORE_CORRUPT` when it is missing or is not what was saved, `RUN_NOT_FOUND` when the run
   *   was removed, and what the store throws
   */
  async load(runId: string, reference: Reference): Promise<unknown> {
    const bytes = await this.#read(runId, reference);
    try {
      return decodeValue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    } catch (error) {
      throw damaged(runId, reference, 'it cannot be decoded', error);
    }
  }

  /** The same for a reference that the host gives. @throws OrchestratorError `OPTION_INVALID`, and as `load` */
  async loadChecked(runId: unknown, reference: unknown): Promise<unknown> {
    if (typeof runId !== 'string') throw invalidOption('loadOutput/runId', runId, 'the id of a run');
    const isReference = reading('loadOutput/reference', REFERENCE, () => Reference.is(reference));
    if (!isReference) throw invalidOption('loadOutput/reference', reference, REFERENCE);
    return this.load(runId, reference as Reference);
  }

  /**
   * Keeps for one run what events of another one refer to, so that each can be removed without the other.
   * @param onCopy - called before each
   */
  async copy(
    fromRunId: string,
    toRunId: string,
    events: readonly RunEvent[],
    onCopy: () => void,
  ): Promise<void> {
    const copied = new Set<string>();
    for (const event of events) {
      if (event.type !== 'TaskCompleted' || !Reference.is(event.output)) continue;
      if (copied.has(event.output.id)) continue;
      copied.add(event.output.id);
      const bytes = await this.#read(fromRunId, event.output);
      onCopy();
      await this.#write(toRunId, event.output, bytes);
    }
  }

  async #read(runId: string, reference: Reference): Promise<Uint8Array> {
    const { store, streamOf } = this.#access;
    if (!this.#canKeep) throw damaged(runId, reference, 'this store keeps no blobs');
    const bytes = await (store as EventStore & BlobStore).loadBlob(streamOf(runId), reference.id);
    if (bytes === undefined) throw await this.#missing(runId, reference);
    if (markOf(bytes) !== reference.id) throw damaged(runId, reference, 'it does not have its mark');
    return bytes;
  }

  /** Why there is nothing: the run was removed, or what it has lost. */
  async #missing(runId: string, reference: Reference): Promise<OrchestratorError> {
    const [first] = await this.#access.readPage(runId, 1, 1);
    if (first !== undefined) return damaged(runId, reference, 'it is not there');
    const message = `run ${JSON.stringify(runId)} was removed from the store, and its large outputs with it`;
    return new OrchestratorError('RUN_NOT_FOUND', message, { details: { runId } });
  }

  async #write(runId: string, { id }: Reference, bytes: Uint8Array): Promise<void> {
    const { store, streamOf, epoch, checkOpen } = this.#access;
    checkOpen();
    await (store as EventStore & BlobStore).saveBlob({ stream: streamOf(runId), id, bytes }, epoch());
  }
}

function encoded(value: unknown, runId: string): string {
  try {
    return encodeValue(value);
  } catch (error) {
    if (!(error instanceof CodecRefusal)) throw error;
    throw refuse(
      'LIMIT_EXCEEDED',
      { at: `an output of run ${runId}`, found: error.found, allowed: 'less in one value' },
      { cause: error },
    );
  }
}

function markOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function damaged(runId: string, { id }: Reference, why: string, cause?: unknown): OrchestratorError {
  return new OrchestratorError('STORE_CORRUPT', `run ${runId}: the large output ${id}: ${why}`, {
    cause,
    details: { runId, blob: id },
  });
}
