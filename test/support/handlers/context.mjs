/** Handlers that look at, and change, the async context (`AsyncLocalStorage`) in which they are executed. */
import { AsyncLocalStorage } from 'node:async_hooks';

const store = new AsyncLocalStorage();
// Whoever loads this module, and whatever is executed after it, is none of its business.
store.enterWith('left by the module');

/** A tracer as libraries have one: what is under way is found in a storage, and sent along by name. */
const tracer = new AsyncLocalStorage();
const extract = ({ traceparent }) => traceparent;

/** Continues the trace of the run around each handler. */
export const aroundHandlers = ({ trace }, next) => tracer.run(extract(trace), next);

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What a handler finds when it begins. */
export const look = () => store.getStore();

/** Enters a context at once, and leaves it behind. */
export const enter = ({ inputData }) => {
  store.enterWith(inputData);
  return store.getStore();
};

/** The same after each of its waits. */
export const enterLater = async ({ clock }) => {
  store.enterWith('entered later');
  await clock.sleep(1);
  const kept = store.getStore();
  store.enterWith('entered later still');
  await turn();
  return [kept, store.getStore()];
};

/** Its own context after everything that a handler can wait for, or be told. */
export const keeps = ({ progress, heartbeat, log, locks, clock, signal, inputData }) =>
  store.run(inputData, async () => {
    const seen = [];
    const note = (what) => seen.push(`${what}: ${store.getStore()}`);
    signal.addEventListener('abort', () => note('abort'));
    progress(1);
    heartbeat();
    log.info('working');
    await clock.sleep(2);
    note('sleep');
    const lock = await locks.acquire('page', { lease: 50 });
    note('lock');
    lock.signal.addEventListener('abort', () => note('lock lost'));
    await clock.real(turn());
    note('real');
    await locks.acquire('taken', { timeout: 5 }).catch(() => note('refused'));
    await clock.sleep(100);
    note('lease over');
    await clock.sleep('1h').catch(() => note('stopped'));
    progress(seen);
  });

/** Meets another call in its thread, and says what each of its turns saw. */
export const meets = ({ inputData, clock }) =>
  store.run(inputData, async () => {
    const seen = new Set();
    for (let i = 0; i < 20; i++) {
      await (i % 2 === 0 ? turn() : clock.sleep(1));
      seen.add(store.getStore());
    }
    return [...seen];
  });

/** What a library sees that asks the tracer, in every turn, and what the handler was given. */
export const traced = async ({ trace, attempt, clock, locks, signal }) => {
  const heard = [];
  signal.addEventListener('abort', () => heard.push(tracer.getStore()));
  const seen = [trace, tracer.getStore()];
  await clock.sleep(1);
  seen.push(tracer.getStore());
  const lock = await locks.acquire('page');
  lock.release();
  seen.push(tracer.getStore());
  if (attempt === 1) throw new Error(JSON.stringify(seen));
  return seen;
};
