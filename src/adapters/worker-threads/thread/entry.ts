/**
 * What runs first in a worker thread. The worker-threads executor gives the URL of its door to tinypool.
 */
import { type MessagePort, threadId } from 'node:worker_threads';
import type { SessionStart, ToHost, ToThread, Wire } from '../protocol.ts';
import { guardProcess } from './guard-process.ts';
import { ThreadSession } from './thread-session.ts';

/** What the host hands to a session. */
interface Given {
  readonly port: MessagePort;
  readonly start: SessionStart;
}

/** Lives until its host ends it. */
export async function session({ port, start }: Given): Promise<void> {
  guardProcess();
  const wire: Wire<ToHost, ToThread> = {
    post: (batch, transfer) => port.postMessage(batch, transfer),
    onBatch: (listener) => port.on('message', listener),
  };
  try {
    await new ThreadSession(wire, start).run(threadId);
  } finally {
    port.close();
  }
}
