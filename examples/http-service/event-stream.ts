/** Follows a run by server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Run } from '@taskmaster-ai/orchestrator';

/** Proxies end connections on which nothing is said for a while. */
const KEEP_ALIVE_MS = 15_000;

/**
 * Sends each event of a run from `fromSeq` on, until the run ends or the client goes. The `id` of an event is its `seq`:
 * a client that was cut off sends the last one that it saw, and misses nothing and sees nothing twice. Browsers come back
 * even after the end; the answer 204 tells them not to.
 */
export async function streamEvents(
  run: Run,
  response: ServerResponse,
  { fromSeq, signal }: { readonly fromSeq: number; readonly signal: AbortSignal },
): Promise<void> {
  if (await hasNoMore(run, fromSeq)) {
    response.writeHead(204).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const keepAlive = setInterval(() => response.write(': still here\n\n'), KEEP_ALIVE_MS);
  try {
    const until = AbortSignal.any([gone.signal, signal]);
    for await (const event of run.events({ fromSeq, signal: until })) {
      const isTaken = response.write(
        `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
      );
      // Nothing is buffered for a slow client: what it has not read yet stays in the store.
      if (!isTaken) await once(response, 'drain', { signal: until }).catch(() => {});
    }
  } finally {
    clearInterval(keepAlive);
    response.end();
  }
}

/** Whether a run has ended, and had no event from `fromSeq` on. */
async function hasNoMore(run: Run, fromSeq: number): Promise<boolean> {
  if (!['completed', 'failed', 'cancelled'].includes(run.status)) return false;
  const { done } = await run.events({ fromSeq, follow: false }).next();
  return done === true;
}

/** The `seq` after the last one that a client has seen. Throws nothing: what makes no sense means "from the start". */
export function firstWanted(lastEventId: string | undefined): number {
  const last = Number(lastEventId);
  return Number.isSafeInteger(last) && last > 0 ? last + 1 : 1;
}
