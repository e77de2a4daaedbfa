/** The trace of a run on its way to handlers, wherever they are executed. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  defineWorkflow,
  Orchestrator,
  type OrchestratorOptions,
  type RunOn,
  type TraceCarrier,
  type TracedAttempt,
  task,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rejection } from '../support/errors.ts';
import { expectRefused } from '../support/refusals.ts';
import { logOf, ofType } from '../support/run-log.ts';
import { noThreads } from '../support/workers.ts';

const url = new URL('../support/handlers/context.mjs', import.meta.url);
const PLACES: readonly RunOn[] = noThreads === undefined ? ['inline', 'worker', 'process'] : ['inline'];

/** A tracer as libraries have one: the span under way is found in a storage, and handed on by its name. */
const span = new AsyncLocalStorage<string>();
const inject = (): TraceCarrier => ({ traceparent: span.getStore() ?? 'none' });

async function open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

describe('the trace of a run', () => {
  it.each(PLACES)(
    '%s: is given to each attempt, and continued around the handlers of a module',
    async (runOn) => {
      const asked: unknown[] = [];
      const trace = ({ path, attempt }: TracedAttempt): TraceCarrier => {
        asked.push([path, attempt]);
        return { traceparent: `${span.getStore()}-${attempt}`, tracestate: 'x=1' };
      };
      const orchestrator = await open({ trace });
      const handlers = workerHandlers(url, { threads: 1 });
      const traced = task('traced', {
        handler: handlers.traced,
        runOn,
        retry: { maxAttempts: 2, delay: '1s' },
      });

      const run = await span.run('ada', () => orchestrator.scheduleTask(traced));
      const other = await span.run('bob', () => orchestrator.scheduleTask(traced));

      for (const [name, one] of [
        ['ada', run],
        ['bob', other],
      ] as const) {
        const { outputs } = await one.result();
        const seen = (attempt: number): unknown[] => {
          const carrier = { traceparent: `${name}-${attempt}`, tracestate: 'x=1' };
          return [carrier, ...new Array(3).fill(carrier.traceparent)];
        };
        expect(outputs.traced).toEqual(seen(2));
        const [failed] = ofType(await logOf(one), 'TaskRetryScheduled');
        expect(JSON.parse(failed?.failure.message ?? '')).toEqual(seen(1));
      }
      expect(asked.sort()).toEqual([1, 1, 2, 2].map((attempt) => ['traced', attempt]));
    },
  );

  it('is asked for once an attempt, and by nobody who does not want to know', async () => {
    let asked = 0;
    const orchestrator = await open({
      trace: () => {
        asked++;
        return inject();
      },
    });
    const plain = task('plain', { run: () => 1 });
    const reads = task('reads', { dependencies: [plain], run: (context) => [context.trace, context.trace] });

    const { outputs } = await (
      await span.run('ada', () => orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [plain, reads] })))
    ).result();

    expect(asked).toBe(1);
    const [first, second] = outputs.reads;
    expect(first).toEqual({ traceparent: 'ada' });
    expect(second).toBe(first);
  });

  it('is that of the run also where the handler has begun something of its own', async () => {
    const orchestrator = await open({ trace: inject });
    const reads = task('reads', { run: (context) => span.run('inner', () => context.trace) });
    const run = await span.run('ada', () => orchestrator.scheduleTask(reads));
    expect((await run.result()).outputs.reads).toEqual({ traceparent: 'ada' });
  });

  it.each(PLACES)('%s: is empty without a tracer, and with one that knows of none', async (runOn) => {
    for (const options of [{}, { trace: () => undefined }, { trace: () => ({}) }]) {
      const orchestrator = await open(options);
      const handlers = workerHandlers(url, { threads: 1 });
      const look = task('traced', { handler: handlers.traced, runOn, retry: { maxAttempts: 2, delay: 0 } });
      const { outputs } = await (await orchestrator.scheduleTask(look)).result();
      expect(outputs.traced).toEqual([{}, undefined, undefined, undefined]);
    }
  });

  it('is frozen, and a copy', async () => {
    const carrier = { traceparent: 'a' };
    const orchestrator = await open({ trace: () => carrier });
    const reads = task('reads', {
      run: ({ trace }) => {
        carrier.traceparent = 'b';
        return [trace.traceparent, Object.isFrozen(trace)];
      },
    });
    expect((await (await orchestrator.scheduleTask(reads)).result()).outputs.reads).toEqual(['a', true]);
  });

  const throwing = (): never => {
    throw new Error('no tracer');
  };
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, 'v']));
  it.each([
    ['throws', throwing, { message: 'no tracer' }],
    [
      'gives a promise',
      () => Promise.resolve({}),
      { code: 'OPTION_INVALID', message: /found a promise.*cannot wait/ },
    ],
    ['gives text', () => 'traceparent', { code: 'OPTION_INVALID' }],
    ['gives null', () => null, { code: 'OPTION_INVALID' }],
    ['gives a map', () => new Map(), { code: 'OPTION_INVALID' }],
    [
      'gives other values',
      () => ({ a: 'x', b: 1 }),
      { code: 'OPTION_INVALID', message: /open\/trace\(\)\/b/ },
    ],
    [
      'gives what cannot be read',
      () => ({
        get a() {
          return throwing();
        },
      }),
      { code: 'OPTION_INVALID' },
    ],
    [
      'gives too many',
      () => many,
      { code: 'LIMIT_EXCEEDED', message: /found 65 entries; allowed: at most 64/ },
    ],
    [
      'gives too much',
      () => ({ baggage: 'x'.repeat(16_384) }),
      { code: 'LIMIT_EXCEEDED', message: /16391 char/ },
    ],
  ])('a tracer that %s is reported, and costs no attempt', async (_, trace, expected) => {
    const faults: unknown[] = [];
    const lines: unknown[] = [];
    const note = (fields: unknown, message: string) => lines.push([message, fields]);
    const quiet = () => {};
    const orchestrator = await open({
      trace: trace as never,
      logger: { debug: quiet, info: quiet, warn: quiet, error: note },
    });
    orchestrator.on('ListenerFailed', (fault) => faults.push(fault));
    const reads = task('reads', { run: (context) => [context.trace, context.trace] });

    const { outputs } = await (await orchestrator.scheduleTask(reads)).result();

    expect(outputs.reads).toEqual([{}, {}]);
    const thrown = {
      ...expected,
      ...('message' in expected ? { message: expect.stringMatching(expected.message as string) } : {}),
    };
    expect(faults).toMatchObject([{ type: 'ListenerFailed', during: 'trace', thrown }]);
    expect(lines).toMatchObject([['a listener failed', { during: 'trace' }]]);
  });

  it('a tracer that is no function is refused', async () => {
    for (const trace of [null, 'traceparent', {}, { traceparent: 'x' }])
      expectRefused(await rejection(Orchestrator.open({ trace } as never)), 'OPTION_INVALID', 'open/trace');
  });
});
