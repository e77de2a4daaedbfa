/**
 * The orchestrator inside an HTTP service. Start it with: PORT=8080 node examples/http-service/main.ts
 *
 *   curl -X POST localhost:8080/runs -H 'idempotency-key: tides-1' -d '{ "topic": "tides" }'
 *   curl localhost:8080/runs/<id>
 *   curl -N localhost:8080/runs/<id>/events
 *   curl -X DELETE localhost:8080/runs/<id>
 *
 * SIGTERM and SIGINT end it cleanly: no new request is taken, handlers that run may end, streams are closed.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Orchestrator } from '@taskmaster-ai/orchestrator';
import { createService } from './service.ts';
import { report } from './workflow.ts';

const orchestrator = await Orchestrator.open({
  workflows: [report],
  agents: { researcher: { concurrency: 4 }, writer: { concurrency: 1 } },
  cancelGrace: '1s',
});
const closing = new AbortController();
const server = createService(orchestrator, closing.signal);
// Only for this machine: whoever opens it to others asks first who they are.
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
await once(server, 'listening');
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);

async function shutDown(signal: string): Promise<void> {
  console.log(`${signal}: closing`);
  const closed = once(server, 'close');
  server.close();
  // Runs end within the grace, and their followers hear of it; with a durable store the others would go on later.
  await orchestrator.close({ grace: '3s' });
  closing.abort();
  // Whoever still sends a request, or keeps a connection for later, is cut off.
  setTimeout(() => server.closeAllConnections(), 500).unref();
  await closed;
  console.log('closed');
}

process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
