/**
 * Handlers that live in a module of their own, for worker threads and child processes.
 */
import type { AnyHandler, HandlerContext, HandlerRef } from './handler.ts';

/** Where a call runs: in the thread of the host, in a worker thread, or in a child process. */
export type RunOn = 'inline' | 'worker' | 'process';

/** What one handler of a module may use. */
export interface WorkerHandlerLimits {
  /** How many calls of it one thread may execute at the same time: 1 to 10,000. Default 1. */
  readonly concurrent: number;
  /** How many calls of it may be executed at the same time, over all threads; `undefined` for no limit. */
  readonly concurrency: number | undefined;
  /** How many calls of it may wait; `undefined` for that of the module. */
  readonly queue: number | undefined;
  /** How long one call may be executed, in milliseconds; `undefined` for no limit of its own. */
  readonly timeoutMs: number | undefined;
}

/** The checked options of a module. */
export interface WorkerSettings {
  /** The most threads, or processes. */
  readonly threads: number;
  /** How many are started before the first call. */
  readonly warmUp: number;
  /** How long one stays without work, in milliseconds. */
  readonly idleMs: number;
  /** How long one may take to start and to load the module, in milliseconds. */
  readonly loadMs: number;
  /** The largest heap of one, in MiB; `undefined` for that of Node. */
  readonly memoryMb: number | undefined;
  /** How many calls may wait: not begun, wherever they are, beyond what threads are free for. */
  readonly queue: number;
  readonly isolation: 'thread' | 'process';
  /** Whether a changed module file is loaded anew before the next call. */
  readonly reload: boolean;
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly execArgv: readonly string[] | undefined;
  /** The package's own file that a thread runs first; for hosts that bundle the package. */
  readonly entry: string | undefined;
  readonly handlers: ReadonlyMap<string, WorkerHandlerLimits>;
}

/** A module of handlers, with how its threads are to be. One object for each call of `workerHandlers`. */
export interface WorkerModule {
  /** A `file:` URL, or another that `import()` takes. */
  readonly url: string;
  readonly settings: WorkerSettings;
}

/** Names an export of a module of handlers. */
export interface WorkerRef extends HandlerRef {
  readonly kind: 'worker';
  readonly module: WorkerModule;
}

/**
 * An export of a module of handlers, with its types. Give it to a task as `handler`.
 *
 * @typeParam In - the input of the run that it needs
 * @typeParam Deps - the outputs of dependencies that it needs
 * @typeParam Out - what it returns, awaited
 */
export interface WorkerHandler<in In = never, in Deps = never, out Out = unknown> extends WorkerRef {
  /** Carries the types; there is no such field at run time. */
  readonly '~handler': (input: In, dependencies: Deps) => Out;
}

/** What a handler wants under a name of its context; anything will do for one that does not say. */
type Wanted<Context, Name extends 'input' | 'dependencies'> = Context extends {
  readonly [Key in Name]: infer Value;
}
  ? Value
  : unknown;

/** The reference to a function: what its context has to be, and what it returns. */
type ReferenceTo<Function> = Function extends (context: infer Context) => infer Out
  ? WorkerHandler<Wanted<Context, 'input'>, Wanted<Context, 'dependencies'>, Awaited<Out>>
  : never;

/** The functions of a module, by name. What it exports beside them is no handler. */
export type WorkerHandlers<Module> = {
  readonly [Name in keyof Module as Name extends typeof AROUND_HANDLERS
    ? never
    : Module[Name] extends AnyHandler
      ? Name
      : never]: ReferenceTo<Module[Name]>;
};

/** The export of a module that is called around its handlers, and is none itself. */
export const AROUND_HANDLERS = 'aroundHandlers';

/**
 * What a module of handlers exports as `aroundHandlers` to have it called in place of each of its handlers, wherever they
 * are executed: to continue the trace of the run, to give libraries the context that they look for in an
 * `AsyncLocalStorage`, to measure. `next()` executes the handler, at most once; what this function returns is the output.
 *
 * @example
 * export const aroundHandlers: AroundHandlers = ({ trace }, next) =>
 *   context.with(propagation.extract(ROOT_CONTEXT, trace), next);
 */
export type AroundHandlers = (context: HandlerContext<unknown, unknown>, next: () => unknown) => unknown;

/**
 * What a handler returns, awaited. A module of handlers can name its types by it without importing the file that
 * builds the tasks: `HandlerOutput<typeof parse>`.
 */
export type HandlerOutput<Function extends AnyHandler> = Awaited<ReturnType<Function>>;

const modules = new WeakSet<object>();
const inProcesses = new WeakMap<WorkerModule, WorkerModule>();
const inThreads = new WeakMap<WorkerModule, WorkerModule>();

/** Makes a module, which is known from then on by `isWorkerModule`. */
export function workerModule(url: string, settings: WorkerSettings): WorkerModule {
  const made = Object.freeze({ url, settings: Object.freeze(settings) });
  modules.add(made);
  return made;
}

/** Whether a value was made by `workerModule`: only then are its settings checked ones. */
export function isWorkerModule(value: unknown): value is WorkerModule {
  return typeof value === 'object' && value !== null && modules.has(value);
}

/** Whether a reference names an export of a module of handlers. */
export function isWorkerRef(ref: HandlerRef | undefined): ref is WorkerRef {
  return ref !== undefined && ref.kind === 'worker';
}

/** Where calls of a module are executed, unless a task says otherwise. */
export function homeOf({ settings }: WorkerModule): RunOn {
  return settings.isolation === 'process' ? 'process' : 'worker';
}

/** A reference whose module runs where a task says; with `undefined`, where the module says. The same one each time. */
export function placed(ref: WorkerRef, runOn: RunOn | undefined): WorkerRef {
  if (runOn === undefined || runOn === 'inline' || runOn === homeOf(ref.module)) return ref;
  const others = runOn === 'process' ? inProcesses : inThreads;
  let module = others.get(ref.module);
  if (module === undefined) {
    const isolation = runOn === 'process' ? 'process' : 'thread';
    module = workerModule(ref.module.url, { ...ref.module.settings, isolation });
    others.set(ref.module, module);
  }
  return Object.freeze({ ...ref, module });
}
