/** The workflows of the soak, and what their handlers do. Everything ends by itself within a few seconds. */
import { setTimeout as wait } from 'node:timers/promises';
import {
  type HandlerContext,
  NonRetryableError,
  type OrchestratorOptions,
  type WorkflowData,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';

const BYTES_OF_LARGE = 100_000;

/** Every run of the soak is started with one of these; what its tasks give follows from it. */
export interface Input {
  readonly n: number;
  /** Whether what would fail does not. */
  readonly isMended?: boolean;
}

const numberOf = ({ input }: HandlerContext): number => (input as Input).n;

/** Values that a store has to bring back as they were. */
export function oddValue(n: number): unknown {
  return {
    map: new Map<unknown, unknown>([
      ['n', n],
      [n, new Set([n, `${n}`, null])],
    ]),
    date: new Date(1_700_000_000_000 + n),
    big: 2n ** 70n + BigInt(n),
    bytes: Uint8Array.from({ length: 64 }, (_, i) => (i * n) & 255),
    floats: Float64Array.of(n / 3, -0, Number.NaN, Number.POSITIVE_INFINITY),
    text: `${'\u{1F30A}'.repeat(3)}\n"${n}"\u2028`,
    none: [undefined, null, -0],
  };
}

export function largeValue(n: number): unknown {
  const word = `${n} `;
  return n % 16 === 0
    ? { text: word.repeat(Math.ceil(BYTES_OF_LARGE / word.length)) }
    : { bytes: new Uint8Array(BYTES_OF_LARGE).fill(n & 255) };
}

async function step(context: HandlerContext): Promise<unknown> {
  const { path, attempt, clock, dependencies, inputData } = context;
  const n = numberOf(context);
  await clock.sleep(n % 4);
  if (inputData === 'flaky' && attempt === 1) throw new Error('at the first time this one fails');
  return { n, path, given: Object.keys(dependencies).length };
}

/** Fails, unless it is mended: for good, or after all its attempts. */
function fail(context: HandlerContext): unknown {
  const n = numberOf(context);
  if ((context.input as Input).isMended) return { n, isMended: true };
  if (n % 2 === 0) throw new NonRetryableError(`run ${n} fails for good`);
  throw new Error(`run ${n} fails`);
}

async function slow({ clock, inputData }: HandlerContext): Promise<string> {
  await clock.sleep(Number(inputData));
  return 'slept';
}

/** Does not hear its signal: it is given up on. */
async function deaf({ inputData }: HandlerContext): Promise<string> {
  await wait(Number(inputData));
  return 'too late';
}

async function report(context: HandlerContext): Promise<number> {
  const { progress, heartbeat, clock, log } = context;
  for (let done = 1; done <= 3; done++) {
    progress({ done, of: 3, at: new Date(numberOf(context)) });
    heartbeat();
    await clock.sleep(1);
  }
  log.info('reported', { n: numberOf(context) });
  return numberOf(context);
}

/** Two of these take their locks in opposite orders: now and then one is the victim of a deadlock, and tries again. */
async function nest({ locks, clock, inputData }: HandlerContext): Promise<string> {
  const other = inputData === 'left' ? 'right' : 'left';
  await clock.sleep(1);
  const inner = await locks.acquire(`side-${other}`, { timeout: '5s' });
  inner.release();
  return other;
}

const threads = workerHandlers<typeof import('./threads.ts')>(new URL('./threads.ts', import.meta.url), {
  threads: 2,
  // Threads that come and go with the load would be handles that come and go; `stops` ends enough of them.
  idle: '10m',
});

export const HANDLERS = {
  ...{ step, fail, slow, deaf, report, nest },
  odd: (context: HandlerContext): unknown => oddValue(numberOf(context)),
  large: (context: HandlerContext): unknown => largeValue(numberOf(context)),
  ...{ grind: threads.grind, balk: threads.balk, dawdle: threads.dawdle },
} as unknown as NonNullable<OrchestratorOptions['handlers']>;

const RETRY = { maxAttempts: 3, delay: 2, jitter: 0.5 };
type Tasks = WorkflowData['tasks'];
type Options = Omit<WorkflowData, 'name' | 'tasks'>;
const flow = (name: string, tasks: Tasks, options: Options = {}): WorkflowData => ({
  name,
  tasks,
  ...options,
});

const FAN: Tasks = [
  { taskId: 'root', handler: 'step' },
  ...Array.from({ length: 5 }, (_, i) => ({
    taskId: `f${i}`,
    handler: 'step',
    dependencies: ['root'],
    priority: i,
    locks: [i % 2 === 0 ? 'whole' : { name: 'part', mode: 'shared' as const }],
    resourceRequirements: i % 2 === 0 ? { cpu: 1 } : { cpu: 0.5, tokens: 1 },
    agentAssigned: i % 2 === 0 ? 'ann' : 'bob',
  })),
  { taskId: 'join', handler: 'step', dependencies: ['f0', 'f1', 'f2', 'f3', 'f4'] },
];

const MOVING: Tasks = [
  { taskId: 'a', handler: 'step' },
  { taskId: 'b', handler: 'slow', inputData: 20, dependencies: ['a'] },
];

/** The second of two of one name is its second version. */
export const WORKFLOWS: readonly WorkflowData[] = [
  flow(
    'chain',
    Array.from({ length: 4 }, (_, i) => ({
      taskId: `c${i}`,
      handler: 'step',
      dependencies: i === 0 ? [] : [`c${i - 1}`],
      retry: RETRY,
      inputData: i === 2 ? 'flaky' : 'steady',
    })),
  ),
  flow('fan', FAN),
  flow('failing', [
    { taskId: 'good', handler: 'step' },
    { taskId: 'bad', handler: 'fail', dependencies: ['good'], retry: RETRY },
    { taskId: 'never', handler: 'step', dependencies: ['bad'] },
  ]),
  flow(
    'tolerant',
    [
      { taskId: 'bad', handler: 'fail' },
      { taskId: 'after', handler: 'step', dependencies: [{ taskId: 'bad', on: 'settled' }] },
      { taskId: 'other', handler: 'step' },
    ],
    { failurePolicy: 'continue' },
  ),
  flow('long', [
    { taskId: 'before', handler: 'step' },
    { taskId: 'sleeps', handler: 'slow', inputData: 800, dependencies: ['before'] },
    { taskId: 'behind', handler: 'step', dependencies: ['sleeps'] },
  ]),
  // So long that it is cancelled before, however busy the machine is.
  flow('endless', [
    { taskId: 'before', handler: 'step' },
    { taskId: 'sleeps', handler: 'slow', inputData: 600_000, dependencies: ['before'] },
    { taskId: 'behind', handler: 'step', dependencies: ['sleeps'] },
  ]),
  flow('late', [
    { taskId: 'late', handler: 'slow', inputData: 5_000, timeout: 15, retry: { maxAttempts: 2, delay: 2 } },
  ]),
  flow('deaf', [{ taskId: 'deaf', handler: 'deaf', inputData: 400, timeout: 15 }]),
  flow('reports', [
    { taskId: 'reports', handler: 'report', heartbeatTimeout: '30s' },
    { taskId: 'then', handler: 'step', dependencies: ['reports'] },
  ]),
  flow('values', [
    { taskId: 'odd', handler: 'odd' },
    { taskId: 'step', handler: 'step', dependencies: ['odd'] },
  ]),
  flow('large', [{ taskId: 'large', handler: 'large' }]),
  flow(
    'nested',
    ['left', 'right'].map((side) => ({
      taskId: side,
      handler: 'nest',
      inputData: side,
      locks: [`side-${side}`],
      retry: { ...RETRY, maxAttempts: 10 },
    })),
    { failurePolicy: 'continue' },
  ),
  flow('moving', [...MOVING, { taskId: 'c', handler: 'step', dependencies: ['b'] }]),
  flow('moving', [
    ...MOVING,
    { taskId: 'c', handler: 'step', dependencies: ['b'], inputData: 'flaky', retry: RETRY },
    { taskId: 'd', handler: 'step', dependencies: ['c'] },
  ]),
  flow('threads', [
    // A thread that `stops` brings down takes a result along now and then: WORKER_LOST is to be tried again.
    { taskId: 'grind', handler: 'grind', retry: RETRY },
    { taskId: 'balk', handler: 'balk', retry: RETRY },
    { taskId: 'step', handler: 'step', dependencies: ['grind', 'balk'] },
  ]),
  flow('stops', [{ taskId: 'dawdle', handler: 'dawdle', timeout: 30 }]),
];

export const LIMITS = {
  concurrency: 64,
  resources: { cpu: 8, tokens: { capacity: 2_000, per: '1s' } },
  agents: { ann: { concurrency: 6 }, bob: { concurrency: 4, rate: { limit: 2_000, per: '1s' } } },
  cancelGrace: '100ms',
} as const satisfies OrchestratorOptions;
