/**
 * The routes:
 *
 *   POST   /runs               starts a run; with an `Idempotency-Key`, one run however often it is asked for
 *   GET    /runs/:id           how it stands: each task, and of those that wait why
 *   GET    /runs/:id/events    follows it by server-sent events, from where a `Last-Event-ID` says
 *   DELETE /runs/:id           cancels it
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type ErrorCode, type Orchestrator, OrchestratorError, type Run } from '@taskmaster-ai/orchestrator';
import { firstWanted, streamEvents } from './event-stream.ts';
import { report } from './workflow.ts';

const BODY_BYTES_MAX = 100_000;
/** How many times as much is read, and dropped, before the client is cut off. */
const READ_ON = 20;

/** What of a request that cannot be answered is the fault of the client. */
const STATUS_OF: { readonly [Code in ErrorCode]?: number } = {
  INPUT_INVALID: 422,
  OPTION_INVALID: 400,
  ID_INVALID: 400,
  LIMIT_EXCEEDED: 400,
  RUN_NOT_FOUND: 404,
  RUN_RELEASED: 410,
  ORCHESTRATOR_CLOSED: 503,
};

class RequestError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** @param closing - aborted when the service is to end: whoever follows a run is let go then */
export function createService(orchestrator: Orchestrator, closing: AbortSignal): Server {
  return createServer((request, response) => {
    answer(orchestrator, request, response, closing).catch((error: unknown) => fail(response, error));
  });
}

async function answer(
  orchestrator: Orchestrator,
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const { method = '', url = '/' } = request;
  const path = url.split('?', 1)[0] ?? '/';
  const match = /^\/runs(?:\/([^/]+)(\/events)?)?$/.exec(path);
  if (match === null) throw new RequestError(404, `there is no ${path}`);
  const [, runId = '', part = ''] = match;
  const found = (): Run => orchestrator.getRun(runId);
  switch (`${method} /runs${runId && '/:id'}${part}`) {
    case 'POST /runs':
      return start(orchestrator, request, response);
    case 'GET /runs/:id':
      return reply(response, 200, stateOf(found()));
    case 'GET /runs/:id/events': {
      const fromSeq = firstWanted(request.headers['last-event-id']?.toString());
      return streamEvents(found(), response, { fromSeq, signal: closing });
    }
    case 'DELETE /runs/:id': {
      const run = found();
      const isCancelled = await run.cancel(new Error('asked for by DELETE'));
      // It ends when its handlers have; the client can follow that.
      return reply(response, isCancelled ? 202 : 409, { runId: run.runId, status: run.status });
    }
    default:
      throw new RequestError(405, `${path} has no ${method}`, {
        allow: runId === '' ? 'POST' : part === '' ? 'GET, DELETE' : 'GET',
      });
  }
}

async function start(
  orchestrator: Orchestrator,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const key = request.headers['idempotency-key']?.toString();
  const input = await readJson(request);
  const run = await orchestrator.manageWorkflow(report, { input, ...(key !== undefined && { key }) });
  response.setHeader('location', `/runs/${run.runId}`);
  reply(response, 201, { runId: run.runId, status: run.status });
}

function stateOf(run: Run): unknown {
  const tasks = run.tasks().map((task) => ({ ...task, why: run.explain(task.path).text }));
  return { runId: run.runId, workflow: run.workflowId, status: run.status, tasks };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
    // Whoever is cut off while it writes seldom hears why; so a body that is not far too large is read to its end.
    else if (bytes > BODY_BYTES_MAX * READ_ON) break;
  }
  if (bytes > BODY_BYTES_MAX)
    throw new RequestError(413, `the body has at most ${BODY_BYTES_MAX} bytes`, { connection: 'close' });
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new RequestError(400, 'the body has to be JSON');
  }
}

function reply(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { ...headers, 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function fail(response: ServerResponse, error: unknown): void {
  // A stream that has begun can only be broken off.
  if (response.headersSent) response.destroy();
  else if (error instanceof RequestError)
    reply(response, error.status, { message: error.message }, error.headers);
  else if (OrchestratorError.is(error))
    reply(response, STATUS_OF[error.code] ?? 500, { code: error.code, message: error.message });
  else reply(response, 500, { message: 'something went wrong in here' });
}
