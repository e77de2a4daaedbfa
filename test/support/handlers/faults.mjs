/** Handlers that do whatever a handler must not do. */
import { closeSync, existsSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { serialize } from 'node:v8';
import { parentPort, Worker } from 'node:worker_threads';

export const echo = ({ inputData }) => inputData;
export const threadOf = async () => `${process.pid}/${(await import('node:worker_threads')).threadId}`;

// Those that take too long. They write a file when they have begun: that needs no message.
const begun = ({ inputData }) => {
  if (typeof inputData === 'string') writeFileSync(inputData, 'begun');
};
export const spin = (context) => {
  begun(context);
  for (;;);
};
export const spinMicrotasks = (context) => {
  begun(context);
  const again = () => Promise.resolve().then(again);
  return again();
};
export const spinRegExp = (context) => {
  begun(context);
  return /^(a+)+$/.test(`${'a'.repeat(60)}b`);
};
export const atomicsWait = (context) => {
  begun(context);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};
export const neverSettles = (context) => {
  begun(context);
  return new Promise(() => {});
};
export const ignoresAbort = (context) => {
  begun(context);
  context.signal.addEventListener('abort', () => {});
  return new Promise(() => {});
};
export const heedsAbort = (context) => {
  begun(context);
  return new Promise((_, reject) =>
    context.signal.addEventListener('abort', () => reject(context.signal.reason)),
  );
};
export const returnsOnAbort = (context) => {
  begun(context);
  return new Promise((resolve) => context.signal.addEventListener('abort', () => resolve('what I have')));
};
export const slow = async ({ inputData }) => {
  await sleep(20);
  return inputData ?? 'done';
};
/** Holds its thread until a file is gone. */
export const untilGone = async ({ inputData }) => {
  while (existsSync(inputData)) await sleep(2);
  return 'gone';
};
export const remove = ({ inputData }) => unlinkSync(inputData);

// Memory.
export const oomSmall = () => {
  let chain;
  for (;;) chain = { chain, text: `${Math.random()}` };
};
export const oomRows = () => {
  const rows = [];
  for (;;) rows.push(new Array(1e4).fill(0.5));
};
export const oomPush = () => {
  const list = [];
  for (;;) list.push(list.length + 0.5);
};
export const oomPresized = () => {
  const lists = [];
  for (;;) lists.push(new Array(1e8).fill(0.5));
};
/** Bytes outside the heap: no limit of a thread counts them. */
export const buffers = ({ inputData }) => {
  const list = [];
  for (let mib = 0; mib < inputData; mib += 16) list.push(new Uint8Array(16 * 1024 * 1024).fill(1));
  return list.length * 16;
};
export const deepRecursion = () => {
  const down = () => 1 + down();
  return down();
};

// Ends of the thread.
export const exitZero = () => process.exit(0);
export const exitSeven = () => process.exit(7);
export const exitLater = async () => {
  await sleep(1);
  process.exit(7);
};
export const exitInTimer = () => {
  setTimeout(() => process.exit(7), 1);
  return new Promise(() => {});
};
export const exitCode = () => {
  process.exitCode = 9;
  return 'set';
};
export const reallyExit = () => process.reallyExit(3);
export const abort = () => process.abort();
export const killItself = ({ inputData }) => {
  process.kill(process.pid, inputData ?? 'SIGTERM');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
};
export const saysAndExits = ({ progress, log }) => {
  progress('last words');
  log.info('last line');
  process.reallyExit(5);
};
/** Closes the pipes between its process and the host. */
export const disconnects = ({ inputData }) => {
  for (const fd of inputData) closeSync(fd);
  return new Promise(() => {});
};

// What is thrown.
export const throwsNull = () => {
  throw null;
};
export const rejectsUndefined = () => Promise.reject();
export const throwsText = () => {
  throw 'a text';
};
export const throwsObject = () => {
  throw { code: 'E_PLAIN', list: [1] };
};
export const throwsFunction = () => {
  throw () => 1;
};
export const throwsOdd = () => {
  throw Object.assign(new RangeError('odd'), { fine: 1, odd: () => 1, port: new Proxy({}, {}) });
};
export const throwsProxy = () => {
  throw new Proxy(new Error('behind a proxy'), {
    get() {
      throw new Error('trap');
    },
    getPrototypeOf() {
      throw new Error('trap');
    },
  });
};
export const throwsGetter = () => {
  const error = new Error('never read');
  Object.defineProperty(error, 'message', {
    get() {
      throw new Error('from a getter');
    },
  });
  throw error;
};
class PaymentError extends TypeError {
  name = 'PaymentError';
  code = 'E_PAYMENT';
  amount = { currency: 'EUR', cents: 12n };
  at = new Date(7);
}
export const throwsRich = () => {
  throw new PaymentError('too little', { cause: new RangeError('below zero', { cause: 'a text' }) });
};
export const throwsAggregate = () => {
  throw new AggregateError(
    [new TypeError('one'), null, Object.assign(new Error('three'), { code: 'E_3' })],
    'all of them',
  );
};
export const throwsDomException = () => {
  throw new DOMException('was stopped', 'AbortError');
};
export const throwsTimeout = async () => {
  const signal = AbortSignal.timeout(1);
  await sleep(1_000, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
};
export const throwsSystem = () => writeFileSync('/no/such/folder/file', '');
export const throwsItself = () => {
  const error = new Error('a ring');
  error.cause = error;
  throw error;
};
export const throwsRetryable = () => {
  throw Object.assign(new Error('not again'), { retryable: false });
};

// What is returned.
export const returnsFunction = () => ({ list: [1, { act() {} }] });
export const returnsSymbol = () => Symbol('s');
export const returnsProxy = () =>
  new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('trap');
      },
    },
  );
export const returnsUrl = () => ({ url: new URL('https://example.org') });
export const returnsPort = () => ({ parentPort: parentPort ?? process });
export const returnsNothing = () => {};
/** Answers twice, and throws after that. */
export const answersTwice = () => ({
  // biome-ignore lint/suspicious/noThenProperty: a thenable of the host's own is what is tested
  then(resolve, reject) {
    resolve('first');
    resolve('second');
    reject(new Error('third'));
    throw new Error('fourth');
  },
});
export const throwsInThen = () => ({
  // biome-ignore lint/suspicious/noThenProperty: a thenable of the host's own is what is tested
  get then() {
    throw new Error('no promise after all');
  },
});
/** Goes on to talk after its end. */
export const talksAfterwards = ({ progress, log, heartbeat }) => {
  setTimeout(() => {
    progress('late');
    log.info('late');
    heartbeat();
  }, 1);
  return 'early';
};

// Errors that nobody catches.
export const unhandledRejection = () => {
  void Promise.reject(new RangeError('nobody catches this'));
  return new Promise(() => {});
};
export const throwsInTimer = () => {
  setTimeout(() => {
    throw new RangeError('thrown in a timer');
  }, 1);
  return new Promise(() => {});
};
/** Its error comes when it is over. */
export const throwsAfterwards = ({ inputData }) => {
  setTimeout(() => {
    throw new RangeError('thrown afterwards');
  }, inputData ?? 1);
  return 'early';
};

// Forged messages to whoever owns the thread or process.
export const posts = () => parentPort.postMessage(null);
/** The same in a process: as its own session writes them, into the pipe to the host. */
export const forges = ({ inputData }) => {
  for (const value of inputData) {
    const bytes = serialize(FORGERIES[value]?.() ?? value);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes.length);
    writeAll(Buffer.concat([head, bytes]));
  }
  return 'forged';
};
function writeAll(bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(4, bytes, at);
    } catch (error) {
      // The pipe is full.
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}
/** What cannot be written down as data: rings, and errors that unfold to far more than their bytes. */
const FORGERIES = {
  ring: () => {
    const error = { ...ERROR };
    error.cause = error;
    return [{ type: 'failed', id: 1, error }];
  },
  flood: () => {
    const properties = Array.from({ length: 50_000 }, (_, i) => [`p${i}`, i, true]);
    const one = { error: new Error('m'), properties };
    return [{ type: 'ended', id: 1, output: 1, errors: Array.from({ length: 50_000 }, () => one) }];
  },
  bomb: () => {
    let error = { ...ERROR };
    for (let depth = 0; depth < 30; depth++) error = { ...ERROR, errors: [error, error] };
    return [{ type: 'failed', id: 1, error }];
  },
};
const ERROR = { kind: 'error', base: 'Error', name: 'E', message: 'm', fields: {} };
/** Bytes that are no message, into a pipe between its process and the host. */
export const garbage = ({ inputData: { fd, bytes } }) => {
  writeSync(fd, bytes);
  return sleep(fd === 4 ? 600_000 : 1, 'written');
};
/** Talks without an end, and never listens; given the number of its call. */
export const floods = ({ inputData: id }) => {
  const bytes = serialize([{ type: 'ask', id, ask: 1, about: { what: 'sleep', durationMs: -1 } }]);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  const many = Buffer.concat(Array.from({ length: 200 }, () => Buffer.concat([head, bytes])));
  for (;;) writeAll(many);
};
/** Listens itself to what ends its process: it goes on living. */
export const survives = async () => {
  process.once('uncaughtException', () => {});
  setTimeout(() => {
    throw new RangeError('heard by the handler itself');
  }, 1);
  await sleep(5);
  return 'alive';
};
/** Keeps its thread busy for ever when it is over. */
export const spinsAfterwards = () => {
  setTimeout(() => {
    for (;;);
  }, 1);
  return 'over';
};
/** Keeps the end of its process for itself. */
export const spinsAtExit = () => {
  process.on('exit', () => {
    for (;;);
  });
  return 'over';
};
export const removesListeners = () => {
  process.removeAllListeners();
  parentPort?.removeAllListeners();
  return 'removed';
};
export const removesAndThrows = () => {
  removesListeners();
  return throwsInTimer();
};
export const closesParentPort = () => {
  parentPort?.close();
  return 'closed';
};

/** How often a timer ticks in a thread that executes nothing. */
let ticks = 0;
export const startsTicking = () => {
  setInterval(() => ticks++, 2).unref();
};
export const ticked = () => ticks;

/** Leaves threads and timers behind. */
export const startsThread = () => {
  new Worker('for (;;);', { eval: true }).unref();
  setInterval(() => {}, 5);
  return 'started';
};
