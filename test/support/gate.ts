/** A promise that a test settles when it likes. */
export interface Gate<Value = void> {
  readonly promise: Promise<Value>;
  readonly open: (value: Value) => void;
  readonly fail: (reason: unknown) => void;
}

export function createGate<Value = void>(): Gate<Value> {
  let open: (value: Value) => void = () => {};
  let fail: (reason: unknown) => void = () => {};
  const promise = new Promise<Value>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

/** One turn of the event loop: every promise that can settle by itself has settled then. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
