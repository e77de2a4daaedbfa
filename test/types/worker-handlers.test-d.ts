/** What a module of handlers offers, and which tasks its handlers fit. */
import {
  type AroundHandlers,
  defineWorkflow,
  type HandlerContext,
  type HandlerOutput,
  type HeldLocks,
  type NestedLock,
  Orchestrator,
  type OutputOf,
  type Task,
  type TraceCarrier,
  task,
  taskFor,
  type WorkerHandler,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import { z } from 'zod';
import type * as text from '../support/handlers/text.ts';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const isTrue = <const Claim extends true>(): Claim | undefined => undefined;

const url = new URL('../support/handlers/text.ts', import.meta.url);
const handlers = workerHandlers<typeof import('../support/handlers/text.ts')>(url, {
  threads: 2,
  loadTimeout: '2s',
  handlers: { parse: { concurrent: true }, nap: { timeout: '1m' } },
});

// What is called around the handlers is none itself; it is checked where it is exported.
const spans = workerHandlers<{ look: () => number; aroundHandlers: AroundHandlers }>(url);
isTrue<Same<keyof typeof spans, 'look'>>();
isTrue<Same<keyof typeof anyAround, never>>();
const anyAround = workerHandlers<{ aroundHandlers: (context: HandlerContext) => unknown }>(url);
export const around: AroundHandlers = ({ trace, path, attempt }, next) => {
  isTrue<Same<typeof trace, TraceCarrier>>();
  isTrue<Same<typeof trace.traceparent, string | undefined>>();
  // @ts-expect-error: a trace is handed on as it is
  trace.traceparent = `${path}-${attempt}`;
  return next();
};

// A handler in a thread is given the same context as any other.
export const everywhere = ({ locks, clock, log, signal, progress, heartbeat, trace }: HandlerContext) => {
  isTrue<Same<typeof locks, HeldLocks>>();
  isTrue<Same<ReturnType<typeof locks.acquire>, Promise<NestedLock>>>();
  isTrue<Same<typeof signal, AbortSignal>>();
  return [clock.now(), log.info('x'), progress(1), heartbeat(), trace] as const;
};
task('everywhere', {
  handler: workerHandlers<{ everywhere: typeof everywhere }>(url).everywhere,
  runOn: 'inline',
});

// Each function is offered, and nothing else that the module exports.
isTrue<
  Same<keyof typeof handlers, 'search' | 'parse' | 'greet' | 'write' | 'whoRuns' | 'begin' | 'nap' | 'fail'>
>();
// @ts-expect-error: a number is no handler
handlers.version;
// @ts-expect-error: a class is no handler
handlers.Page;
// @ts-expect-error: there is no such export
handlers.parze;
// @ts-expect-error: limits of a handler that the module does not export
workerHandlers<typeof text>(url, { handlers: { parze: { concurrent: 2 } } });
// @ts-expect-error: an unknown option
workerHandlers(url, { thread: 2 });
// @ts-expect-error: a duration
workerHandlers(url, { loadTimeout: true });

isTrue<
  Same<
    typeof handlers.parse,
    WorkerHandler<unknown, { readonly search: readonly string[] }, { title: string; words: number }>
  >
>();
isTrue<Same<HandlerOutput<typeof text.parse>, { title: string; words: number }>>();

// The output is that of the function, awaited.
const search = task('search', { handler: handlers.search });
isTrue<Same<typeof search, Task<'search', string[], unknown>>>();
const parse = task('parse', { dependencies: { search }, handler: handlers.parse, priority: 1 });
isTrue<Same<OutputOf<typeof parse>, { title: string; words: number }>>();
const write = task('write', { dependencies: { parse, search }, handler: handlers.write });
isTrue<Same<OutputOf<typeof write>, string>>();

// A list of tasks gives them under their ids.
task('listed', { dependencies: [search], handler: handlers.parse });
// A handler with `when` may have no output.
const maybe = task('maybe', {
  dependencies: { search },
  when: ({ dependencies: { search } }) => search.length > 0,
  handler: handlers.parse,
  runOn: 'process',
  transfer: true,
});
isTrue<Same<OutputOf<typeof maybe>, { title: string; words: number } | undefined>>();

// @ts-expect-error: nothing gives what it wants
task('parse', { handler: handlers.parse });
// @ts-expect-error: under another name
task('parse', { dependencies: { found: search }, handler: handlers.parse });
// @ts-expect-error: of another type
task('write', { dependencies: { parse: search }, handler: handlers.write });
// @ts-expect-error: the output of a plain id is not known
task('parse', { dependencies: ['search'], handler: handlers.parse });
// @ts-expect-error: no such place
task('search', { handler: handlers.search, runOn: 'thread' });

// The input of the run.
const step = taskFor(z.object({ topic: z.string(), depth: z.number().default(1) }));
const greet = step('greet', { handler: handlers.greet });
isTrue<Same<typeof greet, Task<'greet', string, { topic: string; depth: number }>>>();
step('parse', { dependencies: { search }, handler: handlers.parse });
// @ts-expect-error: `task` itself knows no input
task('greet', { handler: handlers.greet });
// @ts-expect-error: another input
taskFor(z.object({ topic: z.number() }))('greet', { handler: handlers.greet });

// What is given by name, or without a type, fits everywhere.
isTrue<Same<OutputOf<ReturnType<typeof byName>>, unknown>>();
function byName() {
  return task('named', { dependencies: { search }, handler: 'parse' });
}
task('reference', { handler: { kind: 'registered', name: 'parse', version: '2' } });
const untyped = workerHandlers(url);
const anything = task('anything', { dependencies: { search }, handler: untyped.parse });
isTrue<Same<OutputOf<typeof anything>, unknown>>();
step('typed input', { handler: untyped.greet });

// A tracer gives text by name, or nothing.
export async function traced(): Promise<void> {
  await Orchestrator.open({
    trace: ({ runId, path, attempt }) => ({ traceparent: `${runId}${path}${attempt}` }),
  });
  await Orchestrator.open({ trace: () => undefined });
  // @ts-expect-error: at once
  await Orchestrator.open({ trace: async () => ({}) });
  // @ts-expect-error: only text
  await Orchestrator.open({ trace: () => ({ sampled: 1 }) });
}

export async function registered(): Promise<Orchestrator> {
  const local = ({ taskId }: HandlerContext): string => taskId;
  await Orchestrator.open({ handlers: handlers });
  // @ts-expect-error: a number is no handler
  await Orchestrator.open({ handlers: { ...handlers, two: 2 } });
  return Orchestrator.open({
    handlers: { local, other: handlers.parse, ...handlers, ...workerHandlers(url) },
  });
}

defineWorkflow({
  name: 'data',
  tasks: [
    { taskId: 'search', handler: handlers.search },
    { taskId: 'parse', dependencies: ['search'], handler: handlers.parse, runOn: 'worker' },
  ],
});
export const workflow = defineWorkflow('report', { tasks: [write] });
