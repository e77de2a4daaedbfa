/** Handlers that are given bytes, and give some back. */
export const measure = ({ dependencies: { load } }) => [load.byteLength, load[0], load.buffer.byteLength];
export const make = () => ({ whole: new Uint8Array([1, 2, 3]), also: [new Float64Array([0.5])] });
export const whole = () => new Uint8Array(1_000_000).fill(7);
