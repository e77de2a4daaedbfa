import type { CallMessage } from '../../src/adapters/worker-threads/protocol.ts';

/** A call as it comes to a thread; tests change what they are about. */
export const CALL: CallMessage = {
  type: 'call',
  id: 1,
  slot: 0,
  name: 'waits',
  runId: 'r',
  path: 'p',
  taskId: 'p',
  input: undefined,
  inputData: undefined,
  dependencies: {},
  attempt: 1,
  restart: 0,
  idempotencyKey: 'k',
  trace: undefined,
  tokens: {},
  errors: undefined,
  tellsBegin: false,
  now: 0,
};
