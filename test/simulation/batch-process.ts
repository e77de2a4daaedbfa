/** A process of the campaign: tries the batch that it is sent, and sends back what came of it. */
import { type Batch, tryBatch } from './batch.ts';

process.once('message', (batch: Batch) => {
  tryBatch(batch, (seeds, failed) => process.send?.({ seeds, failed })).then(
    (result) => process.send?.({ result }, () => process.disconnect()),
    (error: unknown) => {
      process.send?.({ error: error instanceof Error ? error.stack : String(error) }, () => process.exit(1));
    },
  );
});
