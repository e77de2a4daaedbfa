/** One way to each error that can be met from outside, with the same ids every time: docs/errors.md quotes them. */
import { createHash } from 'node:crypto';
import {
  type Clock,
  defineWorkflow,
  type ErrorCode,
  type EventRecord,
  type EventStore,
  MemoryStore,
  Orchestrator,
  OrchestratorError,
  type OrchestratorOptions,
  type ReadRequest,
  task,
  type WorkerHandlersOptions,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import { encryptedStore } from '@taskmaster-ai/orchestrator/encryption';
import { fileStore } from '@taskmaster-ai/orchestrator/file';
import { WorkflowManager } from '@taskmaster-ai/orchestrator/managers';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { nodeFileSystem } from '../../src/adapters/file/file-system.ts';
import { damage, fileStoreOn, fillingUp, inFolder, osError } from './broken-stores.ts';
import { DurableMemory } from './durable-memory.ts';
import { refusal, rejection } from './errors.ts';

/** What an example is given: how to open an orchestrator that is closed afterwards. */
export interface Stage {
  open(options?: OrchestratorOptions): Promise<Orchestrator>;
}

/** Brings about one error. */
export type Example = (stage: Stage) => OrchestratorError | Promise<OrchestratorError>;

const parse = task('parse', { run: () => 1 });
const report = defineWorkflow('report', { tasks: [parse] });
const nap = task('nap', { run: ({ clock }) => clock.sleep('1h') });

/** The cause of the failure of a run of one task. */
async function causeOf(
  stage: Stage,
  failing: Parameters<Orchestrator['scheduleTask']>[0],
): Promise<OrchestratorError> {
  const run = await (await stage.open()).scheduleTask(failing);
  const { cause } = await rejection(run.result());
  if (!OrchestratorError.is(cause)) throw new Error('the cause is no error of ours', { cause });
  return cause;
}

const KEYS = { k1: createHash('sha256').update('1').digest(), k2: createHash('sha256').update('2').digest() };

/** A store in which a run goes on, encrypted or not; whoever wrote it is gone. */
async function written(keys?: Record<string, Uint8Array>, current = ''): Promise<EventStore> {
  const store = new DurableMemory();
  const orchestrator = await Orchestrator.open({
    clock: new VirtualClock(),
    store: keys === undefined ? store : encryptedStore(store, { current, keys }),
    idSource: { nextRunId: () => 'run-1' },
  });
  await orchestrator.manageWorkflow(defineWorkflow('napping', { tasks: [nap] }));
  await orchestrator.close({ grace: 0 });
  return store;
}

/** Where an example finds handlers that do what no handler must do. */
const FAULTS = new URL('./handlers/faults.mjs', import.meta.url);

/** The cause of the failure of a task that is executed in a thread. */
function inThread(
  stage: Stage,
  name: string,
  options: WorkerHandlersOptions = {},
): Promise<OrchestratorError> {
  const handlers = workerHandlers(FAULTS, { threads: 1, ...options });
  return causeOf(stage, task('parse', { handler: handlers[name] }));
}

/** What a call fails with whose neighbour in one thread brings that down. */
async function besideCrash(stage: Stage): Promise<OrchestratorError> {
  const options = {
    threads: 1,
    handlers: { neverSettles: { concurrent: true }, throwsInTimer: { concurrent: true } },
  } as const;
  const handlers = workerHandlers(FAULTS, options);
  const parse = task('parse', { handler: handlers.neverSettles });
  const crash = task('crash', { handler: handlers.throwsInTimer });
  const orchestrator = await stage.open();
  const run = await orchestrator.manageWorkflow(
    defineWorkflow('report', { failurePolicy: 'continue', tasks: [parse, crash] }),
  );
  const { cause } = await rejection(run.result());
  return cause as OrchestratorError;
}

/** The examples that start threads. */
export const NEED_THREADS: ReadonlySet<ErrorCode> = new Set([
  'HANDLER_LOAD_FAILED',
  'WORKER_CRASHED',
  'WORKER_OUT_OF_MEMORY',
  'WORKER_TERMINATED',
  'WORKER_LOST',
]);

/** A store whose records come back changed. */
class ChangedStore extends MemoryStore {
  readonly #change: (record: EventRecord) => EventRecord;

  constructor(change: (record: EventRecord) => EventRecord) {
    super();
    this.#change = change;
  }

  override read(request: ReadRequest): readonly EventRecord[] {
    return super.read(request).map((record) => this.#change(record));
  }
}

/** What an orchestrator says that opens a store in which a run was left unfinished, and which was changed since. */
async function afterReopening(
  stage: Stage,
  change: (record: EventRecord) => EventRecord,
): Promise<OrchestratorError> {
  const store = new ChangedStore(change);
  const napping = defineWorkflow('napping', { tasks: [nap] });
  const first = await stage.open({ store });
  await first.manageWorkflow(napping);
  await first.close({ grace: 0 });
  const { lost } = await (await stage.open({ store, workflows: [napping] })).recoverState();
  return lost[0]?.error as OrchestratorError;
}

/** What the logger is told about a checkpoint that was damaged in the store. */
async function afterDamage(stage: Stage): Promise<OrchestratorError> {
  const told: unknown[] = [];
  const nothing = (): void => {};
  const logger = {
    debug: nothing,
    info: nothing,
    error: nothing,
    warn: (fields: object) => told.push(fields),
  };
  const store = new ScriptedStore(new MemoryStore(), { checkpoints: [{ at: 1, fault: 'damage' }] });
  const orchestrator = await stage.open({ store, logger });
  const { runId } = await orchestrator.manageWorkflow(defineWorkflow('napping', { tasks: [nap] }));
  await orchestrator.persistence.createCheckpoint(runId);
  await orchestrator.persistence.loadState(runId);
  return (told[0] as { readonly error: OrchestratorError }).error;
}

export const ERROR_EXAMPLES: Partial<Record<ErrorCode, Example>> = {
  DEFINITION_INVALID: () => refusal(() => defineWorkflow('report', { tasks: ['parse'] as never })),
  ID_INVALID: () => refusal(() => task('pages/parse', { run: () => 1 })),
  ID_DUPLICATE: async (stage) => {
    const twice = defineWorkflow('report', { tasks: [parse, task('parse', { run: () => 2 })] });
    return rejection((await stage.open()).manageWorkflow(twice));
  },
  DEPENDENCY_INVALID: () => refusal(() => task('write', { dependencies: 'parse' as never, run: () => 1 })),
  DEPENDENCY_UNKNOWN: async (stage) => {
    const write = task('write', { dependencies: ['prase'], run: () => 1 });
    return rejection(
      (await stage.open()).manageWorkflow(defineWorkflow('report', { tasks: [parse, write] })),
    );
  },
  DEPENDENCY_SELF: async (stage) => {
    const write = task('write', { dependencies: ['write'], run: () => 1 });
    return rejection((await stage.open()).manageWorkflow(defineWorkflow('report', { tasks: [write] })));
  },
  DEPENDENCY_CYCLE: async (stage) => {
    const node = (id: string, before: string) => task(id, { dependencies: [before], run: () => 1 });
    const ring = [node('search', 'write'), node('parse', 'search'), node('write', 'parse')];
    return rejection((await stage.open()).manageWorkflow(defineWorkflow('report', { tasks: ring })));
  },
  HANDLER_INVALID: () => refusal(() => task('write', { description: 'writes the report' })),
  HANDLER_UNKNOWN: async (stage) => {
    const orchestrator = await stage.open({ handlers: { parse: () => 1 } });
    return rejection(orchestrator.scheduleTask(task('parse', { handler: 'prase' })));
  },
  HANDLER_LOAD_FAILED: (stage) => {
    const handlers = workerHandlers('/srv/handlers.js');
    return causeOf(stage, task('parse', { handler: handlers.parse }));
  },
  WORKER_CRASHED: (stage) => inThread(stage, 'throwsInTimer'),
  WORKER_OUT_OF_MEMORY: (stage) => inThread(stage, 'oomSmall', { memory: '32mb' }),
  WORKER_TERMINATED: (stage) => inThread(stage, 'spin', { handlers: { spin: { timeout: '50ms' } } }),
  WORKER_LOST: besideCrash,
  OPTION_UNKNOWN: () => refusal(() => task('write', { retries: 3, run: () => 1 } as never)),
  OPTION_INVALID: () => refusal(() => task('write', { timeout: '5', run: () => 1 })),
  OPTION_CONFLICT: () => refusal(() => task('write', { run: () => 1, handler: 'write' })),
  LIMIT_EXCEEDED: () =>
    refusal(() => task('write', { tags: new Array<string>(100).fill('draft'), run: () => 1 })),
  VALUE_UNSERIALISABLE: (stage) =>
    causeOf(stage, task('fetch', { run: () => ({ rows: [{ load: () => 'a page' }] }) })),
  INPUT_INVALID: async (stage) => {
    const validate = () => ({ issues: [{ message: 'expected a string', path: ['topic'] }] });
    const schema = { '~standard': { version: 1 as const, vendor: 'docs', validate } };
    const checked = defineWorkflow('report', { tasks: [parse], input: schema });
    return rejection((await stage.open()).manageWorkflow(checked, { input: { topic: 5 } }));
  },
  DEFINITION_SEALED: () => {
    const { workflow } = new WorkflowManager().createWorkflow('report', [task('parse', { run: () => 1 })]);
    return refusal(() => workflow.removeTask('parse'));
  },
  EXPORT_IMPOSSIBLE: () => refusal(() => defineWorkflow('report', { tasks: [parse] }).toJSON()),
  WORKFLOW_EXISTS: () => {
    const workflows = new WorkflowManager();
    workflows.createWorkflow('report', [{ taskId: 'parse', handler: 'parse' }]);
    return refusal(() => workflows.createWorkflow('report', []));
  },
  WORKFLOW_IN_USE: async (stage) => {
    const orchestrator = await stage.open();
    await orchestrator.manageWorkflow(defineWorkflow('napping', { tasks: [nap] }));
    return refusal(() => orchestrator.workflows.deleteWorkflow('napping'));
  },
  WORKFLOW_ARCHIVED: async (stage) => {
    const orchestrator = await stage.open();
    const { workflow } = orchestrator.workflows.createWorkflow('report', [parse]);
    workflow.updateStatus('archived');
    return rejection(orchestrator.manageWorkflow(workflow));
  },
  WORKFLOW_CHANGED: () => {
    const workflows = new WorkflowManager();
    workflows.createWorkflow('report', [parse]);
    return refusal(() =>
      workflows.updateWorkflow('report', () => {
        workflows.versionWorkflow('report');
      }),
    );
  },
  WORKFLOW_NOT_FOUND: () => {
    const workflows = new WorkflowManager();
    workflows.createWorkflow('report', [{ taskId: 'parse', handler: 'parse' }]);
    return refusal(() => workflows.getWorkflow('rapport'));
  },
  TASK_NOT_LIVE: () => refusal(() => parse.updateStatus('completed')),
  TRANSITION_ILLEGAL: () =>
    refusal(() => defineWorkflow('report', { tasks: [parse] }).updateStatus('archived')),
  RUN_NOT_FOUND: async (stage) => {
    const orchestrator = await stage.open();
    return refusal(() => orchestrator.getRun('run-99'));
  },
  RUN_FINISHED: async (stage) => {
    const orchestrator = await stage.open();
    const run = await orchestrator.manageWorkflow(report);
    await run.result();
    return rejection(orchestrator.handleTaskError(run.runId, 'parse', new Error('too late')));
  },
  RUN_KEY_CONFLICT: async (stage) => {
    const orchestrator = await stage.open();
    await orchestrator.manageWorkflow(defineWorkflow('bill', { tasks: [nap] }), {
      key: 'invoice-17',
      input: 1,
    });
    const again = defineWorkflow('bill', { tasks: [nap] });
    return rejection(orchestrator.manageWorkflow(again, { key: 'invoice-17', input: 2 }));
  },
  RUN_PRUNED: async (stage) => {
    const orchestrator = await stage.open({ retainRuns: 0, store: new DurableMemory() });
    const bill = defineWorkflow('bill', { tasks: [task('send', { run: () => 'sent' })] });
    const run = await orchestrator.manageWorkflow(bill, { key: 'invoice-17' });
    await run.result();
    await orchestrator.pruneRuns({ keepLast: 0 });
    return rejection(orchestrator.manageWorkflow(bill, { key: 'invoice-17' }));
  },
  RUN_FAILED: async (stage) => {
    const fails = task('write', {
      run: () => {
        throw new Error('the disk is full');
      },
    });
    return rejection((await (await stage.open()).scheduleTask(fails)).result());
  },
  RUN_CANCELLED: async (stage) => {
    const run = await (await stage.open()).scheduleTask(nap);
    await run.cancel(new Error('no longer wanted'));
    return rejection(run.result());
  },
  RUN_MOVE_REFUSED: async (stage) => {
    const orchestrator = await stage.open();
    const run = await orchestrator.manageWorkflow(defineWorkflow('rest', { tasks: [nap] }));
    const longer = task('nap', { inputData: 'longer', run: ({ clock }) => clock.sleep('2h') });
    orchestrator.workflows.updateWorkflow('rest', [longer]);
    return rejection(run.moveTo(2));
  },
  RUN_RELEASED: async (stage) => {
    const run = await (await stage.open()).manageWorkflow(report);
    await run.result();
    run.release();
    return rejection(run.result());
  },
  SELF_WAIT: async (stage) => {
    const orchestrator = await stage.open();
    const waits = task('waits', { run: async ({ runId }) => orchestrator.getRun(runId).result() });
    const error = await rejection((await orchestrator.scheduleTask(waits)).result());
    return error.cause as OrchestratorError;
  },
  TASK_NOT_FOUND: async (stage) => {
    const run = await (await stage.open()).manageWorkflow(report);
    return rejection(run.cancelTask('prase'));
  },
  TASK_TIMEOUT: (stage) =>
    causeOf(stage, task('fetch', { timeout: '30s', run: ({ clock }) => clock.sleep('1h') })),
  TASK_DEAD_LETTER: async (stage) => {
    const store = new MemoryStore();
    const deadly = task('parse', { maxRestarts: 0, run: () => new Promise<never>(() => {}) });
    const workflow = defineWorkflow('report', { tasks: [deadly] });
    const first = await stage.open({ store, workflows: [workflow] });
    const { runId } = await first.manageWorkflow(workflow);
    await first.close({ grace: 0 });
    const second = await stage.open({ store, workflows: [workflow] });
    return (await rejection(second.getRun(runId).result())).cause as OrchestratorError;
  },
  TASK_CANCELLED: async (stage) => {
    const run = await (await stage.open()).scheduleTask(nap);
    await run.cancelTask('nap');
    return (await rejection(run.result())).cause as OrchestratorError;
  },
  CONDITION_FAILED: (stage) =>
    causeOf(stage, task('publish', { when: (() => 'yes') as never, run: () => 1 })),
  RESOURCE_UNKNOWN: async (stage) => {
    const orchestrator = await stage.open({ resources: { gpu: 2 } });
    return rejection(
      orchestrator.scheduleTask(task('train', { resourceRequirements: { gpus: 1 }, run: () => 1 })),
    );
  },
  RESOURCE_AMOUNT_INVALID: () =>
    refusal(() => task('train', { resourceRequirements: { gpu: 0 }, run: () => 1 })),
  RESOURCE_UNSCHEDULABLE: async (stage) => {
    const orchestrator = await stage.open({ resources: { gpu: 2 } });
    return rejection(
      orchestrator.scheduleTask(task('train', { resourceRequirements: { gpu: 4 }, run: () => 1 })),
    );
  },
  LOCK_CONFLICT: () =>
    refusal(() => task('write', { locks: ['report', { name: 'report', mode: 'shared' }], run: () => 1 })),
  LOCK_STALE: async (stage) => {
    const { concurrency } = await stage.open();
    return refusal(() => concurrency.releaseLock('report', 7));
  },
  DEADLOCK_VICTIM: async (stage) => {
    const { concurrency } = await stage.open();
    await concurrency.acquireLock('x', { owner: 'a' });
    await concurrency.acquireLock('y', { owner: 'b' });
    concurrency.acquireLock('y', { owner: 'a' }).catch(() => {});
    return rejection(concurrency.acquireLock('x', { owner: 'b' }));
  },
  GRANT_RELEASED: async (stage) => {
    const grant = await (await stage.open()).concurrency.acquireLock('report');
    grant.release();
    return refusal(() => grant.release());
  },
  WAIT_TIMEOUT: async (stage) => {
    const { concurrency } = await stage.open();
    await concurrency.acquireLock('report');
    return rejection(concurrency.acquireLock('report', { timeout: '5s' }));
  },
  WAIT_ABORTED: async (stage) => {
    const { concurrency } = await stage.open();
    return rejection(concurrency.acquireLock('report', { signal: AbortSignal.abort() }));
  },
  QUEUE_FULL: async (stage) => {
    const { concurrency } = await stage.open();
    await concurrency.acquireLock('report');
    for (let i = 0; i < 100_000; i++) concurrency.acquireLock('report').catch(() => {});
    return rejection(concurrency.acquireLock('report'));
  },
  ORCHESTRATOR_CLOSED: async (stage) => {
    const orchestrator = await stage.open();
    await orchestrator.close();
    return rejection(orchestrator.manageWorkflow(report));
  },
  STORE_CONFLICT: () => {
    const store = new MemoryStore();
    const epoch = store.claim('docs');
    return refusal(() =>
      store.append([{ stream: 'run:run-1', expectedSeq: 4, epoch, events: [], versions: {} }]),
    );
  },
  PAGE_LOST: () => refusal(() => new MemoryStore().list({ prefix: 'run:', limit: 10, after: 'run:run-1' })),
  STORE_FENCED: () => {
    const store = new MemoryStore();
    const epoch = store.claim('docs');
    store.release('docs');
    store.claim('another process');
    return refusal(() =>
      store.append([{ stream: 'run:run-1', expectedSeq: 0, epoch, events: [], versions: {} }]),
    );
  },
  STORE_OWNED: async (stage) => {
    const store = new MemoryStore();
    await stage.open({ store });
    return rejection(stage.open({ store }));
  },
  STORE_OPEN_FAILED: () => {
    const facts = async (): Promise<never> => {
      throw osError('EACCES');
    };
    return rejection(fileStoreOn('/srv/app/state', { ...nodeFileSystem, facts }).claim('me'));
  },
  STORE_FORMAT: () =>
    inFolder(async (folder) => {
      await damage(folder, /^store\.json$/, () => Buffer.from('not a store'));
      return rejection(fileStore(folder).claim('me'));
    }),
  STORE_VERSION: () =>
    inFolder(async (folder) => {
      await damage(folder, /^store\.json$/, () => Buffer.from('{"version":2,"id":"x"}'));
      return rejection(fileStore(folder).claim('me'));
    }),
  STORE_CORRUPT: () =>
    inFolder(async (folder) => {
      await damage(folder, /\.log$/, (bytes) => bytes.fill(0, 400, 410));
      return rejection(fileStore(folder).claim('me'));
    }),
  KEY_REQUIRED: async (stage) => rejection(stage.open({ store: await written({ k1: KEYS.k1 }, 'k1') })),
  KEY_UNKNOWN: async (stage) => {
    const store = encryptedStore(await written({ k1: KEYS.k1 }, 'k1'), {
      current: 'k2',
      keys: { k2: KEYS.k2 },
    });
    return rejection(stage.open({ store }));
  },
  KEY_WRONG: async (stage) => {
    const store = await written({ k1: KEYS.k1 }, 'k1');
    return rejection(stage.open({ store: encryptedStore(store, { current: 'k1', keys: { k1: KEYS.k2 } }) }));
  },
  PLAIN_REFUSED: async (stage) => {
    const store = await written();
    return rejection(stage.open({ store: encryptedStore(store, { current: 'k1', keys: { k1: KEYS.k1 } }) }));
  },
  STORE_FULL: () =>
    inFolder(async (folder) => {
      let isFull = false;
      const store = fileStoreOn(
        folder,
        fillingUp(() => isFull),
      );
      const epoch = await store.claim('me');
      isFull = true;
      const events = [{ type: 'T', seq: 1, at: 0 }];
      const error = await rejection(
        store.append([{ stream: 'run:run-1', expectedSeq: 0, epoch, events, versions: {} }]),
      );
      isFull = false;
      await store.release('me');
      return error;
    }),
  STORE_UNAVAILABLE: async (stage) => {
    const appends = [{ at: 2, times: Number.POSITIVE_INFINITY, fault: 'refuse' as const }];
    const orchestrator = await stage.open({ store: new ScriptedStore(new MemoryStore(), { appends }) });
    const run = await orchestrator.manageWorkflow(defineWorkflow('napping', { tasks: [nap] }));
    return rejection(run.result());
  },
  EVENT_UNKNOWN: (stage) => afterReopening(stage, (record) => ({ ...record, schemaVersion: 7 })),
  HISTORY_INVALID: (stage) =>
    afterReopening(stage, (record) => ({
      ...record,
      payload: { ...(record.payload as object), seq: record.seq + 1 },
    })),
  CHECKPOINT_NOT_FOUND: async (stage) =>
    rejection((await stage.open()).persistence.restoreFromCheckpoint('run-1/4')),
  CHECKPOINT_INVALID: afterDamage,
  CHECKPOINT_UNSUPPORTED: async (stage) => {
    const store: EventStore = Object.assign(new MemoryStore(), { saveCheckpoint: undefined as never });
    const orchestrator = await stage.open({ store });
    const { runId } = await orchestrator.manageWorkflow(defineWorkflow('napping', { tasks: [nap] }));
    return rejection(orchestrator.persistence.createCheckpoint(runId));
  },
};

/** Brings one of them about. */
export async function provoke(code: ErrorCode): Promise<OrchestratorError> {
  const example = ERROR_EXAMPLES[code];
  if (example === undefined) throw new Error(`there is no example of ${code}`);
  const opened: Orchestrator[] = [];
  const clock: Clock = new VirtualClock();
  let runs = 0;
  const stage: Stage = {
    open: async (options) => {
      const orchestrator = await Orchestrator.open({
        clock,
        idSource: { nextRunId: () => `run-${++runs}` },
        ...options,
      });
      opened.push(orchestrator);
      return orchestrator;
    },
  };
  try {
    return await example(stage);
  } finally {
    for (const orchestrator of opened) await orchestrator.close({ grace: 0 });
  }
}
