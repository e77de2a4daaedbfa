/**
 * What runs first in a child process of handlers. The worker-threads executor starts its door as a program.
 *
 * PE1  A process lives until its host ends it, or is gone: without its host nobody would hear what comes of it.
 * PE2  What the host would not take for its length is never written: its call fails instead.
 */
import { Socket } from 'node:net';
import { OrchestratorError } from '../../../model/errors.ts';
import { packError } from '../error-envelope.ts';
import { bytesIn, FRAME_BYTES_MAX, FrameReader, frameOf } from '../frames.ts';
import {
  FROM_HOST,
  SESSION_ARGUMENT,
  type SessionStart,
  TO_HOST,
  type ToHost,
  type ToThread,
  type Wire,
} from '../protocol.ts';
import { guardProcess } from './guard-process.ts';
import { ThreadSession } from './thread-session.ts';

/** Listens to the host that has started this process, and lives until that ends it, or is gone. */
export function listenToHost(): void {
  const exit = process.exit.bind(process);
  const from = new Socket({ fd: FROM_HOST, readable: true, writable: false });
  const to = new Socket({ fd: TO_HOST, readable: false, writable: true });
  let hear: (batch: readonly ToThread[]) => void = () => {};
  const wire: Wire<ToHost, ToThread> = {
    post: (batch) => {
      for (const frame of framesOf(batch)) to.write(frame);
    },
    onBatch: (listener) => {
      hear = listener;
    },
  };
  let session: ThreadSession | undefined;
  const reader = new FrameReader({
    onValue: (value) => {
      if (session !== undefined) {
        hear(value as readonly ToThread[]);
        return;
      }
      session = new ThreadSession(wire, value as SessionStart);
      // The host sees that all has been said, and ends what does not end by itself then.
      void session.run(0).then(() => to.end(() => exit(0)));
    },
    onBroken: () => exit(1),
  });
  guardProcess((error) => session?.dying(error));
  from.on('data', (chunk) => reader.push(chunk));
  from.on('close', () => exit(0));
  for (const pipe of [from, to]) pipe.on('error', () => {});
}

/** A batch in one frame, or, when that is too long, each message in one of its own. */
export function framesOf(batch: readonly ToHost[], lengthMax = FRAME_BYTES_MAX): readonly Buffer[] {
  const whole = frameOf(batch);
  if (bytesIn(whole) <= lengthMax) return [whole];
  if (batch.length > 1) return batch.flatMap((message) => framesOf([message], lengthMax));
  return batch.map((message) => frameOf([shortened(message, bytesIn(whole), lengthMax)]));
}

/** What is said instead of a message that is too long. */
function shortened(message: ToHost, length: number, lengthMax: number): ToHost {
  const error = packError(
    new OrchestratorError(
      'LIMIT_EXCEEDED',
      `what a handler says to its host by ${JSON.stringify(message.type)}: found ${length} bytes; allowed: ${lengthMax}. Say less at once.`,
      { details: { bytes: length, limit: lengthMax } },
    ),
  );
  return 'id' in message ? { type: 'failed', id: message.id, error } : { type: 'unloadable', error };
}

// Only as the program of a child process: whoever imports it has no host to listen to.
if (process.argv[2] === SESSION_ARGUMENT) listenToHost();
