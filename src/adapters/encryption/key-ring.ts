/**
 * The keys of an encrypted store, by their ids.
 *
 * Owns: the keys that were found. Who may call it: the encrypted store.
 *
 * KR1  A key is 256 bits long and looks like chance; anything else is refused before it is used.
 * KR2  Each stream is encrypted by a key of its own, derived from the key with that id (HKDF-SHA-256, RFC 5869), so that
 *      random nonces of 96 bits do not meet (NIST SP 800-38D, section 8.3: at most 2^32 messages by a key).
 * KR3  A key leaves this file only as what was derived from it; no error, log line or record has any of it.
 * KR4  Whoever finds keys is asked once for each, and has a limited time.
 */
import { hkdfSync, KeyObject } from 'node:crypto';
import { checkChoice, checkKeys, checkRecord, checkText, invalidOption } from '../../model/checks.ts';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import type { MaybePromise } from '../../ports/event-store.ts';

/** 32 bytes: as they are, as a secret key of `node:crypto`, or as text in hexadecimal digits or Base64. */
export type EncryptionKey = Uint8Array | KeyObject | string;

/** Where keys are found that are kept somewhere else, such as by a key service; nothing for an id that is not known. */
export type FindEncryptionKey = (
  id: string,
) => EncryptionKey | undefined | Promise<EncryptionKey | undefined>;

/** How a store is encrypted. */
export interface EncryptionOptions {
  /** The id of the key by which everything is encrypted from now on: 1 to 64 characters. It stands in the store. */
  readonly current: string;
  /**
   * The keys by their ids, or a function that finds them. Besides the current one it has to know every key by which
   * something in the store was encrypted.
   */
  readonly keys: Readonly<Record<string, EncryptionKey>> | FindEncryptionKey;
  /**
   * What happens to records that are not encrypted: `refuse` (default), with `PLAIN_REFUSED`; or `read`, for a store that
   * was begun without encryption. What is written is always encrypted.
   */
  readonly plain?: 'refuse' | 'read' | undefined;
}

/** The longest id of a key, in bytes. */
export const KEY_ID_BYTES_MAX = 64;
/** How long a function may take to find a key, in milliseconds. */
export const FIND_KEY_MS_MAX = 30_000;

const KEY_BYTES = 32;
/** A random key of 32 bytes has more different ones than this, but for one in 10^23. */
const DIFFERENT_BYTES_MIN = 12;
const MARK_BYTES = 8;
/** Keys of streams that are kept. */
const KEPT_MAX = 1_000;

const OPTIONS: ReadonlySet<string> = new Set(['current', 'keys', 'plain']);

/** A key by its id: what is derived from it. */
export class NamedKey {
  readonly id: string;
  /** Tells keys apart that go by the same id; nothing of the key can be told from it. */
  readonly mark: Uint8Array;
  readonly #secret: Uint8Array;
  readonly #ofStreams = new Map<string, Uint8Array>();

  constructor(id: string, secret: Uint8Array) {
    this.id = id;
    this.#secret = secret;
    this.mark = derive(secret, 'mark', MARK_BYTES);
  }

  /** The key by which what belongs to a stream is encrypted. */
  of(stream: string): Uint8Array {
    const known = this.#ofStreams.get(stream);
    if (known !== undefined) return known;
    const made = derive(this.#secret, `stream ${stream}`, KEY_BYTES);
    keep(this.#ofStreams, stream, made);
    return made;
  }
}

export class KeyRing {
  readonly current: string;
  readonly plain: 'refuse' | 'read';
  readonly #find: FindEncryptionKey | undefined;
  readonly #found = new Map<string, NamedKey>();

  /** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
  constructor(given: EncryptionOptions, at: string) {
    const options = checkRecord(given, at, 'an object { current, keys, plain }');
    checkKeys(options, OPTIONS, at);
    this.current = checkKeyId(options.current, `${at}/current`);
    this.plain =
      options.plain === undefined
        ? 'refuse'
        : checkChoice(options.plain, `${at}/plain`, ['refuse', 'read'] as const);
    if (typeof options.keys === 'function') {
      this.#find = options.keys as FindEncryptionKey;
      return;
    }
    const keys = checkRecord(options.keys, `${at}/keys`, 'an object of keys by their ids, or a function');
    for (const [id, key] of Object.entries(keys))
      this.#found.set(id, new NamedKey(checkKeyId(id, `${at}/keys`), secretOf(key, `${at}/keys/${id}`)));
    if (!this.#found.has(this.current))
      throw refuse('OPTION_INVALID', {
        at: `${at}/current`,
        found: `${JSON.stringify(this.current)}, which is not among the keys`,
        allowed: [...this.#found.keys()].map((id) => JSON.stringify(id)).join(', ') || 'the id of a key',
      });
  }

  /** The keys that are known without asking anybody. */
  known(): Iterable<NamedKey> {
    return this.#found.values();
  }

  /**
   * The key with an id.
   * @param wanting - what it is needed for
   * @throws OrchestratorError `KEY_UNKNOWN`, `OPTION_INVALID` for a key that is none, `WAIT_TIMEOUT`, and what the
   *   function throws that finds keys
   */
  find(id: string, wanting: string): MaybePromise<NamedKey> {
    const known = this.#found.get(id);
    if (known !== undefined) return known;
    if (this.#find === undefined) throw keyUnknown(id, wanting, [...this.#found.keys()]);
    const given = this.#find(id);
    return given instanceof Promise
      ? inTime(given, id).then((key) => this.#take(id, key, wanting))
      : this.#take(id, given, wanting);
  }

  #take(id: string, given: EncryptionKey | undefined, wanting: string): NamedKey {
    if (given === undefined) throw keyUnknown(id, wanting, [...this.#found.keys()]);
    const key = new NamedKey(id, secretOf(given, `the key ${JSON.stringify(id)}`));
    this.#found.set(id, key);
    return key;
  }
}

function checkKeyId(given: unknown, at: string): string {
  const id = checkText(given, at, KEY_ID_BYTES_MAX);
  if (Buffer.byteLength(id) > KEY_ID_BYTES_MAX || id === '')
    throw invalidOption(at, given, `1 to ${KEY_ID_BYTES_MAX} bytes of text`);
  return id;
}

function secretOf(given: unknown, at: string): Uint8Array {
  const bytes = bytesOf(given);
  // The value is not shown: it may be a key that was cut off.
  if (bytes?.length !== KEY_BYTES)
    throw refuse('OPTION_INVALID', {
      at,
      found: bytes === undefined ? `no key (${typeof given})` : `${bytes.length} bytes`,
      allowed: '32 bytes, a secret KeyObject of that size, or text in hexadecimal digits (64) or Base64 (44)',
      hint: "To make one: randomBytes(32).toString('base64').",
    });
  const different = new Set(bytes).size;
  if (different < DIFFERENT_BYTES_MIN)
    throw refuse('OPTION_INVALID', {
      at,
      found: `a key of only ${different} different bytes`,
      allowed: 'a random key',
      hint: "To make one: randomBytes(32).toString('base64').",
    });
  return bytes;
}

function bytesOf(given: unknown): Uint8Array | undefined {
  if (given instanceof KeyObject) return given.type === 'secret' ? new Uint8Array(given.export()) : undefined;
  if (given instanceof Uint8Array) return Uint8Array.from(given);
  if (typeof given !== 'string') return undefined;
  if (/^[0-9a-f]{64}$/i.test(given)) return Uint8Array.from(Buffer.from(given, 'hex'));
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(given) ? Uint8Array.from(Buffer.from(given, 'base64')) : undefined;
}

function derive(secret: Uint8Array, what: string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), `taskmaster-ai ${what}`, bytes));
}

/** Keeps a value as the newest one, and so many in all. */
function keep<Value>(map: Map<string, Value>, id: string, value: Value): void {
  map.set(id, value);
  if (map.size <= KEPT_MAX) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}

async function inTime<Value>(given: Promise<Value>, id: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `the key ${JSON.stringify(id)} was not found within ${FIND_KEY_MS_MAX / 1_000} s`;
      reject(new OrchestratorError('WAIT_TIMEOUT', message, { details: { keyId: id } }));
    }, FIND_KEY_MS_MAX);
  });
  try {
    return await Promise.race([given, late]);
  } finally {
    clearTimeout(timer);
  }
}

function keyUnknown(id: string, wanting: string, known: readonly string[]): OrchestratorError {
  return refuse(
    'KEY_UNKNOWN',
    {
      at: wanting,
      found: `it was encrypted by the key ${JSON.stringify(id)}`,
      allowed:
        known.length === 0 ? 'a key that is known' : known.map((one) => JSON.stringify(one)).join(', '),
      hint: 'Give the store that key as well; it is needed as long as anything that was encrypted by it.',
    },
    { details: { keyId: id } },
  );
}
