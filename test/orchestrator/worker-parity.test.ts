/**
 * One table of handlers that use everything a handler is given, each executed inline, in a thread and in a process: the logs
 * of their runs have to be equal, to the millisecond of virtual time. What differs by nature stands in
 * docs/worker-threads.md.
 */
import {
  type AnyTask,
  defineWorkflow,
  type FailedAttempt,
  type FailurePolicy,
  type Logger,
  Orchestrator,
  type Run,
  type RunEvent,
  type RunOn,
  settled,
  task,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logOf } from '../support/run-log.ts';
import { needsThreads, noThreads } from '../support/workers.ts';

const url = new URL('../support/handlers/parity.mjs', import.meta.url);
const { outputNames, thrownNames } = (await import(url.href)) as Readonly<Record<string, readonly string[]>>;
const PLACES = ['inline', 'worker', 'process'] as const satisfies readonly RunOn[];

/** An orchestrator whose handlers are executed in one place. */
interface Place {
  readonly runOn: RunOn;
  readonly orchestrator: Orchestrator;
  readonly clock: VirtualClock;
  readonly lines: unknown[];
}

/** The options of a task, untyped: the same table serves all tasks. */
type Options = Readonly<Record<string, unknown>>;

/** Makes the tasks of a scene in one place. */
type MakeTask = (id: string, handler?: string, options?: Options) => AnyTask;

interface Scene {
  readonly tasks: (make: MakeTask) => readonly AnyTask[];
  /** What the host does while the run is under way. */
  readonly host?: (run: Run, place: Place) => Promise<void> | void;
  readonly input?: unknown;
  readonly failurePolicy?: FailurePolicy;
}

const one =
  (handler: string, options: Options = {}): Scene['tasks'] =>
  (make) => [make(handler, handler, options)];

const SCENES: Readonly<Record<string, Scene>> = {
  'every member of the context': {
    input: { topic: 'tides', days: [1, 2] },
    tasks: (make) => {
      const before = task('before', { run: () => ({ pages: new Map([[1, 'x']]) }) });
      return [
        before,
        make('members', 'members', {
          dependencies: { before } as never,
          inputData: { list: [1, { two: 2n }] },
          locks: ['a', { name: 'b', mode: 'shared' }],
        }),
      ];
    },
  },
  'the token of a lock that the task does not hold': { tasks: one('unheldToken', { locks: ['a'] }) },
  'outcomes of settled dependencies': {
    tasks: (make) => {
      const bad = make('fail', 'fail', { inputData: 'class' });
      const good = make('output', 'output', { inputData: 'map' });
      return [
        bad,
        good,
        make('settles', 'settles', { dependencies: { bad: settled(bad), good: settled(good) } as never }),
      ];
    },
  },
  'attempts, with progress and a log line in each': {
    tasks: one('flaky', { retry: { maxAttempts: 3, delay: '1s', factor: 2 } }),
  },
  'a retry policy that looks at what was thrown': {
    tasks: one('fail', {
      inputData: 'class',
      retry: {
        maxAttempts: 3,
        delay: 1,
        retryOn: ({ thrown }: FailedAttempt) => {
          const { name, page, code } = thrown as Readonly<Record<string, unknown>>;
          return thrown instanceof RangeError && `${name} ${page} ${code}` === 'PageError 7 E_PAGE';
        },
      },
    }),
  },
  'progress of any value, and what cannot be carried': { tasks: one('reports') },
  'too much progress': { tasks: one('tooMuchProgress') },
  'log lines': { tasks: one('logs') },
  heartbeats: { tasks: one('beats', { heartbeatTimeout: '1s', retry: { maxAttempts: 2, delay: 0 } }) },
  'progress as a heartbeat': { tasks: one('progressBeats', { heartbeatTimeout: 100 }) },
  'the clock': { tasks: one('time') },
  'something real beside a sleep': { tasks: one('realBesideSleep') },
  'a time limit': { tasks: one('obeys', { timeout: '1m' }) },
  'a time limit of all attempts': {
    tasks: one('obeys', { totalTimeout: '2m', timeout: '90s', retry: { maxAttempts: 3, delay: 0 } }),
  },
  'a cancelled run': {
    tasks: one('obeys'),
    host: async (run, { clock }) => {
      await clock.advance(0);
      await run.cancel(new Error('not needed'));
    },
  },
  'locks on the way': { tasks: one('takesLocks') },
  'refused locks': { tasks: one('refusedLocks', { locks: ['own', { name: 'shared', mode: 'shared' }] }) },
  'L03 waits for a lock that end by their limit and by their signal': {
    tasks: (make) => [make('waitsInVain', 'waitsInVain', { inputData: 'taken' })],
  },
  'a wait for a lock that ends with its attempt': {
    tasks: one('waitsUntilStopped', { inputData: 'taken', timeout: '1m' }),
  },
  'leases and their heartbeats': { tasks: one('leases') },
  'a heartbeat that ends by its signal': { tasks: one('leaseRests') },
  'L06 two tasks that take two locks in opposite orders': {
    failurePolicy: 'continue',
    tasks: (make) => [
      make('xy', 'takesTwo', { inputData: { first: 'x', second: 'y', at: 0 } }),
      make('yx', 'takesTwo', { inputData: { first: 'y', second: 'x', at: 5 } }),
    ],
  },
  'L06 the victim is tried again': {
    tasks: (make) => [
      make('xy', 'takesTwo', { inputData: { first: 'x', second: 'y', at: 0 }, priority: 1 }),
      make('yx', 'takesTwo', {
        inputData: { first: 'y', second: 'x', at: 5 },
        retry: { maxAttempts: 2, delay: 100 },
      }),
    ],
  },
  'L07 two readers that both want to write': {
    failurePolicy: 'continue',
    tasks: (make) => [make('r1', 'upgrades', { inputData: 0 }), make('r2', 'upgrades', { inputData: 5 })],
  },
  'locks and waits that are left behind': {
    tasks: (make) => {
      const leaves = make('leaves', 'leavesLocks', { inputData: 'taken' });
      return [leaves, make('finds', 'findsLocksLeft', { dependencies: [leaves] as never })];
    },
  },
};

/** What comes of a scene in one place, without what differs from one process to another. */
interface Story {
  readonly events: readonly unknown[];
  readonly lines: readonly unknown[];
  readonly outcome: unknown;
  readonly locks: readonly unknown[];
}

async function play(name: string, scene: Scene, place: Place): Promise<Story> {
  const { orchestrator, clock, runOn, lines } = place;
  const handlers = modules[runOn];
  const make: MakeTask = (id, handler = id, options = {}) =>
    task(id, { ...options, handler: handlers[handler], runOn } as never) as unknown as AnyTask;
  lines.length = 0;
  const startedAt = clock.now();
  const taken = await orchestrator.concurrency.acquireLock('taken');
  try {
    const { failurePolicy } = scene;
    const id = name.replaceAll(/[^a-zA-Z0-9 ]/g, '-');
    const workflow = defineWorkflow(id, { tasks: scene.tasks(make), failurePolicy } as never);
    const run = (await orchestrator.manageWorkflow(workflow, { input: scene.input } as never)) as Run;
    await scene.host?.(run, place);
    return await tell(run, startedAt, place);
  } finally {
    taken.release();
  }
}

/** What came of a run, once it has ended. */
async function tell(run: Run, startedAt: number, { orchestrator, lines }: Place): Promise<Story> {
  const { status, outputs, failures } = await run.settled();
  const events = (await logOf(run)).map((event) => timeless(event, startedAt));
  return {
    events,
    lines: [...lines],
    outcome: { status, outputs, failures: failures.map(({ path, failure }) => [path, stackless(failure)]) },
    locks: orchestrator.concurrency.locks().map(({ name }) => name),
  };
}

/** An event, with the time since the start of its run in place of the time of the machine. */
function timeless(event: RunEvent, startedAt: number): unknown {
  return stackless({ ...event, at: event.at - startedAt });
}

/** A copy without stacks, and with absolute times of the clock left out. */
function stackless(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date || ArrayBuffer.isView(value))
    return value;
  if (value instanceof Error) return [value.name, value.message, stackless({ ...value, cause: value.cause })];
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, stackless(item)]));
  if (value instanceof Set) return value;
  if (Array.isArray(value)) return value.map(stackless);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !['stack', 'dueAt', 'deadlineAt'].includes(key))
      .map(([key, item]) => [key, stackless(item)]),
  );
}

const modules = Object.fromEntries(
  // Two threads: the scenes of deadlocks need both their handlers at once; `left` of another call must be found.
  PLACES.map((place) => [place, workerHandlers(url, { threads: 2 }) as Readonly<Record<string, unknown>>]),
) as Readonly<Record<RunOn, Readonly<Record<string, unknown>>>>;

async function openPlace(runOn: RunOn): Promise<Place> {
  const lines: unknown[] = [];
  const line =
    (level: string): Logger['info'] =>
    (fields, message) =>
      lines.push([level, message, stackless(fields)]);
  let runs = 0;
  const clock = new VirtualClock();
  const orchestrator = await Orchestrator.open({
    clock,
    cancelGrace: '1s',
    idSource: { nextRunId: () => `run-${++runs}` },
    logger: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    trace: ({ path, attempt }) => ({ traceparent: `00-${path}-${attempt}` }),
  });
  return { runOn, orchestrator, clock, lines };
}

describe.skipIf(noThreads !== undefined)(
  needsThreads('what a handler can do is the same inline, in a thread and in a process'),
  () => {
    let places: readonly Place[];

    beforeAll(async () => {
      places = await Promise.all(PLACES.map(openPlace));
    });

    afterAll(async () => {
      await Promise.all(places.map(({ orchestrator }) => orchestrator.close({ grace: 0 })));
    });

    async function expectParity(name: string, scene: Scene): Promise<void> {
      const [inline, ...others] = await Promise.all(places.map((place) => play(name, scene, place)));
      // That of the host: what an attempt took went with its end.
      expect(inline?.locks).toEqual(['taken']);
      expect(inline?.events.length).toBeGreaterThan(3);
      for (const [i, other] of others.entries())
        expect([PLACES[i + 1], other]).toEqual([PLACES[i + 1], inline]);
    }

    it.each(Object.keys(SCENES))('%s', (name) => expectParity(name, SCENES[name] as Scene));

    it.each(outputNames as readonly string[])('an output: %s', async (name) => {
      await expectParity(`output ${name}`, {
        tasks: (make) => {
          const output = make('output', 'output', { inputData: name });
          // One after the other, so that it does not matter which of two threads is faster.
          const later = make('outputLater', 'outputLater', {
            inputData: name,
            dependencies: { output: settled(output) },
          });
          const seen = make('seen', 'members', {
            dependencies: { output: settled(output), later: settled(later) } as never,
          });
          return [output, later, task('after', { dependencies: [seen], run: () => 1 }) as never];
        },
      });
    });

    it.each(thrownNames as readonly string[])('what is thrown: %s', async (name) => {
      const retry = { maxAttempts: 2, delay: 1 };
      await expectParity(`thrown ${name}`, {
        tasks: (make) => {
          const fail = make('fail', 'fail', { inputData: name, retry });
          return [
            fail,
            make('failLater', 'failLater', { inputData: name, dependencies: { fail: settled(fail) } }),
          ];
        },
      });
    });
  },
);
