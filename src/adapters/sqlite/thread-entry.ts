/**
 * The thread of a store: it has the database, and does what the host asks, one request after the other.
 *
 * Owns: the engine. Who may call it: Node, which starts a thread with it.
 *
 * TE1  Every request is answered, by what it gives or by an error.
 * TE2  A database that cannot be opened is tried again at the next request.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Engine } from './engine.ts';
import { loadDriver } from './load-driver.ts';
import { openFile } from './open-database.ts';
import type { EngineSettings } from './requests.ts';
import {
  carryError,
  type PackedAppends,
  SQLITE_THREAD,
  type ThreadData,
  type ToHost,
  type ToThread,
  unpackAppends,
} from './thread-messages.ts';

/** Serves the host of a thread until it is told to close. */
export function serveStore(
  port: Pick<MessagePort, 'on' | 'postMessage' | 'close'>,
  settings: EngineSettings,
): void {
  let engine: Engine | undefined;
  const open = (): Engine => {
    const { file, driver, leaseMs, instance } = settings;
    return new Engine({ db: openFile(file, loadDriver(driver), settings), file, leaseMs, instance });
  };
  const answer = ({ id, method, given }: ToThread): ToHost => {
    try {
      if (method !== 'close') {
        engine ??= open();
        const asked = method === 'append' ? [unpackAppends(given[0] as PackedAppends)] : given;
        return { id, value: engine.answer(method, asked as never) };
      }
      engine?.close();
      engine = undefined;
      return { id, value: undefined };
    } catch (error) {
      return { id, error: carryError(error) };
    }
  };
  port.on('message', (asked: ToThread) => {
    port.postMessage(answer(asked));
    // Nothing else keeps the thread.
    if (asked.method === 'close') port.close();
  });
}

const settings = (workerData as Partial<ThreadData> | null)?.[SQLITE_THREAD];
if (settings !== undefined && parentPort !== null) serveStore(parentPort, settings);
