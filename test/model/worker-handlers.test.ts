import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import {
  type AnyTask,
  defineWorkflow,
  type ErrorCode,
  task,
  type WorkerRef,
  type WorkflowData,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/model/compile.ts';
import { isSamePlan } from '../../src/model/same-plan.ts';
import { isWorkerModule } from '../../src/model/worker-handlers.ts';
import { refusal } from '../support/errors.ts';
import { expectRefused, lateProxy, revokedProxy, throwingProxy, untyped } from '../support/refusals.ts';

const url = new URL('../support/handlers/text.ts', import.meta.url);
const handlers = workerHandlers<typeof import('../support/handlers/text.ts')>(url);
const loose = handlers as unknown as Readonly<Record<string, WorkerRef>>;

function settingsOf(options?: object) {
  return workerHandlers(url, options).any?.module.settings;
}

/** Checks that a call is refused, and says where. */
function refused(call: () => unknown, code: ErrorCode, at: string): string {
  const error = refusal(call);
  expectRefused(error, code, at);
  return error.message;
}

describe('workerHandlers(url)', () => {
  it('gives a reference for each name, the same one each time', () => {
    const { module, ...rest } = handlers.parse as WorkerRef;
    expect(rest).toEqual({ kind: 'worker', name: 'parse' });
    expect(module.url).toBe(url.href);
    expect(handlers.parse).toBe(handlers.parse);
    expect(Object.isFrozen(handlers.parse)).toBe(true);
    expect(loose.nobodyKnows?.name).toBe('nobodyKnows');
    expect(loose.default?.module).toBe(module);
  });

  it('is neither a promise nor anything else that JavaScript asks for', async () => {
    expect(await handlers).toBe(handlers);
    expect(await Promise.all([handlers])).toEqual([handlers]);
    expect(JSON.stringify({ handlers })).toBe('{"handlers":{}}');
    expect(inspect(handlers)).toContain('worker handlers of file://');
    expect(`${handlers}`).toBe('[object Object]');
    expect(typeof loose.constructor).toBe('function');
    expect(loose.hasOwnProperty).toBe(Object.prototype.hasOwnProperty);
    expect([loose.then, loose.toJSON]).toEqual([undefined, undefined]);
    expect(Object.keys(handlers)).toEqual([]);
    for (const symbol of [Symbol.iterator, Symbol.toPrimitive, Symbol.asyncIterator])
      expect(Reflect.get(handlers, symbol)).toBeUndefined();
    expect(() => Object.assign(handlers, { parse: 1 })).toThrow(TypeError);
  });

  it('keeps its module when it is spread, also beside another one', () => {
    const other = workerHandlers('/srv/other.js');
    const spread = { ...handlers, ...other, parse: () => 1 };
    const modules = Object.getOwnPropertySymbols(spread).map((key) => Reflect.get(spread, key));
    expect(modules.every(isWorkerModule)).toBe(true);
    expect(modules.map((module) => module.url)).toEqual([url.href, 'file:///srv/other.js']);
    expect(Object.keys(spread)).toEqual(['parse']);
  });

  it.skipIf(process.platform === 'win32')('takes URLs and absolute paths of files', () => {
    const path = fileURLToPath(url);
    for (const given of [url, url.href, path])
      expect((workerHandlers(given).any as WorkerRef).module.url).toBe(url.href);
    expect(workerHandlers('/a b/#1.js').any?.module.url).toBe('file:///a%20b/%231.js');
    expect(workerHandlers(new URL('?v=2', url)).any?.module.url).toBe(`${url.href}?v=2`);
  });

  it.each([
    './handlers.js',
    'handlers.js',
    '',
    'http://example.org/handlers.js',
    new URL('https://example.org/handlers.js'),
    'data:text/javascript,export const a = 1',
    'node:fs',
    'file://elsewhere/handlers.js',
    ...untyped([undefined, null, 7, {}, [], Symbol('x'), () => 1]),
  ])('refuses %s as the place of a module', (given) => {
    expect(refused(() => workerHandlers(given), 'OPTION_INVALID', 'workerHandlers/url')).toMatch(
      /import\.meta\.url|throws/,
    );
  });

  it('refuses a place that cannot be looked at', () => {
    const at = 'workerHandlers/url';
    refused(() => workerHandlers(throwingProxy() as URL), 'OPTION_INVALID', at);
  });
});

describe('the options of workerHandlers', () => {
  it('have defaults', () => {
    expect(settingsOf()).toEqual({
      threads: Math.min(256, Math.max(1, availableParallelism() - 1)),
      warmUp: 0,
      idleMs: 5_000,
      loadMs: 60_000,
      memoryMb: undefined,
      queue: 100_000,
      isolation: 'thread',
      reload: false,
      env: undefined,
      execArgv: undefined,
      entry: undefined,
      handlers: new Map(),
    });
  });

  it('are read as they are meant', () => {
    expect(
      settingsOf({
        threads: 8,
        warmUp: 8,
        idle: '1m',
        loadTimeout: '24h',
        memory: '1.5gb',
        queue: 1,
        isolation: 'process',
        reload: true,
        env: { A: 'b' },
        execArgv: ['--enable-source-maps'],
        entry: '/srv/worker.js',
        handlers: {
          parse: { concurrent: true, concurrency: 4, queue: 10, timeout: '2s' },
          nap: { concurrent: 7 },
          plain: {},
        },
      }),
    ).toEqual({
      threads: 8,
      warmUp: 8,
      idleMs: 60_000,
      loadMs: 86_400_000,
      memoryMb: 1_536,
      queue: 1,
      isolation: 'process',
      reload: true,
      env: { A: 'b' },
      execArgv: ['--enable-source-maps'],
      entry: 'file:///srv/worker.js',
      handlers: new Map([
        ['parse', { concurrent: 1_000, concurrency: 4, queue: 10, timeoutMs: 2_000 }],
        ['nap', { concurrent: 7, concurrency: undefined, queue: undefined, timeoutMs: undefined }],
        ['plain', { concurrent: 1, concurrency: undefined, queue: undefined, timeoutMs: undefined }],
      ]),
    });
    const memories = [16, 1_048_576, '256mb', '256 MB', '2GiB', '1tb', '16mib'];
    expect(memories.map((memory) => settingsOf({ memory })?.memoryMb)).toEqual([
      16, 1_048_576, 256, 256, 2_048, 1_048_576, 16,
    ]);
  });

  it.each<[string, object]>([
    ['threads', { threads: 0 }],
    ['threads', { threads: 257 }],
    ['threads', { threads: 1.5 }],
    ['threads', { threads: '4' }],
    ['warmUp', { threads: 2, warmUp: 3 }],
    ['warmUp', { warmUp: -1 }],
    ['idle', { idle: '5' }],
    ['idle', { idle: -1 }],
    ['loadTimeout', { loadTimeout: 0 }],
    ['loadTimeout', { loadTimeout: 0.5 }],
    ['loadTimeout', { loadTimeout: '60' }],
    ['loadTimeout', { loadTimeout: 86_400_001 }],
    ['memory', { memory: 15 }],
    ['memory', { memory: 1_048_577 }],
    ['memory', { memory: '256' }],
    ['memory', { memory: '0.3mb' }],
    ['memory', { memory: '2pb' }],
    ['memory', { memory: Number.NaN }],
    ['queue', { queue: 0 }],
    ['queue', { queue: 1_000_001 }],
    ['isolation', { isolation: 'container' }],
    ['reload', { reload: 1 }],
    ['env', { env: ['A=b'] }],
    ['env/A', { env: { A: 1 } }],
    ['execArgv', { execArgv: '--inspect' }],
    ['execArgv/0', { execArgv: [1] }],
    ['entry', { entry: './worker.js' }],
    ['handlers', { handlers: ['parse'] }],
    ['handlers/parse', { handlers: { parse: true } }],
    ['handlers/parse/concurrent', { handlers: { parse: { concurrent: false } } }],
    ['handlers/parse/concurrent', { handlers: { parse: { concurrent: 10_001 } } }],
    ['handlers/parse/concurrency', { handlers: { parse: { concurrency: 0 } } }],
    ['handlers/parse/queue', { handlers: { parse: { queue: '5' } } }],
    ['handlers/parse/timeout', { handlers: { parse: { timeout: 0 } } }],
  ])('are refused at %s: %j', (at, options) => {
    refused(() => workerHandlers(url, options), 'OPTION_INVALID', `workerHandlers/${at}`);
  });

  it('that do not exist are refused with the nearest name', () => {
    const many = { thread: 4 } as object;
    expect(refused(() => workerHandlers(url, many), 'OPTION_UNKNOWN', 'workerHandlers/thread')).toContain(
      'Did you mean "threads"?',
    );
    const inner = { handlers: { parse: { concurent: 4 } } } as object;
    const at = 'workerHandlers/handlers/parse/concurent';
    expect(refused(() => workerHandlers(url, inner), 'OPTION_UNKNOWN', at)).toContain('"concurrent"');
  });

  it('tell what was meant: a thread, one export of a module, a file', () => {
    const whole = workerHandlers(url);
    const message = (work: () => unknown, at: string, code: 'OPTION_INVALID' | 'HANDLER_INVALID') =>
      refused(work, code, at);
    expect(
      message(
        () => task('t', { handler: 'parse', runOn: 'threads' as 'worker' }),
        'task "t"/runOn',
        'OPTION_INVALID',
      ),
    ).toContain('A worker thread is "worker"');
    expect(
      message(() => task('t', { handler: whole as never }), 'task "t"/handler', 'HANDLER_INVALID'),
    ).toContain('name one of its exports');
    for (const folder of ['file:', 'file:///srv/', '/srv/'])
      expect(message(() => workerHandlers(folder), 'workerHandlers/url', 'OPTION_INVALID')).toContain(
        'names a file',
      );
    const entry = { entry: 'worker.js' };
    expect(message(() => workerHandlers(url, entry), 'workerHandlers/entry', 'OPTION_INVALID')).toContain(
      "new URL('./worker.js', import.meta.url)",
    );
  });

  it('are refused by a coded error whatever they are', () => {
    const keys = [
      'threads',
      'warmUp',
      'idle',
      'loadTimeout',
      'memory',
      'queue',
      'isolation',
      'env',
      'entry',
      'handlers',
    ];
    const attempt = (options: unknown): void => {
      try {
        workerHandlers(url, options as object);
      } catch (error) {
        expect(error).toMatchObject({ name: 'OrchestratorError' });
      }
    };
    const junk = fc.oneof(
      fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true }),
      fc.constantFrom<unknown>(() => 1, new Map(), Symbol('x')),
    );
    fc.assert(fc.property(fc.oneof(junk, fc.dictionary(fc.constantFrom(...keys), junk)), attempt), {
      numRuns: 500,
    });
    for (const hostile of [throwingProxy(), lateProxy({ threads: 1 }), revokedProxy()]) {
      refusal(() => workerHandlers(url, hostile));
      for (const key of keys) refusal(() => workerHandlers(url, { [key]: hostile }));
    }
  });
});

describe('a task with a handler of a module', () => {
  const at = 'task "parse"';

  it('takes references, also with a version, and nothing that only looks like one', () => {
    const { handlerRef } = task('parse', { handler: handlers.search });
    expect(handlerRef).toEqual(handlers.search);
    const versioned = task('parse', { handler: { ...handlers.search, version: '2' } });
    expect(versioned.handlerRef).toEqual({ ...handlers.search, version: '2' });
    const forged = { kind: 'worker', name: 'parse', module: { ...handlers.search.module } } as never;
    refused(() => task('parse', { handler: forged }), 'HANDLER_INVALID', `${at}/handler/module`);
    const extra = { ...handlers.search, url: 'x' } as never;
    refused(() => task('parse', { handler: extra }), 'OPTION_UNKNOWN', `${at}/handler/url`);
    refused(() => task('parse', { handler: loose[''] as never }), 'HANDLER_INVALID', `${at}/handler/name`);
    refused(() => task('parse', { handler: handlers as never }), 'HANDLER_INVALID', `${at}/handler`);
  });

  it('is run where its module says, unless it says otherwise', () => {
    const isolationOf = (one: AnyTask) => (one.handlerRef as WorkerRef).module.settings.isolation;
    const apart = workerHandlers(url, { isolation: 'process', threads: 3 });
    const handler = apart.search as WorkerRef;
    expect(isolationOf(task('a', { handler: handlers.search }))).toBe('thread');
    expect(isolationOf(task('a', { handler: apart.search }))).toBe('process');
    const moved = task('a', { handler: handlers.search, runOn: 'process' });
    expect(isolationOf(moved)).toBe('process');
    const back = task('a', { handler: apart.search, runOn: 'worker' });
    expect((back.handlerRef as WorkerRef).module.settings).toEqual({
      ...handler.module.settings,
      isolation: 'thread',
    });
    // One pool for all of them.
    const again = task('b', { handler: handlers.parse as never, runOn: 'process' });
    expect((again.handlerRef as WorkerRef).module).toBe((moved.handlerRef as WorkerRef).module);
    expect(task('a', { handler: handlers.search, runOn: 'inline' }).handlerRef).toEqual(handlers.search);
  });

  it('a function is run inline and nowhere else', () => {
    const run = (): number => 1;
    expect(task('parse', { run, runOn: 'inline' }).policies.runOn).toBe('inline');
    for (const runOn of ['worker', 'process'] as const)
      expect(refused(() => task('parse', { run, runOn }), 'OPTION_CONFLICT', `${at}/runOn`)).toContain(
        'workerHandlers(url)',
      );
    const wrong = refused(
      () => task('parse', { run, runOn: 'inlin' as 'inline' }),
      'OPTION_INVALID',
      `${at}/runOn`,
    );
    expect(wrong).toContain('Did you mean inline?');
  });

  it('has no functions in its JSON, and is the same version when it is read back', () => {
    const search = task('search', { handler: handlers.search, runOn: 'process' });
    const parse = task('parse', { dependencies: { search }, handler: handlers.parse, transfer: true });
    const workflow = defineWorkflow('report', { tasks: [parse] });
    const data = JSON.parse(JSON.stringify(workflow)) as WorkflowData;
    expect(data).toEqual({
      name: 'report',
      tasks: [{ taskId: 'parse', dependencies: ['search'], handler: 'parse', transfer: true }],
      joined: [{ taskId: 'search', handler: 'search', runOn: 'process' }],
    });
    expect(isSamePlan(compile(workflow), compile(defineWorkflow(data)))).toBe(true);
    const elsewhere = {
      ...data,
      joined: [{ taskId: 'search', handler: 'search', runOn: 'worker' as const }],
    };
    expect(isSamePlan(compile(workflow), compile(defineWorkflow(elsewhere)))).toBe(false);
  });
});

describe('transfer', () => {
  const at = 'task "parse"/transfer';
  const search = task('search', { handler: handlers.search });
  const dependencies = { search };

  it('is for one attempt on a worker', () => {
    const handler = handlers.parse;
    expect(task('parse', { dependencies, handler, transfer: true }).policies.transfer).toBe(true);
    task('parse', { dependencies, handler, transfer: true, retry: { maxAttempts: 1 } });
    task('parse', { dependencies, handler, transfer: false, retry: { maxAttempts: 5 } });
    task('parse', { dependencies, handler: 'parse', transfer: true, runOn: 'process' });
    const wrong: readonly [() => unknown, string][] = [
      [() => task('parse', { dependencies, handler, transfer: true, retry: {} }), 'true with 3 attempts'],
      [() => task('parse', { dependencies, handler, transfer: true, runOn: 'inline' }), 'own thread'],
      [() => task('parse', { run: () => 1, transfer: true }), 'own thread'],
    ];
    for (const [call, found] of wrong) expect(refused(call, 'OPTION_CONFLICT', at)).toContain(found);
    refused(() => task('parse', { handler: 'parse', transfer: 1 as never }), 'OPTION_INVALID', at);
  });

  it('is for values that nobody else needs', () => {
    const parse = task('parse', { dependencies, handler: handlers.parse, transfer: true });
    const place = 'workflow "w" task "parse"/transfer';
    expect(compile(defineWorkflow('w', { tasks: [parse] })).transfers).toBe(true);
    expect(compile(defineWorkflow('w', { tasks: [search] })).transfers).toBe(false);
    const other = task('other', { dependencies, run: () => 1 });
    const shared = defineWorkflow('w', { tasks: [parse, other] });
    expect(refused(() => compile(shared), 'OPTION_CONFLICT', place)).toContain('on which 2 tasks depend');
    const listed = defineWorkflow('w', { tasks: [search, parse] });
    expect(refused(() => compile(listed), 'OPTION_CONFLICT', place)).toContain('an output of the run');
  });
});
