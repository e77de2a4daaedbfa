import { quote } from '../base/values.ts';
import { OrchestratorError } from '../model/errors.ts';

/** Of a stream that is not in a store: what comes behind it is not known. */
export function pageLost(stream: string): OrchestratorError {
  return new OrchestratorError(
    'PAGE_LOST',
    `a page behind ${quote(stream)} was asked for; it is not in the store, and where it stood is not known any more. Begin with the first page`,
    { details: { stream } },
  );
}
