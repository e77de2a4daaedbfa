import { OrchestratorError } from '../../model/errors.ts';

/** The two functions of a test runner that a conformance suite needs; those of vitest, node:test, mocha or jest fit. */
export interface SuiteRunner {
  /** Groups tests under a name. */
  describe(name: string, body: () => void): unknown;
  /** One test. */
  it(name: string, body: () => void | Promise<void>): unknown;
}

/** The code that a call fails with, whether it throws or rejects; `undefined` when it does not fail. */
export async function codeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return OrchestratorError.is(error) ? error.code : `no OrchestratorError: ${String(error)}`;
  }
}
