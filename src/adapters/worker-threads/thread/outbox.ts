/**
 * Gathers what a thread has to tell its host.
 *
 * Owns: the messages that were not posted yet. Who may call it: the thread session and its calls.
 *
 * OB1  What is said is posted in its order, at the end of the turn, or at once when the last post was a while ago: code
 *      that keeps the thread busy must not keep back what was said before.
 * OB2  What cannot be posted costs its own call only: bytes may belong to WebAssembly, or be given away twice.
 */
import { OrchestratorError } from '../../../model/errors.ts';
import { packError } from '../error-envelope.ts';
import type { ToHost, Wire } from '../protocol.ts';

/** Messages wait for others at most so long while the thread is kept busy, in milliseconds. */
const GATHER_MS = 1;

export class Outbox {
  readonly #wire: Wire<ToHost, never>;
  #batch: ToHost[] = [];
  #transfer: ArrayBuffer[] = [];
  /** What was to be moved with each message. */
  #movedWith = new Map<ToHost, readonly ArrayBuffer[]>();
  #postedAt = 0;
  #isPlanned = false;

  constructor(wire: Wire<ToHost, never>) {
    this.#wire = wire;
  }

  /** Says something, with the buffers in it that are to be moved. */
  say(message: ToHost, moved?: readonly ArrayBuffer[]): void {
    this.#batch.push(message);
    if (moved !== undefined && moved.length > 0) {
      this.#transfer.push(...moved);
      this.#movedWith.set(
        message,
        moved.filter(({ byteLength }) => byteLength > 0),
      );
    }
    if (performance.now() - this.#postedAt > GATHER_MS) {
      this.flush();
      return;
    }
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.flush();
    });
  }

  /** Posts what was said. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    const transfer = this.#transfer;
    const movedWith = this.#movedWith;
    this.#batch = [];
    if (transfer.length > 0) {
      this.#transfer = [];
      this.#movedWith = new Map();
    }
    this.#postedAt = performance.now();
    try {
      for (const moved of movedWith.values()) checkThere(moved);
      this.#wire.post(batch, transfer);
    } catch {
      for (const message of batch) this.#postAlone(message, movedWith.get(message));
    }
  }

  /** Copies what could not be moved. */
  #postAlone(message: ToHost, moved: readonly ArrayBuffer[] = []): void {
    try {
      checkThere(moved);
      this.#wire.post([message], []);
    } catch (cause) {
      if (message.type !== 'ended') return;
      const what = 'the output of a handler cannot be sent to the host';
      const error = packError(new OrchestratorError('VALUE_UNSERIALISABLE', what, { cause }));
      this.#wire.post([{ type: 'failed', id: message.id, error }], []);
    }
  }
}

/** Before Node 22 bytes that are gone are posted, without a word, as none at all. */
function checkThere(moved: readonly ArrayBuffer[]): void {
  if (moved.some(({ byteLength }) => byteLength === 0))
    throw new TypeError('its bytes were given away before they could be sent');
}
