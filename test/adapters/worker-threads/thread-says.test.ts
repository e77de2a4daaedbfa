/** What a call in a thread says and asks for leaves nothing behind, and floods nobody. */
import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { Call } from '../../../src/adapters/worker-threads/call.ts';
import { HostServices } from '../../../src/adapters/worker-threads/host-services.ts';
import type { ToHost, ToThread } from '../../../src/adapters/worker-threads/protocol.ts';
import { Asks } from '../../../src/adapters/worker-threads/thread/asks.ts';
import { ThreadContext } from '../../../src/adapters/worker-threads/thread/thread-context.ts';
import { ThreadSession } from '../../../src/adapters/worker-threads/thread/thread-session.ts';
import type { NestedLock } from '../../../src/model/handler.ts';
import { CALL } from '../../support/call-message.ts';
import { invocationOf, NO_LIMITS } from '../../support/pool-stage.ts';

/** The context of a call, and what it says to its host. */
function context(isVirtual = false): { own: ThreadContext; asks: Asks; said: ToHost[] } {
  const said: ToHost[] = [];
  const say = (message: ToHost): void => void said.push(message);
  const asks = new Asks(say);
  return { own: new ThreadContext(CALL, { say, asks, isVirtual, now: () => 0 }), asks, said };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it.each(['given back', 'taken back', 'over'])(
  'a lock that is %s listens no more to the signal that was to end its heartbeat',
  async (how) => {
    // Given a lock whose lease is renewed until a signal of the handler's own is aborted
    const { own, asks, said } = context();
    const { signal } = new AbortController();
    const pending = own.locks.acquire('cache', { lease: '10s', heartbeat: '1s', signal });
    asks.answer(1, { grant: 5, token: 9, names: ['cache'] });
    const lock = await pending;
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    // When it is gone
    if (how === 'given back') lock.release();
    else if (how === 'taken back') asks.taken(5);
    else asks.end(1, () => new Error('over'));
    // Then nothing of it hangs on that signal
    expect(getEventListeners(signal, 'abort').length).toBe(0);
    expect(said.map((message) => (message.type === 'ask' ? message.about.what : message.type))).toEqual(
      how === 'given back' ? ['acquire', 'release'] : ['acquire'],
    );
  },
);

it('a wait for a virtual clock that begins after its call is over asks the host for nothing', async () => {
  // Given a call that is over
  const { own, asks, said } = context(true);
  asks.end(1, () => new Error('over'));
  own.isOver = true;
  // When what it has left behind wants to sleep
  let isAwake = false;
  void own.clock.sleep(5).then(() => {
    isAwake = true;
  });
  await turn();
  // Then nobody is asked, and nobody is woken
  expect(said).toEqual([]);
  expect(isAwake).toBe(false);
});

it('the host says after the grant of a lock that it was taken back, also when that was meanwhile', async () => {
  // Given a lock that is taken back in the turn in which it is granted
  const controller = new AbortController();
  const lock = { names: ['cache'], token: 3, signal: controller.signal } as unknown as NestedLock;
  const invocation = invocationOf('handler');
  Object.assign(invocation.context, {
    locks: {
      acquire: async () => {
        queueMicrotask(() => controller.abort(new Error('taken back')));
        return lock;
      },
    },
  });
  const said: ToThread[] = [];
  const services = new HostServices({ say: (message) => said.push(message), now: () => 0, onWait: () => {} });
  const call = new Call(invocation, NO_LIMITS, () => {});
  call.id = 7;
  const options = { priority: undefined, timeout: undefined, lease: undefined, heartbeat: undefined };
  // When a thread asks for it
  services.asked(call, 1, { what: 'acquire', locks: [], options });
  await turn();
  // Then it hears of both, in this order
  expect(said).toMatchObject([
    { type: 'answer', ask: 1, value: { token: 3 } },
    { type: 'taken', id: 7 },
  ]);
  expect(call.grants?.size).toBe(0);
});

/** Executes a handler in a session of its own; returns what the host hears. */
async function played(source: string): Promise<ToHost[]> {
  const heard: ToHost[] = [];
  let tell: (batch: readonly ToThread[]) => void = () => {};
  const url = `data:text/javascript,${encodeURIComponent(`export const handler = ${source};`)}`;
  const wire = {
    post: (batch: readonly ToHost[]) => void heard.push(...batch),
    onBatch: (listener: typeof tell) => {
      tell = listener;
    },
  };
  const session = new ThreadSession(wire, { url, claims: undefined, concurrent: {}, isVirtual: false });
  const over = session.run(1);
  while (heard.length === 0) await turn();
  tell([{ ...CALL, name: 'handler' }, { type: 'end' }]);
  await over;
  return heard;
}

it.each([
  ['returns', 'undefined', 'ended'],
  ['throws', 'null.x', 'failed'],
  ['returns what cannot be sent', '() => {}', 'failed'],
])(
  'a call that logs without end and %s is heard up to a limit, and one line tells the rest',
  async (_, ends, type) => {
    const heard = await played(`({ log }) => {
    for (let i = 0; i < 10_007; i++) log.info('line ' + i);
    return ${ends};
  }`);
    const lines = heard.filter((message) => message.type === 'log');
    expect(lines.length).toBe(10_001);
    expect(lines.at(-2)).toMatchObject({ level: 'info', message: 'line 9999' });
    expect(lines.at(-1)).toMatchObject({ level: 'warn', fields: { dropped: 7 } });
    expect(heard.at(-1)?.type).toBe(type);
  },
);

it('says nothing of log lines when none was dropped', async () => {
  const heard = await played(`({ log }) => { for (let i = 0; i < 10_000; i++) log.info('line'); }`);
  expect(heard.filter((message) => message.type === 'log' && message.level !== 'info')).toEqual([]);
});

it('signs of life are told once a millisecond at most', async () => {
  const heard = await played(`({ heartbeat }) => {
    const from = performance.now();
    let beats = 0;
    while (performance.now() < from + 5 || beats < 10_000) {
      heartbeat();
      beats++;
    }
    return performance.now() - from;
  }`);
  const took = heard.find((message) => message.type === 'ended')?.output as number;
  const beats = heard.filter((message) => message.type === 'heartbeat').length;
  expect(beats).toBeGreaterThanOrEqual(1);
  expect(beats).toBeLessThanOrEqual(took + 1);
});
