/** A module that cannot be loaded. */
export const locked = () => 'never';
export const plain = locked;
throw new RangeError('this module throws while it is loaded');
