/**
 * The texts of an error, read without trusting it.
 */

/** What is readable of an error. */
export interface ErrorText {
  readonly name: string;
  readonly message: string;
  /** Absent when the error has none, or one that is not a text. */
  readonly stack: string | undefined;
}

/**
 * The engine's own getter of `stack`: V8 made that property an accessor of each error (Node 22 and later), so
 * the rule "no own getter is called" would lose every stack. Absent where it is a data property.
 */
const nativeStack = Object.getOwnPropertyDescriptor(new Error('probe'), 'stack')?.get;

/**
 * Reads the name, the message and the stack of an error.
 *
 * An own accessor is not called: the text then counts as absent. An inherited one is, because `DOMException`
 * and classes like it keep their name there; what it throws is caught. A stack is read through the engine's
 * own getter only, whatever getter the error shows.
 */
export function readErrorText(error: object): ErrorText {
  return {
    name: readText(error, 'name') ?? 'Error',
    message: readText(error, 'message') ?? '',
    stack: readStack(error),
  };
}

function readText(error: object, key: string): string | undefined {
  try {
    const own = Object.getOwnPropertyDescriptor(error, key);
    const text: unknown = own === undefined ? Reflect.get(error, key) : own.value;
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}

function readStack(error: object): string | undefined {
  try {
    // Reading the descriptor or the getter can run a `prepareStackTrace` of the host, which can throw.
    const own = Object.getOwnPropertyDescriptor(error, 'stack');
    if (own === undefined) return undefined;
    const isAccessor = own.get !== undefined && nativeStack !== undefined;
    const stack: unknown = isAccessor ? Reflect.apply(nativeStack, error, []) : own.value;
    return typeof stack === 'string' ? stack : undefined;
  } catch {
    return undefined;
  }
}
