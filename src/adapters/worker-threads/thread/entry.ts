/**
 * What runs first in a worker thread. The worker-threads executor gives the URL of its door to tinypool, or, in a bundle,
 * starts a thread with it.
 */
import { parentPort, threadId, workerData } from 'node:worker_threads';
import { OWN_SESSION, type SessionGiven, type ToHost, type ToThread, type Wire } from '../protocol.ts';
import { guardProcess } from './guard-process.ts';
import { ThreadSession } from './thread-session.ts';

/** Lives until its host ends it. */
export async function session({ port, start }: SessionGiven): Promise<void> {
  const wire: Wire<ToHost, ToThread> = {
    post: (batch, transfer) => port.postMessage(batch, transfer),
    onBatch: (listener) => port.on('message', listener),
  };
  const own = new ThreadSession(wire, start);
  guardProcess((error) => own.dying(error));
  try {
    await own.run(threadId);
  } finally {
    port.close();
  }
}

const given = (workerData as { readonly [OWN_SESSION]?: SessionGiven } | null)?.[OWN_SESSION];
if (given !== undefined && parentPort !== null) {
  // Taken before the thread is guarded against what handlers post.
  const post = parentPort.postMessage.bind(parentPort);
  void session(given).then(() => post('ended'));
}
