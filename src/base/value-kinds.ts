/**
 * What kind of thing a host's value is, found out without running any code of the host.
 *
 * Every check goes by internal slots (through methods of the built-in prototypes) or by prototypes and
 * property descriptors. Only the traps of a proxy can run, so a caller must expect that any function here
 * throws on a hostile value.
 */

/** The kinds that the guard tells apart; `other` is everything that cannot be carried. */
export type ValueKind =
  | 'plain'
  | 'array'
  | 'date'
  | 'map'
  | 'set'
  | 'buffer'
  | 'typed'
  | 'view'
  | 'error'
  | 'other';

/** A value without identity: see {@link isPrimitive}. */
export type Primitive = undefined | null | boolean | number | bigint | string;

type Getter = (this: unknown) => unknown;

/** The constructor of a kind of typed arrays. */
interface TypedArrayKind {
  new (source: ArrayLike<unknown> | ArrayBuffer): object;
  readonly BYTES_PER_ELEMENT: number;
}

/** How far a chain of prototypes is followed: a proxy could make it endless. */
const LONGEST_CHAIN = 100;

const typedArrayPrototype: object = Object.getPrototypeOf(Uint8Array.prototype);
const getTypedArrayName = getterOf(typedArrayPrototype, Symbol.toStringTag);
const getTypedArrayLength = getterOf(typedArrayPrototype, 'byteLength');
const getViewLength = getterOf(DataView.prototype, 'byteLength');
const getBufferLength = getterOf(ArrayBuffer.prototype, 'byteLength');
const getMapSize = getterOf(Map.prototype, 'size');
const getSetSize = getterOf(Set.prototype, 'size');
const getTime: Getter = Date.prototype.getTime;

/** Constructors by their name, as the built-in tag of a typed array gives it; newer engines have more. */
const typedArrays = new Map<string, TypedArrayKind>();
for (const name of ['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32']) {
  registerTypedArray(`${name}Array`);
}
for (const name of ['Float16', 'Float32', 'Float64', 'BigInt64', 'BigUint64']) {
  registerTypedArray(`${name}Array`);
}

function registerTypedArray(name: string): void {
  const found = (globalThis as Record<string, unknown>)[name];
  if (typeof found === 'function') typedArrays.set(name, found as TypedArrayKind);
}

/** The getter of a built-in accessor. */
function getterOf(owner: object, key: PropertyKey): Getter {
  return Object.getOwnPropertyDescriptor(owner, key)?.get as Getter;
}

/**
 * Whether a value is undefined, null, a boolean, a number (any, also NaN, -0 and Infinity), a bigint or a
 * string (well-formed or not): such a value can be passed on as it is. A symbol is not one of them.
 */
export function isPrimitive(value: unknown): value is Primitive {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'undefined':
    case 'bigint':
      return true;
    default:
      return value === null;
  }
}

/** The longest text that is no longer than any limit of size, in UTF-16 units. */
const SMALL_TEXT = 100_000;

/** Whether a value is a primitive whose size nobody has to look at: any but a long text and a bigint. */
export function isSmall(value: unknown): value is Primitive {
  if (typeof value === 'string') return value.length <= SMALL_TEXT;
  return typeof value !== 'bigint' && isPrimitive(value);
}

/** The estimated size of a primitive: a string counts two bytes per UTF-16 unit. */
export function primitiveBytes(value: Primitive): number {
  if (typeof value === 'string') return 8 + value.length * 2;
  // Only a large bigint is written out to be measured; base 16 makes that linear.
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) return value.toString(16).length >> 1;
  return 8;
}

/**
 * The kind of an object.
 *
 * Plain objects, arrays, dates, maps, sets and buffers of another realm (a `vm` context) count as such, while
 * subclasses of them are `other`, because a copy would lose their behaviour. A Node `Buffer` is `typed`.
 *
 * @throws whatever the trap of a proxy throws.
 */
export function kindOf(value: object): ValueKind {
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto === Object.prototype || proto === null) return 'plain';
  if (Array.isArray(value)) {
    return proto === Array.prototype || ownClassName(proto as object) === 'Array' ? 'array' : 'other';
  }
  // The tag tells without throwing: an error for each buffer would cost more than the buffer.
  if (ArrayBuffer.isView(value))
    return Reflect.apply(getTypedArrayName, value, []) === undefined ? 'view' : 'typed';
  if (proto === Date.prototype) return hasSlot(getTime, value) ? 'date' : 'other';
  if (proto === Map.prototype) return hasSlot(getMapSize, value) ? 'map' : 'other';
  if (proto === Set.prototype) return hasSlot(getSetSize, value) ? 'set' : 'other';
  if (proto === ArrayBuffer.prototype) return hasSlot(getBufferLength, value) ? 'buffer' : 'other';
  if (isErrorPrototype(proto as object)) return 'error';
  return kindInOtherRealm(value, proto as object);
}

/** Recognises a built-in of another realm by the name of its constructor and by its internal slots. */
function kindInOtherRealm(value: object, proto: object): ValueKind {
  const base: unknown = Object.getPrototypeOf(proto);
  const name = ownClassName(proto);
  if (base === null) return name === 'Object' ? 'plain' : 'other';
  if (Object.getPrototypeOf(base as object) !== null) return 'other';
  if (name === 'Date' && hasSlot(getTime, value)) return 'date';
  if (name === 'Map' && hasSlot(getMapSize, value)) return 'map';
  if (name === 'Set' && hasSlot(getSetSize, value)) return 'set';
  if (name === 'ArrayBuffer' && hasSlot(getBufferLength, value)) return 'buffer';
  return 'other';
}

/** Whether a chain of prototypes leads over `Error.prototype`, of this realm or another one. */
function isErrorPrototype(start: object): boolean {
  let proto: object | null = start;
  for (let i = 0; i < LONGEST_CHAIN && proto !== null; i += 1) {
    if (proto === Error.prototype) return true;
    const next: object | null = Object.getPrototypeOf(proto);
    if (next !== null && Object.getPrototypeOf(next) === null && ownClassName(proto) === 'Error') return true;
    proto = next;
  }
  return false;
}

/** Whether a built-in method or getter accepts the value, that is, whether it has the internal slot. */
function hasSlot(method: Getter, value: object): boolean {
  try {
    Reflect.apply(method, value, []);
    return true;
  } catch {
    return false;
  }
}

/** The name of the class that a prototype itself belongs to, without looking further up; '' without one. */
function ownClassName(proto: object): string {
  const maker: unknown = Object.getOwnPropertyDescriptor(proto, 'constructor')?.value;
  if (typeof maker !== 'function') return '';
  const name: unknown = Object.getOwnPropertyDescriptor(maker, 'name')?.value;
  return typeof name === 'string' ? name : '';
}

/** The name of the class that an object is an instance of; '' when it cannot be told. */
export function classNameOf(value: object): string {
  let proto: object | null = Object.getPrototypeOf(value);
  for (let i = 0; i < LONGEST_CHAIN && proto !== null; i += 1) {
    const name = ownClassName(proto);
    if (name !== '') return name;
    proto = Object.getPrototypeOf(proto);
  }
  return '';
}

/** Whether an object has a `then` method, own or inherited; a getter of that name is not called. */
export function isThenable(value: object): boolean {
  let holder: object | null = value;
  for (let i = 0; i < LONGEST_CHAIN && holder !== null; i += 1) {
    const found = Object.getOwnPropertyDescriptor(holder, 'then');
    if (found !== undefined) return typeof found.value === 'function';
    holder = Object.getPrototypeOf(holder);
  }
  return false;
}

/** The bytes in a buffer, a typed array or a view of the given kind. */
export function byteLengthOf(value: object, kind: 'buffer' | 'typed' | 'view'): number {
  const getter = kind === 'buffer' ? getBufferLength : kind === 'typed' ? getTypedArrayLength : getViewLength;
  return Reflect.apply(getter, value, []) as number;
}

/** The number of entries of a map or a set, whatever the object's own `size` says. */
export function sizeOf(value: object, kind: 'map' | 'set'): number {
  return Reflect.apply(kind === 'map' ? getMapSize : getSetSize, value, []) as number;
}

/**
 * The name of a typed array's kind, such as 'Uint8Array'; a subclass such as Node's `Buffer` has the name of
 * the built-in that it extends.
 */
export function typedArrayName(value: object): string {
  return Reflect.apply(getTypedArrayName, value, []) as string;
}

/** The bytes of one item in a typed array of the named kind; 1 for a kind that is unknown here. */
export function itemBytes(name: string): number {
  return typedArrays.get(name)?.BYTES_PER_ELEMENT ?? 1;
}

/**
 * A typed array of the named kind that shows all of a buffer; undefined when this engine knows no such kind, or when
 * the buffer ends within an item.
 */
export function typedArrayOver(name: string, buffer: ArrayBuffer): object | undefined {
  const Kind = typedArrays.get(name);
  if (Kind === undefined || buffer.byteLength % Kind.BYTES_PER_ELEMENT > 0) return undefined;
  return new Kind(buffer);
}

/**
 * A copy of a date, a buffer, a typed array or a view. Of a buffer that is seen through a view, only the seen
 * part is copied; a `Buffer` becomes a Uint8Array.
 */
export function copyLeaf(value: object, kind: 'date' | 'buffer' | 'typed' | 'view'): object {
  if (kind === 'date') return new Date(Reflect.apply(getTime, value, []) as number);
  // Not `slice`, which asks the buffer for its constructor: that may be a getter, or of another realm.
  if (kind === 'buffer') return new Uint8Array(new Uint8Array(value as ArrayBuffer)).buffer;
  if (kind === 'typed') {
    const Kind = typedArrays.get(typedArrayName(value));
    if (Kind === undefined) throw new TypeError('unknown typed array');
    return new Kind(value as ArrayLike<unknown>);
  }
  const buffer = Reflect.apply(getterOf(DataView.prototype, 'buffer'), value, []) as ArrayBuffer;
  const offset = Reflect.apply(getterOf(DataView.prototype, 'byteOffset'), value, []) as number;
  // The second array copies the first one, so its buffer is a new one that holds just the seen part.
  const seen = new Uint8Array(new Uint8Array(buffer, offset, byteLengthOf(value, 'view')));
  return new DataView(seen.buffer);
}
