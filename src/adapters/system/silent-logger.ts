import type { Logger } from '../../ports/logger.ts';

const NOTHING = (): void => {};

/** Says nothing; a library is silent unless it is given somewhere to speak. */
export const silentLogger: Logger = { debug: NOTHING, info: NOTHING, warn: NOTHING, error: NOTHING };
