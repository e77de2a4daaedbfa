/**
 * The bytes in a value, so that they can be moved instead of copied.
 */

/** All buffers in a guarded value, each once. */
export function buffersIn(value: unknown): readonly ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  collect(value, found, new Set());
  return [...found];
}

function collect(value: unknown, found: Set<ArrayBuffer>, seen: Set<unknown>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (value instanceof ArrayBuffer) found.add(value);
  else if (ArrayBuffer.isView(value)) collect(value.buffer, found, seen);
  else if (value instanceof Map)
    for (const entry of value) for (const one of entry) collect(one, found, seen);
  else if (value instanceof Set) for (const item of value) collect(item, found, seen);
  else for (const item of Object.values(value)) collect(item, found, seen);
}
