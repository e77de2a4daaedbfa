import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRunPrograms } from '../support/child-program.ts';
import { type StartedExample, startExample } from '../support/start-example.ts';

interface SentEvent {
  readonly id: number;
  readonly event: string;
  readonly data: { readonly seq: number; readonly type: string };
}

/** What the service says, except in events. */
interface Answer {
  readonly runId: string;
  readonly message: string;
  readonly tasks: readonly { readonly path: string; readonly status: string; readonly why: string }[];
}

/** The service as it is started by a user, spoken to by HTTP only. */
describe.skipIf(!canRunPrograms)('http-service', () => {
  let service: StartedExample;
  let base: string;

  beforeAll(async () => {
    service = startExample('http-service');
    base = (await service.until(/listening on (http:\/\/127\.0\.0\.1:\d+)/))[1] as string;
  });
  afterAll(() => {
    service.child.kill('SIGKILL');
  });

  const send = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${base}${path}`, init);
  const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
    send('/runs', { method: 'POST', body, headers });
  const json = async (response: Response) => ({
    status: response.status,
    body: (await response.json()) as Answer,
  });
  const start = async (topic: string, pages = 3): Promise<string> =>
    (await json(await post(JSON.stringify({ topic, pages })))).body.runId;
  const follow = (runId: string, lastEventId?: number): Promise<Response> =>
    send(`/runs/${runId}/events`, {
      headers: lastEventId === undefined ? {} : { 'last-event-id': `${lastEventId}` },
    });

  /** Reads server-sent events to the end of the stream, or until one for which `isLast` says yes. */
  async function read(response: Response, isLast = (_: SentEvent) => false): Promise<SentEvent[]> {
    const events: SentEvent[] = [];
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body as ReadableStream<Uint8Array<ArrayBuffer>>) {
      text += decoder.decode(chunk, { stream: true });
      const parts = text.split('\n\n');
      text = parts.pop() as string;
      for (const part of parts) {
        const fields = new Map(part.split('\n').map((line) => line.split(/: (.*)/) as [string, string]));
        const event: SentEvent = {
          id: Number(fields.get('id')),
          event: fields.get('event') as string,
          data: JSON.parse(fields.get('data') as string),
        };
        events.push(event);
        if (isLast(event)) return events;
      }
    }
    return events;
  }

  it('starts a run by POST, and sends its events to the end', async () => {
    const created = await post('{ "topic": " tides ", "pages": 2 }');
    const { runId } = (await json(created)).body;
    expect([created.status, created.headers.get('location')]).toEqual([201, `/runs/${runId}`]);

    const followed = await follow(runId);
    expect([followed.status, followed.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const events = await read(followed);
    expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1));
    expect(events.every(({ id, event, data }) => data.seq === id && data.type === event)).toBe(true);
    expect([events[0]?.event, events.at(-1)?.event]).toEqual(['RunCreated', 'RunCompleted']);
    expect(events.filter(({ event }) => event === 'TaskRetryScheduled')).toHaveLength(1);

    const state = await json(await send(`/runs/${runId}`));
    expect(state).toMatchObject({ status: 200, body: { runId, workflow: 'report', status: 'completed' } });
    expect(state.body.tasks.map(({ path, status }) => [path, status])).toEqual(
      expect.arrayContaining([
        ['search', 'completed'],
        ['read', 'completed'],
        ['write', 'completed'],
      ]),
    );
  });

  it('goes on after the last event that a client has seen, and tells it when there is no more', async () => {
    const runId = await start('moons', 4);
    const connection = await follow(runId);
    const before = await read(connection, ({ event }) => event === 'TaskProgressed');
    const last = before.at(-1)?.id as number;
    const after = await read(await follow(runId, last));
    expect([...before, ...after].map(({ id }) => id)).toEqual([...before, ...after].map((_, i) => i + 1));
    expect(after.at(-1)?.event).toBe('RunCompleted');

    expect((await follow(runId, after.at(-1)?.id)).status).toBe(204);
    // What was never an id of ours means: from the start.
    expect(await read(await follow(runId, -7))).toHaveLength(before.length + after.length);
  });

  it('says why tasks wait, and cancels by DELETE', async () => {
    const runId = await start('stars', 100);
    await read(await follow(runId), ({ event }) => event === 'TaskProgressed');
    const { body } = await json(await send(`/runs/${runId}`));
    const why = Object.fromEntries(body.tasks.map((task) => [task.path, task.why]));
    expect(why.write).toMatch(/waits for .*"read"/);

    expect(await json(await send(`/runs/${runId}`, { method: 'DELETE' }))).toMatchObject({ status: 202 });
    const events = await read(await follow(runId));
    expect(events.at(-1)?.event).toBe('RunCancelled');
    expect(await json(await send(`/runs/${runId}`, { method: 'DELETE' }))).toEqual({
      status: 409,
      body: { runId, status: 'cancelled' },
    });
  });

  it('starts one run for one idempotency key', async () => {
    const runIds = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const { body } = await json(await post('{ "topic": "suns" }', { 'idempotency-key': 'suns-1' }));
        return body.runId;
      }),
    );
    expect(new Set(runIds).size).toBe(1);
  });

  it('lets a run fail, and sends that too', async () => {
    const events = await read(await follow(await start('forbidden')));
    expect(events.at(-1)?.event).toBe('RunFailed');
  });

  it.each<readonly [string, () => Promise<Response>, number, object]>([
    ['no JSON', () => post('{'), 400, { message: 'the body has to be JSON' }],
    ['no body', () => post(''), 400, { message: 'the body has to be JSON' }],
    ['the wrong input', () => post('{ "topic": "" }'), 422, { code: 'INPUT_INVALID' }],
    ['no object', () => post('null'), 422, { code: 'INPUT_INVALID' }],
    ['too many pages', () => post('{ "topic": "x", "pages": 1e9 }'), 422, { code: 'INPUT_INVALID' }],
    ['a body that is too large', () => post(`"${'x'.repeat(1_000_000)}"`), 413, {}],
    [
      'a key that is too long',
      () => post('{ "topic": "x" }', { 'idempotency-key': 'k'.repeat(300) }),
      400,
      {},
    ],
    ['an unknown run', () => send('/runs/nobody'), 404, { code: 'RUN_NOT_FOUND' }],
    ['events of an unknown run', () => send('/runs/nobody/events'), 404, { code: 'RUN_NOT_FOUND' }],
    ['an unknown run to cancel', () => send('/runs/nobody', { method: 'DELETE' }), 404, {}],
    ['an unknown path', () => send('/walks'), 404, { message: 'there is no /walks' }],
    ['an unknown part', () => send('/runs/nobody/feet'), 404, {}],
    ['no path at all', () => send('//'), 404, {}],
    ['a method that is not there', () => send('/runs', { method: 'PUT', body: '{}' }), 405, {}],
  ])('answers %s with a reason', async (_, ask, status, body) => {
    const answer = await json(await ask());
    expect(answer).toMatchObject({ status, body });
    expect(answer.body.message).toEqual(expect.stringMatching(/.{8}/));
  });

  it('tells with 405 what is possible', async () => {
    expect((await send('/runs/r1/events', { method: 'POST' })).headers.get('allow')).toBe('GET');
    expect((await send('/runs')).headers.get('allow')).toBe('POST');
  });

  it('ends with 0 on SIGTERM, also while runs are followed and connections stay open', async () => {
    const runId = await start('winds', 100);
    const followed = await follow(runId);
    const events = read(followed).catch(() => []);
    // Given a client that never sends the rest of its request
    const { port, hostname } = new URL(base);
    const half = connect(Number(port), hostname).on('error', () => {});
    half.write('POST /runs HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
    await once(half, 'connect');
    await send('/walks');
    // When
    service.child.kill('SIGTERM');
    // Then
    expect(await service.ended).toBe(0);
    expect((await events)[0]?.event).toBe('RunCreated');
    expect(service.printed()).toMatch(/SIGTERM: closing\nclosed\n$/);
  });
});
