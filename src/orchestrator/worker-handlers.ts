import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describeValue, quote } from '../base/values.ts';
import {
  checkBoolean,
  checkChoice,
  checkDuration,
  checkInteger,
  checkKeys,
  checkRecord,
  checkText,
  checkTimeLimit,
  copyList,
  type Duration,
  invalidOption,
  reading,
} from '../model/checks.ts';
import { refuse } from '../model/errors.ts';
import {
  type WorkerHandlerLimits,
  type WorkerHandlers,
  type WorkerModule,
  type WorkerRef,
  type WorkerSettings,
  workerModule,
} from '../model/worker-handlers.ts';

/** What one handler of a module may use. */
export interface WorkerHandlerOptions {
  /**
   * How many calls of it one thread may execute at the same time, for handlers that mostly wait: 1 to 10,000, or `true`
   * for 1,000. A call that brings its thread down takes its neighbours along (`WORKER_LOST`). Default 1.
   */
  readonly concurrent?: true | number | undefined;
  /** How many calls of it may be executed at the same time, over all threads: 1 to 1,000,000. Default: no limit. */
  readonly concurrency?: number | undefined;
  /**
   * How many calls of it may wait, as `queue` of the module counts them: 1 to 1,000,000. Default: as many as may wait for
   * the module.
   */
  readonly queue?: number | undefined;
  /** How long one call may be executed, before its thread is ended (`WORKER_TERMINATED`). Default: no limit. */
  readonly timeout?: Duration | undefined;
}

/** How the threads of a module are to be. */
export interface WorkerHandlersOptions<Name extends string = string> {
  /** The most threads: 1 to 256. Default: one less than the machine can execute at once, at least one. */
  readonly threads?: number | undefined;
  /** How many threads are started before the first call: 0 to `threads`. Default 0. */
  readonly warmUp?: number | undefined;
  /** How long a thread stays without work. Default `5s`. */
  readonly idle?: Duration | undefined;
  /**
   * How long a thread may take to start and to load the module: `1ms` to `24h`, counted while the host's event loop is not
   * blocked. Then the thread is ended, and what waits fails with `HANDLER_LOAD_FAILED`. Default `60s`.
   */
  readonly loadTimeout?: Duration | undefined;
  /** The largest heap of a thread: MiB from 16 to 1,048,576, or text such as `256mb`, `2gb`. Default: that of Node. */
  readonly memory?: number | string | undefined;
  /**
   * How many calls may wait: 1 to 1,000,000; beyond it an attempt fails with `QUEUE_FULL`. A call waits until its handler is
   * begun, in the host or in a thread, unless a thread is free for it. Default 100,000.
   */
  readonly queue?: number | undefined;
  /** `process` executes handlers in child processes, for native or untrusted code. Default `thread`. */
  readonly isolation?: 'thread' | 'process' | undefined;
  /** Whether a module file that was changed is loaded anew before the next call; for development. Default `false`. */
  readonly reload?: boolean | undefined;
  /** Environment variables, beside those of the host. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Options for Node. */
  readonly execArgv?: readonly string[] | undefined;
  /** The file of this package that a thread runs first; only for hosts that bundle the package. */
  readonly entry?: URL | string | undefined;
  /** Limits of single handlers, by name. */
  readonly handlers?: { readonly [Key in Name]?: WorkerHandlerOptions | undefined } | undefined;
}

/** What is known of a module whose type was not given: any name may be a handler. */
type AnyModule = Readonly<Record<string, () => unknown>>;

const KEYS: ReadonlySet<string> = new Set([
  'threads',
  'warmUp',
  'idle',
  'loadTimeout',
  'memory',
  'queue',
  'isolation',
  'reload',
  'env',
  'execArgv',
  'entry',
  'handlers',
]);
const HANDLER_KEYS: ReadonlySet<string> = new Set(['concurrent', 'concurrency', 'queue', 'timeout']);

/** The most threads of one module. */
export const THREADS_MAX = 256;
/** The most calls that can wait for the threads of one module. */
export const WORKER_QUEUE_MAX = 1_000_000;
/** The most calls of one handler that one thread can execute at the same time, and what `concurrent: true` means. */
export const CONCURRENT_MAX = 10_000;
const CONCURRENT_DEFAULT = 1_000;
const MEMORY_MB_MIN = 16;
/** The largest heap of a thread, in MiB. */
export const MEMORY_MB_MAX = 1_048_576;
const QUEUE_DEFAULT = 100_000;
const IDLE_MS_DEFAULT = 5_000;
const LOAD_MS_DEFAULT = 60_000;
/** The longest time that a module may take to be loaded: a day, in milliseconds. */
export const LOAD_MS_MAX = 86_400_000;
const AT = 'workerHandlers';
const OPTIONS = 'an object of options such as { threads }';
const MIB_BY_UNIT: Readonly<Record<string, number>> = { m: 1, g: 1_024, t: 1_048_576 };

/**
 * The handlers that a module exports, to be executed in worker threads. Nothing is loaded or started here: the module is
 * loaded by the first thread that needs it, and never by the host.
 *
 * Spread it into `open({ handlers })` for workflows in plain data that name its exports.
 *
 * @typeParam Module - `typeof import('./handlers.js')`, for the names and types of its functions
 * @param url - the module: a `file:` URL, mostly `new URL('./handlers.js', import.meta.url)`, or an absolute path
 * @returns an object with a reference for each function; names are checked when a thread loads the module
 * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`, `LIMIT_EXCEEDED`
 * @example
 * const handlers = workerHandlers<typeof import('./handlers.js')>(new URL('./handlers.js', import.meta.url));
 * const parse = task('parse', { dependencies: { search }, handler: handlers.parse });
 */
export function workerHandlers<Module extends object = AnyModule>(
  url: URL | string,
  options: WorkerHandlersOptions<keyof WorkerHandlers<Module> & string> = {},
): WorkerHandlers<Module> {
  const href = reading(`${AT}/url`, 'a file: URL', () => checkModuleUrl(url, `${AT}/url`));
  const settings = reading(AT, OPTIONS, () => readSettings(options));
  return references(workerModule(href, settings)) as WorkerHandlers<Module>;
}

/**
 * The names of a module are not known before it is loaded, so any name gives a reference. What JavaScript itself asks
 * objects for is answered as a plain object would: it is no promise, and has no form of its own for JSON.
 */
function references(module: WorkerModule): object {
  const made = new Map<string, WorkerRef>();
  // A key of its own: the modules of two calls can be spread into one object.
  const target = Object.freeze({ [Symbol(`worker handlers of ${module.url}`)]: module });
  return new Proxy(target, {
    get: (own, name) => {
      if (typeof name === 'symbol' || name in own) return Reflect.get(own, name);
      if (name === 'then' || name === 'toJSON') return undefined;
      let ref = made.get(name);
      if (ref === undefined) {
        ref = Object.freeze({ kind: 'worker', name, module });
        made.set(name, ref);
      }
      return ref;
    },
  });
}

/** The address of a file of code. */
function checkModuleUrl(value: unknown, at: string, example = './handlers.js'): string {
  const text = typeof value === 'string' ? value : value instanceof URL ? value.href : undefined;
  const url = text === undefined ? undefined : isAbsolute(text) ? pathToFileURL(text) : parseUrl(text);
  if (url !== undefined && isFile(url)) return url.href;
  throw refuse('OPTION_INVALID', {
    at,
    found: value instanceof URL ? `the URL ${quote(value.href)}` : describeValue(value),
    allowed: 'a file: URL, or an absolute path, that names a file',
    hint: `Use new URL('${example}', import.meta.url).`,
  });
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function isFile(url: URL): boolean {
  try {
    // What ends so can only be a folder.
    return !/[/\\]$/.test(fileURLToPath(url));
  } catch {
    // Another scheme, or the file of another machine.
    return false;
  }
}

function readSettings(given: unknown): WorkerSettings {
  const options = checkRecord(given, AT, OPTIONS) as WorkerHandlersOptions;
  checkKeys(options, KEYS, AT);
  const integer = (
    key: 'threads' | 'warmUp' | 'queue',
    min: number,
    max: number,
    otherwise: number,
  ): number =>
    options[key] === undefined ? otherwise : checkInteger(options[key], `${AT}/${key}`, min, max);
  const threads = integer(
    'threads',
    1,
    THREADS_MAX,
    Math.min(THREADS_MAX, Math.max(1, availableParallelism() - 1)),
  );
  const { idle, loadTimeout, memory, isolation, reload, env, execArgv, entry, handlers } = options;
  return {
    threads,
    warmUp: integer('warmUp', 0, threads, 0),
    idleMs: idle === undefined ? IDLE_MS_DEFAULT : checkDuration(idle, `${AT}/idle`),
    loadMs: loadTimeout === undefined ? LOAD_MS_DEFAULT : checkLoadTimeout(loadTimeout, `${AT}/loadTimeout`),
    memoryMb: memory === undefined ? undefined : checkMemory(memory, `${AT}/memory`),
    queue: integer('queue', 1, WORKER_QUEUE_MAX, QUEUE_DEFAULT),
    isolation:
      isolation === undefined ? 'thread' : checkChoice(isolation, `${AT}/isolation`, ['thread', 'process']),
    reload: reload === undefined ? false : checkBoolean(reload, `${AT}/reload`),
    env: env === undefined ? undefined : checkEnv(env, `${AT}/env`),
    execArgv: execArgv === undefined ? undefined : checkArguments(execArgv, `${AT}/execArgv`),
    entry: entry === undefined ? undefined : checkModuleUrl(entry, `${AT}/entry`, './worker.js'),
    handlers: handlers === undefined ? new Map() : checkLimits(handlers, `${AT}/handlers`),
  };
}

function checkLoadTimeout(value: unknown, at: string): number {
  const ms = checkTimeLimit(value, at);
  if (ms <= LOAD_MS_MAX) return ms;
  throw invalidOption(at, value, 'a duration from 1ms to 24h');
}

function checkMemory(value: unknown, at: string): number {
  const parts = typeof value === 'string' ? /^(\d{1,10}(?:\.\d{1,3})?) ?([mgt])i?b$/i.exec(value) : null;
  const mib =
    parts === null ? value : Number(parts[1]) * (MIB_BY_UNIT[(parts[2] as string).toLowerCase()] as number);
  if (Number.isInteger(mib) && (mib as number) >= MEMORY_MB_MIN && (mib as number) <= MEMORY_MB_MAX)
    return mib as number;
  throw invalidOption(
    at,
    value,
    `whole MiB from ${MEMORY_MB_MIN} to ${MEMORY_MB_MAX}, or text with a unit such as 256mb, 2gb`,
  );
}

function checkEnv(value: unknown, at: string): Readonly<Record<string, string>> {
  const record = checkRecord(value, at, 'an object from name to string');
  const entries = Object.keys(record).map((name): [string, string] => [
    name,
    checkText(record[name], `${at}/${name}`, 131_072),
  ]);
  return Object.freeze(Object.fromEntries(entries));
}

function checkArguments(value: unknown, at: string): readonly string[] {
  if (!Array.isArray(value)) throw invalidOption(at, value, 'an array of strings');
  const list = copyList(value, at, 1_000, 'arguments');
  return Object.freeze(list.map((item, i) => checkText(item, `${at}/${i}`, 131_072)));
}

function checkLimits(value: unknown, at: string): ReadonlyMap<string, WorkerHandlerLimits> {
  const record = checkRecord(value, at, 'an object from handler name to limits');
  return new Map(Object.keys(record).map((name) => [name, checkLimit(record[name] ?? {}, `${at}/${name}`)]));
}

function checkLimit(value: unknown, at: string): WorkerHandlerLimits {
  const limits = checkRecord(value, at, 'an object of limits such as { concurrent }') as WorkerHandlerOptions;
  checkKeys(limits, HANDLER_KEYS, at);
  const { concurrent, concurrency, queue, timeout } = limits;
  return {
    concurrent: concurrent === undefined ? 1 : checkConcurrent(concurrent, `${at}/concurrent`),
    concurrency:
      concurrency === undefined
        ? undefined
        : checkInteger(concurrency, `${at}/concurrency`, 1, WORKER_QUEUE_MAX),
    queue: queue === undefined ? undefined : checkInteger(queue, `${at}/queue`, 1, WORKER_QUEUE_MAX),
    timeoutMs: timeout === undefined ? undefined : checkTimeLimit(timeout, `${at}/timeout`),
  };
}

function checkConcurrent(value: unknown, at: string): number {
  if (value === true) return CONCURRENT_DEFAULT;
  if (typeof value === 'number') return checkInteger(value, at, 1, CONCURRENT_MAX);
  throw invalidOption(at, value, `true, or an integer from 1 to ${CONCURRENT_MAX}`);
}
