// The thread of a store that ends when it is asked for the stream `die`: before it answers, and after it has said so.
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', ({ given }: { readonly given: readonly unknown[] }) => {
  if (JSON.stringify(given).includes('"die"')) process.exit(7);
});
await import('../../../src/sqlite-thread.ts');
