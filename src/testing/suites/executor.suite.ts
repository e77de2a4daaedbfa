import assert from 'node:assert/strict';
import type { AnyHandler, HandlerContext } from '../../model/handler.ts';
import type { Executor, Invocation, Outcome } from '../../ports/executor.ts';
import type { SuiteRunner } from './suite-runner.ts';

/** Makes an executor for one test, on which the handlers of the suite are known by their names. */
export type CreateExecutor = () => Executor | Promise<Executor>;

type Context = HandlerContext<unknown, Readonly<Record<string, unknown>>>;

/**
 * The handlers that the suite calls. An executor that loads a module of its own (a thread, another machine) must
 * find them there: export them by these names.
 */
export const EXECUTOR_SUITE_HANDLERS = {
  /** Ends at once. */
  returnsAtOnce: ({ inputData }: Context): unknown => ({ got: inputData }),
  /** Ends in a later turn. */
  returnsLater: async ({ inputData }: Context): Promise<unknown> => {
    await new Promise((resolve) => setImmediate(resolve));
    return { got: inputData };
  },
  /** Ends without an output. */
  returnsNothing: (): void => {},
  /** Fails at once. */
  throwsAtOnce: (): never => {
    throw new Error('thrown at once');
  },
  /** Fails in a later turn. */
  rejectsLater: async (): Promise<never> => {
    await new Promise((resolve) => setImmediate(resolve));
    throw new Error('rejected later');
  },
  /** Throws a value that is not an error. */
  throwsNothing: (): never => {
    throw undefined;
  },
  /** Ends only when it is told to stop. */
  waitsForItsSignal: ({ signal }: Context): Promise<string> =>
    new Promise((resolve) => {
      if (signal.aborted) resolve('stopped');
      else signal.addEventListener('abort', () => resolve('stopped'), { once: true });
    }),
} as const;

type HandlerName = keyof typeof EXECUTOR_SUITE_HANDLERS;

/**
 * What every `Executor` must do. Call it in a test file of any runner:
 *
 * @example
 * import { describe, it } from 'node:test';
 * executorSuite(() => new MyExecutor(), { describe, it });
 */
export function executorSuite(create: CreateExecutor, runner: SuiteRunner): void {
  const test = (title: string, body: (bench: Bench) => Promise<void>): void => {
    runner.it(title, async () => {
      const executor = await create();
      try {
        await body(new Bench(executor));
      } finally {
        await executor.close();
      }
    });
  };
  runner.describe('Executor: outcomes', () => outcomes(test));
  runner.describe('Executor: invocations', () => invocations(test));
}

type Test = (title: string, body: (bench: Bench) => Promise<void>) => void;

interface Report {
  readonly invocation: Invocation;
  readonly outcome: Outcome;
}

/** An executor, and what it has reported. */
class Bench {
  readonly executor: Executor;
  readonly reports: Report[] = [];
  readonly signals = new Map<string, AbortController>();
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined;

  constructor(executor: Executor) {
    this.executor = executor;
  }

  invocation(name: HandlerName, inputData: unknown = name, path: string = name): Invocation {
    const controller = new AbortController();
    this.signals.set(path, controller);
    const invocation: Invocation = {
      runId: 'run-1',
      path,
      attempt: 1,
      handler: { kind: 'registered', name },
      run: EXECUTOR_SUITE_HANDLERS[name] as AnyHandler,
      context: contextOf(path, inputData, controller.signal) as HandlerContext<never, never>,
      within: (call) => call(invocation),
    };
    return invocation;
  }

  submit(...invocations: readonly Invocation[]): void {
    this.executor.submit(invocations, (invocation, outcome) => {
      this.reports.push({ invocation, outcome });
      if (this.reports.length === this.#waiting?.count) this.#waiting.resolve();
    });
  }

  /** Tells one to stop as the orchestrator does: by its signal, and by whatever the executor has beside it. */
  stop(invocation: Invocation, reason: unknown): void {
    this.signals.get(invocation.path)?.abort(reason);
    this.executor.cancel(invocation, reason);
  }

  /** Waits until so many outcomes were reported, and a little longer for one too many. */
  async until(count: number): Promise<readonly Report[]> {
    if (this.reports.length < count)
      await new Promise<void>((resolve) => {
        this.#waiting = { count, resolve };
      });
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(this.reports.length, count);
    return this.reports;
  }

  outcomeOf(invocation: Invocation): Outcome | undefined {
    const found = this.reports.filter((report) => report.invocation === invocation);
    assert.ok(found.length <= 1, `${invocation.path} was reported ${found.length} times`);
    return found[0]?.outcome;
  }
}

function contextOf(path: string, inputData: unknown, signal: AbortSignal): Context {
  const nothing = (): void => {};
  return {
    runId: 'run-1',
    path,
    taskId: path,
    input: undefined,
    inputData,
    dependencies: {},
    attempt: 1,
    restart: 0,
    idempotencyKey: `run-1/${path}`,
    trace: {},
    signal,
    heartbeat: nothing,
    progress: nothing,
    locks: { names: [], acquire: () => Promise.reject(new Error('no locks here')), token: () => 0 },
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    clock: { now: () => 0, sleep: () => Promise.resolve(), real: (promise) => Promise.resolve(promise) },
  };
}

function outcomes(test: Test): void {
  for (const name of ['returnsAtOnce', 'returnsLater'] as const) {
    test(`${name}: the value is the output`, async (bench) => {
      const invocation = bench.invocation(name, { list: [1, 'two'] });
      bench.submit(invocation);
      await bench.until(1);
      assert.deepEqual(bench.outcomeOf(invocation), { ok: true, output: { got: { list: [1, 'two'] } } });
    });
  }

  test('no value is an output too', async (bench) => {
    const invocation = bench.invocation('returnsNothing');
    bench.submit(invocation);
    await bench.until(1);
    assert.deepEqual(bench.outcomeOf(invocation), { ok: true, output: undefined });
  });

  for (const name of ['throwsAtOnce', 'rejectsLater'] as const) {
    test(`${name}: what was thrown is the failure`, async (bench) => {
      const invocation = bench.invocation(name);
      bench.submit(invocation);
      await bench.until(1);
      const outcome = bench.outcomeOf(invocation);
      assert.ok(outcome !== undefined && !outcome.ok && outcome.thrown instanceof Error);
      assert.match(outcome.thrown.message, /thrown at once|rejected later/);
    });
  }

  test('throwing nothing is a failure', async (bench) => {
    const invocation = bench.invocation('throwsNothing');
    bench.submit(invocation);
    await bench.until(1);
    assert.equal(bench.outcomeOf(invocation)?.ok, false);
  });
}

function invocations(test: Test): void {
  test('of one submission each has one outcome of its own', async (bench) => {
    const names = Object.keys(EXECUTOR_SUITE_HANDLERS) as HandlerName[];
    const finite = names.filter((name) => name !== 'waitsForItsSignal');
    const all = Array.from({ length: 4 }, (_, i) =>
      finite.map((name) => bench.invocation(name, i, `${name}-${i}`)),
    ).flat();
    bench.submit(...all);
    await bench.until(all.length);
    for (const invocation of all) {
      const { name } = invocation.handler;
      const outcome = bench.outcomeOf(invocation);
      assert.equal(outcome?.ok, name.startsWith('returns'), invocation.path);
      if (outcome?.ok && name !== 'returnsNothing')
        assert.deepEqual(outcome.output, { got: invocation.context.inputData });
    }
  });

  test('an empty submission does nothing', async (bench) => {
    bench.submit();
    await bench.until(0);
  });

  test('one that waits holds back no other', async (bench) => {
    const waiting = bench.invocation('waitsForItsSignal');
    const quick = bench.invocation('returnsLater');
    bench.submit(waiting, quick);
    await bench.until(1);
    assert.equal(bench.outcomeOf(quick)?.ok, true);
    assert.equal(bench.outcomeOf(waiting), undefined);
    bench.stop(waiting, new Error('enough'));
    await bench.until(2);
    assert.deepEqual(bench.outcomeOf(waiting), { ok: true, output: 'stopped' });
  });

  test('cancelling one that has ended does nothing', async (bench) => {
    const invocation = bench.invocation('returnsAtOnce');
    bench.submit(invocation);
    await bench.until(1);
    bench.executor.cancel(invocation, new Error('too late'));
    await bench.until(1);
  });

  test('can be submitted again and again', async (bench) => {
    for (let i = 1; i <= 20; i++) {
      bench.submit(bench.invocation(i % 2 === 0 ? 'returnsAtOnce' : 'returnsLater', i, `again-${i}`));
      await bench.until(i);
    }
  });
}
