/** Catching what is expected to be refused. */
import { OrchestratorError } from '@taskmaster-ai/orchestrator';

/** The error that a promise rejects with; fails when it does not reject, or with something else. */
export async function rejection(promise: PromiseLike<unknown>): Promise<OrchestratorError> {
  try {
    await promise;
  } catch (error) {
    if (OrchestratorError.is(error)) return error;
    throw new Error('rejected with something that is no OrchestratorError', { cause: error });
  }
  throw new Error('expected a rejection');
}

/** The error that a call throws; fails when it does not throw, or something else. */
export function refusal(call: () => unknown): OrchestratorError {
  try {
    call();
  } catch (error) {
    if (OrchestratorError.is(error)) return error;
    throw new Error('threw something that is no OrchestratorError', { cause: error });
  }
  throw new Error('expected a refusal');
}
