/** A module that ends its thread while it is loaded. */
export const locked = () => 'never';
export const plain = locked;
process.reallyExit(3);
