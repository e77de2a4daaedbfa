import { InlineExecutor } from '../adapters/inline/inline-executor.ts';
import { MemoryStore } from '../adapters/memory/memory-store.ts';
import { RandomIds, SystemRandom } from '../adapters/system/random-ids.ts';
import { silentLogger } from '../adapters/system/silent-logger.ts';
import { SystemClock } from '../adapters/system/system-clock.ts';
import { SystemTurn } from '../adapters/system/system-turn.ts';
import type { RunCommand } from '../machine/commands.ts';
import type { ConcurrencyController } from '../managers/concurrency/concurrency-controller.ts';
import { EventHub } from '../managers/monitoring/event-hub.ts';
import { AutoCheckpoints } from '../managers/persistence/auto-checkpoints.ts';
import { PersistenceManager } from '../managers/persistence/persistence-manager.ts';
import type { Claims } from '../managers/resources/claims.ts';
import type { Holders } from '../managers/resources/holders.ts';
import type { Ledger } from '../managers/resources/ledger.ts';
import type { ResourceManager } from '../managers/resources/resource-manager.ts';
import type { NeedsBook } from '../managers/scheduling/needs-book.ts';
import type { TaskScheduler } from '../managers/scheduling/task-scheduler.ts';
import { Timers } from '../managers/scheduling/timers.ts';
import { AttemptManager } from '../managers/workflows/attempt-manager.ts';
import { attemptServices } from '../managers/workflows/attempt-services.ts';
import { traceOfAttempts } from '../managers/workflows/attempt-trace.ts';
import { Definitions } from '../managers/workflows/definitions.ts';
import { Handlers } from '../managers/workflows/handlers.ts';
import { keepShapes } from '../managers/workflows/kept-shapes.ts';
import { LargeOutputs } from '../managers/workflows/large-outputs.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import { Reloader } from '../managers/workflows/reload.ts';
import { RunDirectory } from '../managers/workflows/run-directory.ts';
import { RunLoop } from '../managers/workflows/run-loop.ts';
import { sizeOfTaken } from '../managers/workflows/taken-values.ts';
import { WorkflowManager } from '../managers/workflows/workflow-manager.ts';
import { compile } from '../model/compile.ts';
import type { AnyWorkflow } from '../model/workflow.ts';
import type { Clock } from '../ports/clock.ts';
import type { Executor } from '../ports/executor.ts';
import type { IdSource } from '../ports/id-source.ts';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import { composeScheduling, type Scheduling } from './compose-scheduling.ts';
import { guardLogger } from './guard-logger.ts';
import { importerHere } from './import-here.ts';
import type { CheckedOptions } from './options.ts';
import { LazyWorkers, RoutedExecutor, type WorkerPart } from './route-executor.ts';

/** Everything an orchestrator is made of, joined. */
export interface Composition extends Omit<Foundation, 'epoch'> {
  readonly workflows: WorkflowManager;
  /** What numbers of versions mean in a store that outlives this process. */
  readonly definitions: Definitions | undefined;
  /** Whether a workflow is registered although handlers are missing that it names. */
  readonly admission: { isLenient: boolean };
  readonly scheduler: TaskScheduler;
  readonly ledger: Ledger;
  readonly claims: Claims;
  readonly resources: ResourceManager;
  readonly concurrency: ConcurrencyController;
  /** Who holds what. */
  readonly holders: Holders;
  readonly needs: NeedsBook;
  readonly attempts: AttemptManager;
  readonly reloader: Reloader;
  readonly loop: RunLoop;
  /** Those that are kept by themselves; nothing where they are not. */
  readonly checkpoints: AutoCheckpoints | undefined;
}

/**
 * Joins managers and adapters; nothing else in the package knows both.
 * @throws OrchestratorError `STORE_OWNED` and what the store throws
 */
export async function compose(options: CheckedOptions): Promise<Composition> {
  const foundation = await composeFoundation(options);
  // The loop and those whom it calls need each other; they meet here, through functions.
  const wake = (late?: boolean): void => running.loop.wake(late);
  const scheduling = composeScheduling(options, { ...foundation, wake, loop: () => running.loop });
  const running = composeRunning(options, foundation, scheduling, wake);
  const { persistence, clock, handlers, directory } = foundation;
  const definitions = persistence.isDurable ? new Definitions(persistence, () => clock.now()) : undefined;
  const admission = { isLenient: false };
  const admit = (workflow: AnyWorkflow): void => {
    const plan = compile(workflow);
    if (!admission.isLenient || handlers.missing(plan).length === 0) handlers.check(plan);
    scheduling.scheduler.bind(plan);
  };
  const unfinishedRuns = directory.unfinishedOf.bind(directory);
  const workflows = new WorkflowManager({ admit, unfinishedRuns }, definitions);
  return { ...foundation, ...scheduling, ...running, workflows, definitions, admission };
}

/** What needs nobody else. */
interface Foundation {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly idSource: IdSource;
  readonly random: Random;
  readonly executor: Executor;
  readonly workers: LazyWorkers;
  readonly timers: Timers;
  readonly hub: EventHub;
  readonly persistence: PersistenceManager;
  /** Those that are kept beside the log. */
  readonly outputs: LargeOutputs;
  readonly handlers: Handlers;
  readonly directory: RunDirectory;
  /** That of the claim on the store. */
  readonly epoch: number;
}

/** Asking the loader again would be a part of what each further orchestrator costs. */
let Emitter: Awaited<typeof import('eventemitter3')>['EventEmitter'] | undefined;

/** @throws OrchestratorError `STORE_OWNED` and what the store throws */
async function composeFoundation(options: CheckedOptions): Promise<Foundation> {
  const clock = options.clock ?? new SystemClock();
  const logger = options.logger === undefined ? silentLogger : guardLogger(options.logger);
  // Named apart from runs: the ids of a counting source all go to runs.
  const persistence = new PersistenceManager(options.store ?? new MemoryStore(), new RandomIds().nextRunId());
  // Loaded when the first orchestrator is opened: it would be a third of the time that our own import takes.
  Emitter ??= (await import('eventemitter3')).EventEmitter;
  const hub = new EventHub(logger, new Emitter());
  for (const monitor of options.monitors) hub.watch(monitor);
  const workers = new LazyWorkers(() => loadWorkers(clock, options.cancelGraceMs), logger);
  const timers = new Timers(clock);
  const handlers = new Handlers({
    importHere: importerHere(clock, () => import('../adapters/worker-threads/thread/load-module.ts')),
    onModule: (module) => workers.warmUp(module),
  });
  for (const [name, handler] of options.handlers) handlers.register(name, handler);
  return {
    clock,
    logger,
    hub,
    handlers,
    persistence,
    outputs: new LargeOutputs({
      blobs: persistence.blobs,
      clock,
      timers,
      logger,
      unremoved: (work) => persistence.gate.read(work),
      inlineLimit: options.inlineLimit,
    }),
    idSource: options.idSource ?? new RandomIds(),
    random: options.random ?? new SystemRandom(),
    workers,
    executor: options.executor ?? new RoutedExecutor(new InlineExecutor(), workers, clock),
    timers,
    directory: new RunDirectory(options.retainRuns, (runs) => forget(runs, persistence, logger)),
    epoch: await persistence.open(),
  };
}

/** Threads cost a host nothing that never uses them, not even the reading of their code. */
async function loadWorkers(clock: Clock, graceMs: number): Promise<WorkerPart> {
  const { WorkerExecutor } = await import('../adapters/worker-threads/worker-executor.ts');
  return new WorkerExecutor({ clock, isVirtual: !(clock instanceof SystemClock), graceMs });
}

/** The loop, and those who carry out what it decides. */
function composeRunning(
  options: CheckedOptions,
  { clock, timers, logger, random, handlers, executor, persistence, outputs, directory, hub }: Foundation,
  { scheduler, claims, concurrency }: Scheduling,
  wake: () => void,
): Pick<Composition, 'attempts' | 'reloader' | 'loop' | 'checkpoints'> {
  const submit = (run: LiveRun, command: RunCommand): void => loop.submit(run, command);
  const services = attemptServices({
    clock,
    timers,
    logger,
    submit,
    heartbeat: (attempt) => attempts.heartbeat(attempt),
    giveUp: (attempt, thrown) => attempts.giveUp(attempt, thrown),
    locks: concurrency.nested,
    traceOf: traceOfAttempts(options.trace, (thrown) => hub.report('trace', thrown)),
  });
  keepShapes(services, executor);
  const attempts: AttemptManager = new AttemptManager({
    clock,
    timers,
    random,
    scheduler,
    handlers,
    executor,
    services,
    outputs,
    graceMs: options.cancelGraceMs,
    submit,
    post: (envelope) => loop.post(envelope),
    wake,
  });
  // Who closes waits for turns of the loop; nobody else waits for a checkpoint.
  const onKept = (): void => {
    if (directory.isClosing) wake();
  };
  const checkpoints = checkpointsOf(options, { clock, logger, persistence }, onKept);
  const reloader = new Reloader({
    clock,
    persistence,
    scheduler,
    attempts,
    timers,
    maxRestarts: options.maxRestarts,
    loop: () => loop,
    mayTakeUp: () => !directory.isClosing,
    onGivenUp: (run) => directory.ended(run),
  });
  const loop: RunLoop = new RunLoop({
    clock,
    turn: new SystemTurn(),
    isRealTime: clock instanceof SystemClock,
    persistence,
    scheduler,
    attempts,
    outputs,
    hub,
    onDurable: checkpoints === undefined ? undefined : (run) => checkpoints.onDurable(run),
    grantOther: (waiter) => claims.granted(waiter),
    onEnd: (run) => endRun(run, directory),
    onLost: (run, lost, error) => {
      checkpoints?.forget(run);
      reloader.afterFailure(run, lost, error);
    },
  });
  return { attempts, reloader, loop, checkpoints };
}

/** Those that are kept by themselves; nothing where they are not. */
function checkpointsOf(
  { checkpointEvery: everyEvents }: CheckedOptions,
  { clock, logger, persistence }: Pick<Foundation, 'clock' | 'logger' | 'persistence'>,
  onKept: () => void,
): AutoCheckpoints | undefined {
  const { checkpoints, isDurable } = persistence;
  if (everyEvents === undefined || !isDurable || !checkpoints.areKept) return undefined;
  const save = checkpoints.saveLatest.bind(checkpoints);
  return new AutoCheckpoints({ clock, logger, save, sizeOf: sizeOfTaken, everyEvents, onKept });
}

function endRun(run: LiveRun, directory: RunDirectory): void {
  run.isOver = true;
  run.forgetTickets();
  run.settle();
  directory.ended(run);
}

/**
 * What was kept only in memory goes with the run that has ended; what a durable store keeps, it keeps, and so does any with
 * a run that was only given up on here.
 */
function forget(runs: readonly LiveRun[], persistence: PersistenceManager, logger: Logger): void {
  for (const run of runs) {
    run.isReleased = true;
    run.notifyReaders();
  }
  const ended = runs.filter((run) => run.isOver).map((run) => run.runId);
  if (persistence.isDurable || ended.length === 0) return;
  const complain = (error: unknown): void => logger.error({ error }, 'released runs could not be removed');
  try {
    const remove = () => persistence.remove(ended);
    // A store in memory answers at once, so nothing is late unless somebody reads at the moment.
    const removed = persistence.gate.isFree ? remove() : persistence.gate.remove(async () => remove());
    if (removed !== undefined) removed.catch(complain);
  } catch (error) {
    complain(error);
  }
}
