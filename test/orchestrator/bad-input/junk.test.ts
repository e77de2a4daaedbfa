import {
  defineWorkflow,
  ERROR_CODES,
  Orchestrator,
  OrchestratorError,
  type Run,
  task,
  type WorkflowData,
} from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lateProxy, revokedProxy, throwingProxy, withThrowingGetter } from '../../support/refusals.ts';
import { openVirtual } from '../../support/virtual-orchestrator.ts';

const RUNS = 150;
const run = (): number => 1;

const TASK_KEYS = [
  'description',
  'dependencies',
  'agentAssigned',
  'inputData',
  'priority',
  'estimatedDuration',
  'resourceRequirements',
  'locks',
  'run',
  'handler',
  'runOn',
  'transfer',
  'retry',
  'timeout',
  'totalTimeout',
  'heartbeatTimeout',
  'maxRestarts',
  'when',
  'tags',
  'metadata',
] as const;
const WORKFLOW_KEYS = [
  'tasks',
  'input',
  'workflowId',
  'description',
  'failurePolicy',
  'concurrency',
  'tags',
  'metadata',
] as const;
const OPEN_KEYS = [
  'workflows',
  'handlers',
  'store',
  'resources',
  'agents',
  'concurrency',
  'policy',
  'deadlocks',
  'cancelGrace',
  'retainRuns',
  'monitors',
  'logger',
  'clock',
  'idSource',
  'random',
  'executor',
] as const;

/** What no generator can make: fast-check asks questions of the values it makes, and these answer none. */
const HOSTILE: readonly unknown[] = [
  throwingProxy(),
  throwingProxy([]),
  lateProxy(),
  lateProxy([]),
  revokedProxy(),
  revokedProxy([]),
  withThrowingGetter('name'),
  withThrowingGetter('taskId'),
  withThrowingGetter('kind'),
  withThrowingGetter('maxAttempts'),
  withThrowingGetter('capacity'),
  Symbol('junk'),
  () => undefined,
  class Junk {},
  function* junk() {},
  new Array(5),
  Object.create({ name: 'inherited', tasks: [] }),
  Promise.resolve(1),
  new Proxy(task('a', { run }), {}),
  Object.create(Object.getPrototypeOf(task('a', { run })) as object),
];

/** Stands for one of them until the generator is out of the way. */
class Placeholder {
  readonly index: number;

  constructor(index: number) {
    this.index = index;
  }
}

const hostile: fc.Arbitrary<unknown> = fc.nat(HOSTILE.length - 1).map((index) => new Placeholder(index));

/** A copy with the hostile values in their places; what was made stays as it is, for the report of a failure. */
function fill(value: unknown): unknown {
  if (value instanceof Placeholder) return HOSTILE[value.index];
  if (Array.isArray(value)) {
    const copy: unknown[] = value.slice();
    for (const key of Object.keys(value)) copy[Number(key)] = fill(value[Number(key)]);
    return copy;
  }
  if (typeof value !== 'object' || value === null || tagOf(value) !== '[object Object]') return value;
  const entries = Object.entries(value).map(([key, item]) => [key, fill(item)] as const);
  return Object.defineProperties(
    Object.create(Object.getPrototypeOf(value) as object | null),
    Object.fromEntries(entries.map(([key, item]) => [key, { value: item, enumerable: true }])),
  );
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value);
}

const anything: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }) },
  {
    weight: 2,
    arbitrary: fc.anything({ withNullPrototype: true, withSparseArray: true, withTypedArray: true }),
  },
  { weight: 2, arbitrary: hostile },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>('a', '5', '5s', '', 0, -1, 1.5, Number.NaN, 2 ** 53, null),
  },
);

/** Junk inside of junk: the shapes that nearly fit. */
const junk: fc.Arbitrary<unknown> = fc.oneof(
  anything,
  fc.array(anything, { maxLength: 4 }),
  fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom('name', 'taskId', 'per', 'rate', 'limit', 'mode')),
    anything,
    {
      maxKeys: 4,
    },
  ),
);

/** An object of which one or two of the known keys hold junk. */
function objectOf(keys: readonly string[], rest: object = {}): fc.Arbitrary<object> {
  return fc
    .dictionary(fc.constantFrom(...keys), junk, { minKeys: 1, maxKeys: 2 })
    .map((odd) => ({ ...rest, ...odd }));
}

/** Calls what may refuse: it does what it should or throws an error of the catalogue, and nothing else. */
async function refusedOrFine(call: () => unknown): Promise<'refused' | 'fine'> {
  try {
    await call();
    return 'fine';
  } catch (error) {
    if (!OrchestratorError.is(error)) throw new Error('no error of ours', { cause: error });
    expect(Object.hasOwn(ERROR_CODES, error.code), error.code).toBe(true);
    expect(error.code).not.toBe('INTERNAL');
    expect(error.message.length).toBeLessThan(3_000);
    const { at, found, allowed } = error.details;
    if (at === undefined) return 'refused';
    expect(error.message).toContain(`${String(at)}: found ${String(found)}; allowed: ${String(allowed)}`);
    expect(String(found).length, String(found)).toBeLessThanOrEqual(80);
    return 'refused';
  }
}

interface Door {
  readonly name: string;
  readonly input: fc.Arbitrary<unknown>;
  readonly call: (input: never, orchestrator: Orchestrator) => unknown;
}

/** Starts a run of junk that was found to be good, and does not wait for it. */
async function startAndCancel(starting: Promise<Run | Run<never>>): Promise<void> {
  const started = await starting;
  await started.cancel();
}

const DOORS: readonly Door[] = [
  { name: 'the id of a task', input: junk, call: (id) => task(id, { run }) },
  { name: 'the options of a task', input: junk, call: (options) => task('t', options) },
  { name: 'an option of a task', input: objectOf(TASK_KEYS, { run }), call: (options) => task('t', options) },
  {
    name: 'a retry option',
    input: objectOf(['maxAttempts', 'delay', 'factor', 'maxDelay', 'jitter', 'retryOn', 'odd']),
    call: (retry) => task('t', { run, retry }),
  },
  { name: 'the name of a workflow', input: junk, call: (name) => defineWorkflow(name, { tasks: [] }) },
  { name: 'the options of a workflow', input: junk, call: (options) => defineWorkflow('w', options) },
  {
    name: 'an option of a workflow',
    input: objectOf(WORKFLOW_KEYS, { tasks: [] }),
    call: (options) => defineWorkflow('w', options),
  },
  { name: 'a workflow as data', input: junk, call: (data) => defineWorkflow(data as WorkflowData) },
  {
    name: 'a task as data',
    input: objectOf([...TASK_KEYS, 'taskId'], { taskId: 't', handler: 'run' }),
    call: (item, orchestrator) =>
      startAndCancel(orchestrator.manageWorkflow({ name: 'w', tasks: [item] } as WorkflowData)),
  },
  { name: 'the options of open', input: junk, call: (options) => openAndClose(options) },
  { name: 'an option of open', input: objectOf(OPEN_KEYS), call: (options) => openAndClose(options) },
  {
    name: 'a resource or agent of open',
    input: fc.record({
      resources: fc.dictionary(fc.string(), junk, { maxKeys: 2 }),
      agents: fc.dictionary(fc.string(), objectOf(['concurrency', 'rate', 'odd']), { maxKeys: 2 }),
    }),
    call: (options) => openAndClose(options),
  },
  {
    name: 'what manageWorkflow is given',
    input: junk,
    call: (workflow, orchestrator) => startAndCancel(orchestrator.manageWorkflow(workflow)),
  },
  {
    name: 'what scheduleTask is given',
    input: junk,
    call: (odd, orchestrator) => startAndCancel(orchestrator.scheduleTask(odd)),
  },
  {
    name: 'the options of manageWorkflow',
    input: fc.oneof(junk, objectOf(['input', 'key', 'priority', 'signal', 'odd'])),
    call: (options, orchestrator) =>
      startAndCancel(
        orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [task('t', { run })] }), options),
      ),
  },
  {
    name: 'a lock and its options',
    input: fc.tuple(junk, fc.oneof(junk, objectOf(['priority', 'timeout', 'signal', 'mode']))),
    call: async ([name, options]: [never, never], orchestrator) =>
      (await orchestrator.concurrency.acquireLock(name, options)).release(),
  },
  {
    name: 'resources and options',
    input: fc.tuple(fc.oneof(junk, objectOf(['cpu', 'gpu'])), fc.oneof(junk, fc.constant({}))),
    call: async ([amounts, options]: [never, never], orchestrator) =>
      (await orchestrator.resources.allocateResource(amounts, options)).release(),
  },
  {
    name: 'limits and capacities',
    input: junk,
    call: (odd, orchestrator) => {
      orchestrator.resources.setCapacity('cpu', odd);
      orchestrator.concurrency.setLimit(odd);
    },
  },
  { name: 'a policy', input: junk, call: (odd, orchestrator) => orchestrator.prioritizeTasks(odd) },
  { name: 'an event', input: junk, call: (odd, orchestrator) => orchestrator.on(odd, () => {})() },
  { name: 'a run', input: junk, call: (odd, orchestrator) => orchestrator.getRun(odd) },
];

async function openAndClose(options: never): Promise<void> {
  const opened = await Orchestrator.open(options);
  await opened.close({ grace: 0 });
}

describe('junk', () => {
  it.each(DOORS.map((door) => [door.name, door] as const))(
    'as %s is refused by an error of the catalogue',
    async (_name, { input, call }) => {
      const { orchestrator } = await openVirtual({ handlers: { run }, resources: { cpu: 4, gpu: 1 } });
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(input, async (value) => {
          if ((await refusedOrFine(() => call(fill(value) as never, orchestrator))) === 'refused') refused++;
        }),
        { numRuns: RUNS, seed: 7 },
      );
      expect(refused).toBeGreaterThan(RUNS / 4);
      // Whatever was refused or accepted, the orchestrator still works.
      orchestrator.concurrency.setLimit(undefined);
      orchestrator.prioritizeTasks();
      const good = await orchestrator.scheduleTask(task('good', { run: () => 'good' }));
      await expect(good.result()).resolves.toMatchObject({ outputs: { good: 'good' } });
    },
  );
});
