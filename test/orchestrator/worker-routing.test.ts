/** Which executor gets which attempt, and how the code of a task is found. */
import {
  defineWorkflow,
  type Executor,
  type Invocation,
  MemoryStore,
  Orchestrator,
  OrchestratorError,
  type Outcome,
  type ReportOutcome,
  type StoreCapabilities,
  SystemClock,
  type Task,
  task,
  type WorkerRef,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { InlineExecutor } from '../../src/adapters/inline/inline-executor.ts';
import { silentLogger } from '../../src/adapters/system/silent-logger.ts';
import { Handlers } from '../../src/managers/workflows/handlers.ts';
import { compile } from '../../src/model/compile.ts';
import type { AnyHandler } from '../../src/model/handler.ts';
import { LazyWorkers, RoutedExecutor, type WorkerPart } from '../../src/orchestrator/route-executor.ts';
import { refusal, rejection } from '../support/errors.ts';
import { expectRefused } from '../support/refusals.ts';
import { logOf } from '../support/run-log.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

const url = new URL('../support/handlers/text.ts', import.meta.url);
const handlers = workerHandlers<typeof import('../support/handlers/text.ts')>(url);
const module = (handlers.parse as WorkerRef).module;

/** Stands in for the executor of threads: takes everything and ends nothing by itself. */
class StillWorkers implements WorkerPart {
  readonly capabilities = { remote: false, virtualTime: true };
  readonly taken: Invocation[] = [];
  readonly cancelled: unknown[] = [];
  readonly warmed: string[] = [];
  isClosed = false;

  submit(invocations: readonly Invocation[], report: ReportOutcome): void {
    this.taken.push(...invocations);
    for (const invocation of invocations)
      if (invocation.path === 'at once') report(invocation, { ok: true, output: 'worker' });
  }

  cancel(invocation: Invocation, reason: unknown): void {
    this.cancelled.push(invocation.path, reason);
  }

  exportsOf(): Promise<readonly string[]> {
    return Promise.resolve(['parse']);
  }

  warmUp({ url }: { readonly url: string }): void {
    this.warmed.push(url);
  }

  close(): void {
    this.isClosed = true;
  }
}

function invocation(path: string, run?: AnyHandler): Invocation {
  const made: Invocation = {
    runId: 'r',
    path,
    attempt: 1,
    handler: run === undefined ? handlers.parse : { kind: 'inline', name: path },
    run,
    context: {} as Invocation['context'],
    within: (call) => call(made),
  };
  return made;
}

/** A routed executor, and everything that it has to do with. */
function stage(load?: () => Promise<WorkerPart>) {
  const workers = new StillWorkers();
  const clock = new VirtualClock({ auto: false });
  let loads = 0;
  let holds = 0;
  const hold = clock.hold.bind(clock);
  clock.hold = () => {
    holds++;
    const letGo = hold();
    return () => {
      holds--;
      letGo();
    };
  };
  const lazy = new LazyWorkers(async () => {
    loads++;
    return load === undefined ? workers : load();
  }, silentLogger);
  const executor = new RoutedExecutor(new InlineExecutor(), lazy, clock);
  const told: [string, Outcome][] = [];
  const report: ReportOutcome = ({ path }, outcome) => told.push([path, outcome]);
  return { workers, lazy, executor, told, report, loads: () => loads, holds: () => holds };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the routed executor', () => {
  it('executes functions in the same call, in their order, and loads no workers for them', () => {
    const { executor, told, report, loads } = stage();
    executor.submit(
      ['a', 'b', 'c'].map((path) => invocation(path, () => path)),
      report,
    );
    expect(told.map(([path]) => path)).toEqual(['a', 'b', 'c']);
    executor.cancel(
      invocation('a', () => 1),
      'stop',
    );
    expect(loads()).toBe(0);
  });

  it('loads the workers once, for the first call that needs them, with the clock held meanwhile', async () => {
    const { executor, workers, told, report, loads, holds } = stage();
    executor.submit([invocation('at once'), invocation('inline', () => 1), invocation('later')], report);
    executor.submit([invocation('third')], report);
    expect(told.map(([path]) => path)).toEqual(['inline']);
    expect(holds()).toBe(1);
    await settled();
    expect(workers.taken.map(({ path }) => path)).toEqual(['at once', 'later', 'third']);
    expect(told[1]).toEqual(['at once', { ok: true, output: 'worker' }]);
    expect(holds()).toBe(0);
    executor.submit([invocation('fourth')], report);
    expect(workers.taken.map(({ path }) => path)).toContain('fourth');
    expect(loads()).toBe(1);
  });

  it('fails what needs workers when they cannot be loaded, and nothing else', async () => {
    const broken = new Error('no such package');
    const { executor, told, report, holds } = stage(() => Promise.reject(broken));
    executor.submit([invocation('away'), invocation('inline', () => 1)], report);
    await settled();
    expect(told).toEqual([
      ['inline', { ok: true, output: 1 }],
      ['away', { ok: false, thrown: broken }],
    ]);
    expect(holds()).toBe(0);
    await executor.close();
  });

  it('tells the workers to stop what they have, and begins nothing that was told to stop before', async () => {
    const { executor, workers, told, report } = stage();
    const [early, late] = [invocation('early'), invocation('late')];
    executor.submit([early, late], report);
    executor.cancel(early, 'stop');
    expect(told).toEqual([['early', { ok: false, thrown: 'stop' }]]);
    executor.cancel(early, 'again');
    await settled();
    expect(workers.taken).toEqual([late]);
    executor.cancel(late, 'stop');
    expect(workers.cancelled).toEqual(['late', 'stop']);
    expect(told).toHaveLength(1);
  });

  it('closes both, also while the workers are being loaded, and loads none after that', async () => {
    const { executor, workers, told, report, loads, lazy, holds } = stage();
    executor.submit([invocation('away')], report);
    await executor.close();
    expect([workers.isClosed, holds(), workers.taken, told]).toEqual([true, 0, [], []]);
    const unused = stage();
    await unused.executor.close();
    expect(unused.loads()).toBe(0);
    unused.executor.submit([invocation('too late')], unused.report);
    await settled();
    expect(unused.told).toMatchObject([['too late', { ok: false, thrown: { code: 'ORCHESTRATOR_CLOSED' } }]]);
    expect([loads(), await lazy.open()]).toEqual([1, workers]);
  });

  it('warms up modules that want it', async () => {
    const { lazy, workers, loads } = stage();
    lazy.warmUp(module);
    expect(loads()).toBe(0);
    lazy.warmUp((workerHandlers(url, { threads: 2, warmUp: 2 }).any as WorkerRef).module);
    await settled();
    expect(workers.warmed).toEqual([url.href]);
  });
});

describe('a task that is to be run inline', () => {
  it('has its module imported here, and waits on the clock of the host', async () => {
    const { orchestrator } = await openVirtual();
    const nap = task('nap', { handler: handlers.nap, runOn: 'inline' });
    const who = task('who', { handler: handlers.whoRuns, runOn: 'inline', dependencies: { nap } });
    const { outputs } = await (
      await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [nap, who] }))
    ).result();
    expect(outputs).toEqual({ nap: 3_600_000, who: { taskId: 'who', pid: process.pid } });
  });

  it('fails with what its handler throws, and with the nearest name when there is no such export', async () => {
    const { orchestrator } = await openVirtual();
    const loose = handlers as unknown as Record<string, typeof handlers.search>;
    const one = async (handler: typeof handlers.search | undefined): Promise<unknown> => {
      const run = await orchestrator.scheduleTask(task('t', { handler, runOn: 'inline' }));
      return (await rejection(run.result())).cause;
    };
    expect(await one(handlers.fail)).toMatchObject({ name: 'TypeError', message: 'no such page' });
    expect(await one(loose.serch)).toMatchObject({
      code: 'HANDLER_UNKNOWN',
      message: expect.stringContaining('Did you mean "search"?'),
    });
    // A number is exported under this name.
    expect(await one(loose.version)).toMatchObject({ code: 'HANDLER_UNKNOWN' });
    const missing = workerHandlers(new URL('./nowhere.js', import.meta.url));
    expect(await one(missing.search as typeof handlers.search)).toMatchObject({
      code: 'HANDLER_LOAD_FAILED',
    });
  });

  it('does not begin when it was told to stop while its module was imported', async () => {
    const lines: string[] = [];
    const line = (_: object, message: string): void => {
      lines.push(message);
    };
    const { orchestrator } = await openStill({
      logger: { debug: line, info: line, warn: line, error: line },
    });
    const fresh = workerHandlers<typeof import('../support/handlers/text.ts')>(new URL('?fresh', url));
    const begin = task('begin', { handler: fresh.begin, runOn: 'inline' });
    const run = await orchestrator.scheduleTask(begin);
    await run.cancel('enough');
    expect((await run.settled()).status).toBe('cancelled');
    expect(lines).toEqual([]);
    await (await orchestrator.scheduleTask(begin)).result();
    expect(lines).toEqual(['begun']);
  });

  it('has all its virtual time left when its module has been imported', async () => {
    const { orchestrator, clock } = await openVirtual();
    const fresh = workerHandlers<typeof import('../support/handlers/text.ts')>(new URL('?timed', url));
    const who = task('who', { handler: fresh.whoRuns, runOn: 'inline', timeout: '1s' });
    expect((await (await orchestrator.scheduleTask(who)).settled()).status).toBe('completed');
    expect(clock.now()).toBe(0);
  });

  it('can be given by a name that was registered for an export', async () => {
    const { orchestrator } = await openVirtual({ handlers: { who: handlers.whoRuns } });
    const run = await orchestrator.manageWorkflow({
      name: 'w',
      tasks: [{ taskId: 'a', handler: 'who', runOn: 'inline' }],
    });
    expect((await run.result()).outputs).toEqual({ a: { taskId: 'a', pid: process.pid } });
  });
});

/** An executor of the host's that takes everything, and does as it is told by the test. */
class HostExecutor implements Executor {
  readonly capabilities = { remote: false, virtualTime: true };
  readonly taken: Invocation[] = [];

  submit(invocations: readonly Invocation[]): void {
    this.taken.push(...invocations);
  }

  cancel(): void {}

  close(): void {}
}

describe('what an executor is told', () => {
  it('is the module with the name of the export, also for a registered name, and whether inputs may be moved', async () => {
    const executor = new HostExecutor();
    const { orchestrator } = await openStill({
      executor,
      handlers: { analyse: handlers.parse, local: () => 1 },
    });
    await orchestrator.manageWorkflow({
      name: 'w',
      tasks: [
        { taskId: 'direct', handler: handlers.search },
        { taskId: 'named', handler: 'analyse', runOn: 'process' },
        { taskId: 'function', handler: 'local' },
      ],
    });
    const seen = executor.taken.map(({ path, handler, run, transfer }) => ({
      path,
      handler: handler.name,
      kind: handler.kind,
      isolation: (handler as WorkerRef).module?.settings.isolation,
      run: typeof run,
      transfer,
    }));
    const worker = { kind: 'worker', run: 'undefined', transfer: false };
    expect(seen).toEqual([
      { path: 'direct', handler: 'search', isolation: 'thread', ...worker },
      { path: 'named', handler: 'parse', isolation: 'process', ...worker },
      {
        path: 'function',
        handler: 'local',
        kind: 'registered',
        isolation: undefined,
        run: 'function',
        transfer: false,
      },
    ]);
  });

  it('comes with a longer grace where a body can be ended by force', async () => {
    const executor = new HostExecutor();
    const { orchestrator, clock } = await openStill({ executor, cancelGrace: '5s' });
    const away = task('away', { handler: handlers.search, timeout: '1s' });
    const here = task('here', { run: () => 1, timeout: '1s' });
    const run = await orchestrator.manageWorkflow(
      defineWorkflow('w', { failurePolicy: 'continue', tasks: [away, here] }),
    );
    await clock.advance('10s');
    const failed = (await logOf(run)).filter((event) => event.type === 'TaskFailed');
    expect(failed).toMatchObject([
      { path: 'here', at: 6_000, abandoned: true },
      { path: 'away', at: 6_500, abandoned: true },
    ]);
  });
});

describe('names of handlers', () => {
  it('of functions are not for workers, and inputs cannot be moved to them', async () => {
    const { orchestrator } = await openStill({ handlers: { local: () => 1 } });
    const start = (options: object): Promise<unknown> =>
      orchestrator.manageWorkflow({ name: 'w', tasks: [{ taskId: 'a', handler: 'local', ...options }] });
    const at = 'workflow "w" task "a"';
    expectRefused(await rejection(start({ runOn: 'worker' })), 'OPTION_CONFLICT', `${at}/runOn`);
    expectRefused(await rejection(start({ transfer: true })), 'OPTION_CONFLICT', `${at}/transfer`);
    await start({ runOn: 'inline' });
  });

  it('cannot be given to what only looks like a reference', async () => {
    const forged = { ...handlers.parse, module: { url: url.href } } as never;
    const error = await rejection(Orchestrator.open({ handlers: { parse: forged } }));
    expectRefused(error, 'HANDLER_INVALID', 'open/handlers/parse/module');
  });
});

describe('the table of handlers', () => {
  it('tells once of each module that a plan needs workers of', () => {
    const told: string[] = [];
    const table = new Handlers({
      importHere: () => () => 1,
      onModule: (one) => told.push(`${one.settings.isolation} ${one === module}`),
    });
    table.register('local', () => 1);
    const check = (...tasks: Task<string, unknown, unknown>[]): void =>
      table.check(compile(defineWorkflow('w', { tasks })));
    check(task('here', { handler: handlers.nap, runOn: 'inline' }), task('local', { handler: 'local' }));
    expect(told).toEqual([]);
    check(task('a', { handler: handlers.search }), task('b', { handler: handlers.nap }));
    check(task('a', { handler: handlers.search, runOn: 'process' }), task('b', { handler: handlers.nap }));
    expect(told).toEqual(['thread true', 'process false']);
  });

  it('knows the names that are missing, and those of modules in the order of their registration', () => {
    const table = new Handlers({ importHere: () => () => 1, onModule: () => {} });
    const other = (workerHandlers('/srv/other.js').any as WorkerRef).module;
    const named = task('a', { handler: 'parse' });
    const plan = compile(defineWorkflow('w', { tasks: [named, task('b', { handler: handlers.nap })] }));
    expect(table.missing(plan)).toEqual(['parse']);
    table.registerModule(module, ['parse', '__proto__']);
    table.registerModule(other, ['parse', 'constructor']);
    expect(table.missing(plan)).toEqual([]);
    expect(table.of(named)).toEqual(handlers.parse);
    expect(table.of(task('a', { handler: 'constructor' }))).toMatchObject({ module: other });
    expect(table.of(task('a', { handler: 'toString' }))).toBeUndefined();
  });
});

describe('the limits of handlers', () => {
  it('are for functions that the module exports, if that is known', () => {
    const table = new Handlers({ importHere: () => () => 1, onModule: () => {} });
    const limited = workerHandlers(url, { handlers: { parze: { concurrent: true } } }).any as WorkerRef;
    const error = refusal(() => table.registerModule(limited.module, ['search', 'parse']));
    expectRefused(error, 'HANDLER_UNKNOWN', 'workerHandlers/handlers/parze');
    expect(error.message).toContain('allowed: search, parse. Did you mean "parse"?');
    expect(table.of(task('a', { handler: 'search' }))).toBeUndefined();
  });
});

/** A store that keeps what it is given in another form, as one on bytes does. */
class CopyingStore extends MemoryStore {
  override readonly capabilities: StoreCapabilities & { keepsValues: boolean } = {
    durability: 'memory',
    keepsValues: false,
  };
}

describe('transfer', () => {
  const search = task('search', { run: () => ['a'] });
  const parse = task('parse', { dependencies: { search }, handler: handlers.parse, transfer: true });
  const moving = defineWorkflow('moving', { tasks: [parse] });

  it('is refused when a run is to be started on a store that keeps the values, and nothing has started', async () => {
    const { orchestrator } = await openStill();
    const error = await rejection(orchestrator.manageWorkflow(moving));
    expectRefused(error, 'OPTION_CONFLICT', 'workflow "moving" task "parse"/transfer');
    expect(orchestrator.runs()).toEqual([]);
  });

  it('is told to the executor on any other store', async () => {
    const executor = new HostExecutor();
    const { orchestrator } = await openStill({ executor, store: new CopyingStore() });
    await orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [task('parse', { handler: handlers.search, transfer: true })] }),
    );
    expect(executor.taken.map(({ transfer }) => transfer)).toEqual([true]);
  });
});

// Threads load TypeScript themselves only where Node can.
describe.runIf(process.features.typescript)('with threads', () => {
  async function open(options: Parameters<typeof Orchestrator.open>[0]): Promise<Orchestrator> {
    const orchestrator = await Orchestrator.open({ clock: new SystemClock(), ...options });
    onTestFinished(() => orchestrator.close({ grace: 0 }));
    return orchestrator;
  }

  it('a workflow in plain data names the exports of a module; functions come first', async () => {
    const orchestrator = await open({ handlers: { ...handlers, search: () => ['own'] } });
    const run = await orchestrator.manageWorkflow({
      name: 'w',
      tasks: [
        { taskId: 'search', handler: 'search' },
        { taskId: 'parse', handler: 'parse', dependencies: ['search'] },
      ],
    });
    expect((await run.result()).outputs.parse).toEqual({ title: 'own', words: 1 });
    const sync = orchestrator.workflows.createWorkflow('later', [{ taskId: 'a', handler: 'whoRuns' }]);
    expect(sync.version).toBe(1);
  });

  it('an unknown name is refused with the nearest of all, and a module that cannot be loaded by open', async () => {
    const orchestrator = await open({ handlers: { local: () => 1, ...handlers } });
    const unknown = (handler: string): Promise<unknown> =>
      orchestrator.manageWorkflow({ name: 'w', tasks: [{ taskId: 'a', handler }] });
    const at = 'workflow "w" task "a"/handler';
    for (const [given, nearest] of [
      ['parze', 'parse'],
      ['locl', 'local'],
    ] as const) {
      const error = await rejection(unknown(given));
      expectRefused(error, 'HANDLER_UNKNOWN', at);
      expect(error.message).toContain(`Did you mean "${nearest}"?`);
    }
    const store = new MemoryStore();
    const broken = workerHandlers(new URL('./nowhere.js', import.meta.url));
    const error = await rejection(Orchestrator.open({ store, handlers: { ...broken } }));
    expect(OrchestratorError.is(error, 'HANDLER_LOAD_FAILED')).toBe(true);
    // The store was given back.
    await open({ store });
  });

  it('reads the names of a module in no virtual time, also beside an executor of the host, and leaves no thread', async () => {
    const ports = (): number =>
      process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length;
    // Those of earlier tests are closed a moment after their threads.
    await vi.waitFor(() => expect(ports()).toBe(0), 5_000);
    const clock = new VirtualClock();
    clock.setTimer(1_000, () => {});
    const still = workerHandlers(url, { idle: '1h' });
    const orchestrator = await open({ clock, executor: new HostExecutor(), handlers: { ...still } });
    expect(clock.now()).toBe(0);
    expect(ports()).toBeGreaterThan(0);
    await orchestrator.close();
    await vi.waitFor(() => expect(ports()).toBe(0), 5_000);
  });

  it('the task of the first page: its module is named by reference', async () => {
    const orchestrator = await open({});
    const search = task('search', { handler: handlers.search });
    const parse = task('parse', { dependencies: { search }, handler: handlers.parse });
    const write = task('write', { dependencies: { parse }, handler: handlers.write });
    const run = await orchestrator.manageWorkflow(defineWorkflow('report', { tasks: [write] }));
    expect((await run.result()).outputs.write).toBe('tides moon: 2 words');
  });
});
