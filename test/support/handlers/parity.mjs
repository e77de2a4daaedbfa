/**
 * Handlers that use everything a handler is given, to be executed inline, in a thread and in a process. What they return is
 * plain data, the same wherever they run.
 */

/** What can be told of an error. */
const told = (error) =>
  error instanceof Error
    ? {
        name: error.name,
        message: error.message,
        code: error.code,
        details: error.details,
        retryable: error.retryable,
        cause: error.cause === undefined ? undefined : told(error.cause),
      }
    : error;

const refused = async (work) => {
  try {
    return { value: await work() };
  } catch (error) {
    return told(error);
  }
};

/** Everything that can be read. */
export const members = (context) => {
  const { runId, path, taskId, input, inputData, dependencies, attempt, idempotencyKey, trace } = context;
  const { signal, locks, heartbeat, progress, log, clock } = context;
  return {
    ...{ runId, path, taskId, input, inputData, dependencies, attempt, idempotencyKey, trace },
    aborted: signal.aborted,
    isSignal: signal instanceof AbortSignal && signal === context.signal,
    names: locks.names,
    tokens: locks.names.map((name) => locks.token(name) > 0),
    kinds: [
      heartbeat,
      progress,
      log.debug,
      log.info,
      log.warn,
      log.error,
      clock.now,
      clock.sleep,
      clock.real,
    ].map((member) => typeof member),
  };
};

export const unheldToken = ({ locks }) => refused(async () => locks.token('other'));

const OUTPUTS = {
  undefined: () => undefined,
  null: () => null,
  false: () => false,
  text: () => 'text \u0000 \ud83d\ude00',
  'lone surrogate': () => '\ud83d',
  'minus zero': () => -0,
  NaN: () => Number.NaN,
  infinity: () => Number.NEGATIVE_INFINITY,
  bigint: () => 2n ** 80n,
  // With two holes.
  list: () => Object.assign(new Array(3), { 0: 1 }),
  'list with a name': () => Object.assign([1], { name: 'x' }),
  object: () =>
    Object.fromEntries(
      Object.entries({ a: { b: [] }, __proto: 1, constructor: 2 }).concat([
        ['then', 'now'],
        ['__proto__', 3],
      ]),
    ),
  'object without a prototype': () => Object.assign(Object.create(null), { a: 1 }),
  map: () => new Map([['a', { b: new Set([1, 'x']) }]]),
  date: () => new Date(0),
  'invalid date': () => new Date(Number.NaN),
  bytes: () => new Uint8Array([1, 2, 3]),
  'a part of bytes': () => new Uint8Array([1, 2, 3]).subarray(1, 2),
  floats: () => new Float64Array([0.1, -0]),
  bigints: () => new BigInt64Array([-1n]),
  view: () => new DataView(new Uint8Array([9, 8]).buffer, 1),
  'array buffer': () => new Uint8Array([5, 6]).buffer,
  'bytes in an object': () => ({ bytes: new Uint8Array([4, 5]), again: new Float32Array([1]) }),
  buffer: () => Buffer.from('abc'),
  'one object twice': () => {
    const one = { n: 1 };
    return [one, one];
  },
  error: () => new TypeError('kept', { cause: new Error('deep') }),
  'error in a map': () => new Map([['e', Object.assign(new RangeError('r'), { code: 'E' })]]),
  function: () => () => 1,
  'function deep inside': () => ({ a: [{ b: () => 1 }] }),
  symbol: () => Symbol('s'),
  'class instance': () => new (class Page {})(),
  url: () => ({ href: new URL('https://example.org/') }),
  expression: () => /x/,
  getter: () => ({
    get x() {
      return 1;
    },
  }),
  cycle: () => {
    const one = {};
    one.self = one;
    return one;
  },
  promise: () => ({ later: Promise.resolve(1) }),
  'weak map': () => new WeakMap(),
  thenable: () => Object.fromEntries([['then', (resolve) => resolve('from a thenable')]]),
  'revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return { proxy };
  },
};

export const outputNames = Object.keys(OUTPUTS);
export const output = ({ inputData }) => OUTPUTS[inputData]();
export const outputLater = async ({ inputData }) => OUTPUTS[inputData]();

class PageError extends RangeError {
  constructor(page) {
    super(`no page ${page}`);
    this.name = 'PageError';
    this.page = page;
    this.code = 'E_PAGE';
  }
}

const THROWN = {
  plain: () => new Error('plain'),
  class: () => new PageError(7),
  'without retry': () => Object.assign(new Error('never again'), { retryable: false }),
  causes: () => new TypeError('outer', { cause: new Error('middle', { cause: { code: 'ROOT' } }) }),
  aggregate: () => new AggregateError([new Error('one'), 'two'], 'both'),
  abort: () => new DOMException('stopped', 'AbortError'),
  system: () => Object.assign(new Error('no file'), { code: 'ENOENT', errno: -2, path: '/x' }),
  null: () => null,
  undefined: () => undefined,
  text: () => 'only text',
  number: () => 42,
  object: () => ({ code: 'ODD', retryable: false }),
  function: () => () => 1,
  symbol: () => Symbol('s'),
  'odd fields': () =>
    Object.assign(new Error('odd'), { socket: () => 1, list: [1], url: new URL('https://example.org/') }),
};

export const thrownNames = Object.keys(THROWN);
export const fail = ({ inputData }) => {
  throw THROWN[inputData]();
};
export const failLater = async ({ inputData, clock }) => {
  await clock.sleep(5);
  throw THROWN[inputData]();
};

export const flaky = ({ attempt, progress, idempotencyKey, log }) => {
  progress({ attempt });
  log.warn('trying', { attempt });
  if (attempt < 3) throw new PageError(attempt);
  return idempotencyKey;
};

export const reports = async ({ progress, clock, log }) => {
  const problems = [];
  for (const value of [
    undefined,
    1,
    { deep: [new Map([[1, 2]])] },
    new Date(5),
    () => 1,
    { x: Symbol('s') },
  ]) {
    problems.push(await refused(async () => progress(value)));
    await clock.sleep(1);
  }
  log.info('reported', { problems: problems.length });
  return problems;
};

export const tooMuchProgress = async ({ progress }) => {
  for (let i = 0; i < 10_000; i++) progress(i);
  return refused(async () => progress('one too many'));
};

export const logs = ({ log: { debug, info, warn, error } }) => {
  debug('debug');
  info('info', { n: 1, nested: { list: [1] } });
  warn('warn', { path: 'mine', runId: 'mine too' });
  error('error', { bytes: new Uint8Array([1]), none: undefined });
};

export const beats = async ({ heartbeat, clock, attempt }) => {
  if (attempt === 1) {
    await clock.sleep(900);
    heartbeat();
    return clock.sleep('1h');
  }
  for (let i = 0; i < 4; i++) {
    await clock.sleep(900);
    heartbeat();
  }
  return 'alive';
};

export const progressBeats = async ({ progress, clock }) => {
  for (let i = 0; i < 4; i++) {
    await clock.sleep(90);
    progress(i);
  }
};

export const time = async ({ clock }) => {
  const start = clock.now();
  const slept = await clock.sleep('1h');
  const later = clock.now() - start;
  const two = [];
  await Promise.all([5, 3].map((ms) => clock.sleep(ms).then(() => two.push([ms, clock.now() - start]))));
  const real = await clock.real(new Promise((resolve) => setImmediate(() => resolve('real'))));
  const bad = [];
  for (const duration of [-1, Number.NaN, '5', '5 parsecs', null, {}])
    bad.push(await refused(() => clock.sleep(duration)));
  return { slept, later, two, real, bad };
};

/** A virtual clock that sleeps beside something real stands still for that. */
export const realBesideSleep = async ({ clock }) => {
  const start = clock.now();
  const real = clock.real(
    (async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      return clock.now() - start;
    })(),
  );
  const [, at] = await Promise.all([clock.sleep('1h'), real]);
  return [at, clock.now() - start];
};

export const obeys = async ({ clock, signal, progress }) => {
  const heard = [];
  signal.addEventListener('abort', () => heard.push(told(signal.reason)));
  const ended = await refused(() => clock.sleep('1h'));
  progress({ heard, ended, aborted: signal.aborted, again: await refused(() => clock.sleep(1)) });
  return 'what it returns no longer counts';
};

export const takesLocks = async ({ locks }) => {
  const x = await locks.acquire('x');
  const yz = await locks.acquire(['z', 'y'], { mode: 'shared' });
  const seen = {
    names: [x.names, yz.names],
    tokens: [x.token, yz.token, x.token < yz.token],
    held: [x.isHeld, yz.isHeld],
    signals: [x.signal, yz.signal].map((signal) => signal.aborted),
  };
  x.renew();
  x.release();
  yz[Symbol.dispose]();
  yz[Symbol.dispose]();
  const again = await locks.acquire('x');
  return {
    ...seen,
    after: [x.isHeld, yz.isHeld, x.signal.aborted, again.isHeld],
    released: [await refused(async () => x.release()), await refused(async () => x.renew())],
  };
};

export const refusedLocks = async ({ locks }) => {
  const held = await locks.acquire('x');
  const asked = [
    ['own'],
    ['x'],
    [['y', 'x']],
    ['shared', { mode: 'exclusive' }],
    [''],
    ['a/b'],
    [[]],
    [null],
    [7],
    [undefined],
    [[7]],
    [() => 1],
    [[{ name: 'q', mode: 'shared' }, 'q']],
    ['q', null],
    ['q', 5],
    ['q', { mode: 'write' }],
    ['q', { mode: () => 1 }],
    ['q', { wait: 5 }],
    ['q', { timeout: '5' }],
    ['q', { timeout: -1 }],
    ['q', { priority: Number.NaN }],
    ['q', { priority: '1' }],
    ['q', { lease: 0 }],
    ['q', { heartbeat: 5 }],
    ['q', { lease: 5, heartbeat: 5 }],
    ['q', { signal: {} }],
    ['q', { signal: 'stop' }],
  ];
  const answers = [];
  for (const [name, options] of asked)
    answers.push(
      await refused(async () => {
        const lock = await locks.acquire(name, options);
        lock.release();
        return lock.names;
      }),
    );
  return { held: held.isHeld, answers };
};

/** Waits for a lock that somebody else has, for so long. */
export const waitsInVain = async ({ locks, clock, inputData }) => {
  const start = clock.now();
  const timed = await refused(() => locks.acquire(inputData, { timeout: '5s' }));
  const controller = new AbortController();
  const wait = refused(() => locks.acquire(inputData, { signal: controller.signal }));
  await clock.sleep(10);
  controller.abort(new Error('no longer wanted'));
  const stopped = await wait;
  const at = clock.now() - start;
  return {
    timed,
    stopped,
    at,
    aborted: await refused(() => locks.acquire(inputData, { signal: controller.signal })),
  };
};

/** Waits for a lock until it is told to stop. */
export const waitsUntilStopped = async ({ locks, inputData, progress, signal }) => {
  progress(await refused(() => locks.acquire(inputData)));
  progress(await refused(() => locks.acquire('free')));
  throw signal.reason;
};

export const leases = async ({ locks, clock }) => {
  const start = clock.now();
  const lock = await locks.acquire('x', { lease: '1s' });
  const heard = [];
  lock.signal.addEventListener('abort', () => heard.push(clock.now() - start));
  await clock.sleep(800);
  lock.renew();
  await clock.sleep(800);
  const kept = lock.isHeld;
  await clock.sleep(800);
  const beating = await locks.acquire('y', { lease: '1s', heartbeat: '300ms' });
  await clock.sleep('10s');
  return {
    kept,
    heard,
    isHeld: lock.isHeld,
    reason: told(lock.signal.reason),
    late: [await refused(async () => lock.renew()), await refused(async () => lock.release())],
    beating: [beating.isHeld, beating.signal.aborted],
    next: await locks.acquire('x').then((next) => next.token > lock.token),
  };
};

/** The heartbeat of a lease ends with the signal of its wait. */
export const leaseRests = async ({ locks, clock }) => {
  const controller = new AbortController();
  const lock = await locks.acquire('x', { lease: '1s', heartbeat: '300ms', signal: controller.signal });
  await clock.sleep('5s');
  const before = lock.isHeld;
  controller.abort();
  await clock.sleep('5s');
  return [before, lock.isHeld, lock.signal.reason?.code];
};

/** Takes two locks, one after the other. */
export const takesTwo = async ({ locks, clock, inputData: { first, second, at } }) => {
  await clock.sleep(at);
  await locks.acquire(first);
  await clock.sleep(20);
  await locks.acquire(second);
  return at;
};

/** Reads, then wants to write. */
export const upgrades = async ({ locks, clock, inputData: at }) => {
  await clock.sleep(at);
  await locks.acquire('page', { mode: 'shared' });
  await clock.sleep(20);
  const lock = await locks.acquire('page');
  return lock.names;
};

/** Leaves a lock, and a wait for another one, behind. */
export const leavesLocks = async ({ locks, clock, inputData }) => {
  const lock = await locks.acquire('left');
  left.lock = lock;
  left.wait = refused(() => locks.acquire(inputData));
  left.locks = locks;
  await clock.sleep(1);
  return lock.isHeld;
};
const left = {};
/** What became of that, in the next call of the same thread. */
export const findsLocksLeft = async () => ({
  isHeld: left.lock.isHeld,
  reason: told(left.lock.signal.reason),
  wait: await left.wait,
  late: await refused(() => left.locks.acquire('free')),
});

/** Sees the outcomes of others. */
export const settles = ({ dependencies }) => {
  const outcomes = structuredClone(dependencies);
  for (const outcome of Object.values(outcomes)) if (outcome.failure) outcome.failure.stack = undefined;
  return outcomes;
};
