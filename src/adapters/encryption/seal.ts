/**
 * Bytes that only those can read and make who have the key: AES-256-GCM (NIST SP 800-38D) with a random nonce.
 *
 * Owns: nothing. Who may call it: the encrypted store.
 *
 * SE1  What is sealed opens only at the place for which it was sealed: the place is authenticated with it.
 * SE2  Nothing of the content is given out before all of it has been authenticated.
 * SE3  What takes longer than a moment, a slice at a time, gives the turn back in between.
 *
 * Layout: `TMS1`, the length of the id of the key, that id, the mark of the key (8), the nonce (12), the tag (16), the
 * content.
 */
import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM, randomBytes } from 'node:crypto';
import { OrchestratorError, refuse } from '../../model/errors.ts';
import { nextTurn } from '../next-turn.ts';
import type { NamedKey } from './key-ring.ts';

const MAGIC = Buffer.from('TMS1', 'latin1');
const MARK_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = 'aes-256-gcm';
/** Encrypted in one turn of the event loop: one or two milliseconds. */
const SLICE_BYTES = 2 * 1024 * 1024;

/** Where something is kept: the stream by whose key it is sealed, and what makes its place the only one. */
export interface Place {
  readonly stream: string;
  readonly parts: readonly (string | number | null)[];
  /** As messages name it. */
  readonly name: string;
}

/** What can be read of something sealed without a key. */
interface Head {
  readonly keyId: string;
  readonly mark: Uint8Array;
  readonly nonce: Uint8Array;
  readonly tag: Uint8Array;
  readonly content: Uint8Array;
}

/** The id of the key by which bytes were sealed. @throws OrchestratorError `STORE_CORRUPT` when they are not */
export function keyIdOf(sealed: Uint8Array, place: Place): string {
  return readHead(sealed, place).keyId;
}

/** Whether bytes begin as sealed ones do. */
export function looksSealed(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

export function seal(key: NamedKey, content: Uint8Array, place: Place): Uint8Array {
  const { cipher, head } = beginSeal(key, place);
  return finishSeal(cipher, head, [cipher.update(content)]);
}

/** The same for what may be large. */
export async function sealSlowly(key: NamedKey, content: Uint8Array, place: Place): Promise<Uint8Array> {
  const { cipher, head } = beginSeal(key, place);
  return finishSeal(cipher, head, await updateSlowly(cipher, content));
}

/** @throws OrchestratorError `KEY_WRONG`, `STORE_CORRUPT` */
export function unseal(key: NamedKey, sealed: Uint8Array, place: Place): Uint8Array {
  const head = readHead(sealed, place);
  const decipher = beginUnseal(key, head, place);
  return finishUnseal(decipher, [decipher.update(head.content)], place);
}

/** The same for what may be large. */
export async function unsealSlowly(key: NamedKey, sealed: Uint8Array, place: Place): Promise<Uint8Array> {
  const head = readHead(sealed, place);
  const decipher = beginUnseal(key, head, place);
  return finishUnseal(decipher, await updateSlowly(decipher, head.content), place);
}

function beginSeal(key: NamedKey, place: Place): { readonly cipher: CipherGCM; readonly head: Buffer[] } {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key.of(place.stream), nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(authenticated(key.id, key.mark, place));
  const id = Buffer.from(key.id, 'utf8');
  return { cipher, head: [MAGIC, Buffer.from([id.length]), id, Buffer.from(key.mark), nonce] };
}

function finishSeal(cipher: CipherGCM, head: readonly Buffer[], content: readonly Buffer[]): Uint8Array {
  const last = cipher.final();
  return Buffer.concat([...head, cipher.getAuthTag(), ...content, last]);
}

function beginUnseal(key: NamedKey, { mark, nonce, tag }: Head, place: Place): DecipherGCM {
  if (!mark.every((byte, i) => byte === key.mark[i])) throw keyWrong(key.id, place.name);
  const decipher = createDecipheriv(ALGORITHM, key.of(place.stream), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(authenticated(key.id, mark, place));
  decipher.setAuthTag(tag);
  return decipher;
}

function finishUnseal(decipher: DecipherGCM, content: readonly Buffer[], place: Place): Uint8Array {
  try {
    const last = decipher.final();
    return content.length === 1 && last.length === 0
      ? (content[0] as Buffer)
      : Buffer.concat([...content, last]);
  } catch (error) {
    throw corrupt(place, 'it was changed, or belongs somewhere else', error);
  }
}

function readHead(sealed: Uint8Array, place: Place): Head {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const idAt = MAGIC.length + 1;
  const idLength = bytes[MAGIC.length] ?? 0;
  const contentAt = idAt + idLength + MARK_BYTES + NONCE_BYTES + TAG_BYTES;
  if (!looksSealed(bytes) || idLength === 0 || bytes.length < contentAt)
    throw corrupt(place, 'it does not begin as something encrypted does, or is cut off');
  let at = idAt;
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  const keyId = take(idLength).toString('utf8');
  return {
    keyId,
    mark: take(MARK_BYTES),
    nonce: take(NONCE_BYTES),
    tag: take(TAG_BYTES),
    content: bytes.subarray(contentAt),
  };
}

/** What is authenticated beside the content: the key, and the place. */
function authenticated(keyId: string, mark: Uint8Array, { stream, parts }: Place): Buffer {
  return Buffer.from(JSON.stringify([keyId, Buffer.from(mark).toString('hex'), stream, ...parts]), 'utf8');
}

async function updateSlowly(cipher: CipherGCM | DecipherGCM, content: Uint8Array): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += SLICE_BYTES) {
    if (at > 0) await nextTurn();
    parts.push(cipher.update(content.subarray(at, at + SLICE_BYTES)));
  }
  return parts;
}

/** Another key goes by the same id. */
export function keyWrong(keyId: string, at: string): OrchestratorError {
  return refuse(
    'KEY_WRONG',
    {
      at,
      found: `it was encrypted by another key that was called ${JSON.stringify(keyId)}`,
      allowed: 'the key that this id has had from the beginning',
      hint: 'A new key needs a new id.',
    },
    { details: { keyId } },
  );
}

function corrupt(place: Place, why: string, cause?: unknown): OrchestratorError {
  return new OrchestratorError(
    'STORE_CORRUPT',
    `${place.name} cannot be decrypted: ${why}. Restore it from a copy.`,
    {
      details: { stream: place.stream, place: place.name },
      ...(cause === undefined ? undefined : { cause }),
    },
  );
}
