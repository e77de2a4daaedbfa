import { InlineExecutor } from '../adapters/inline/inline-executor.ts';
import { MemoryStore } from '../adapters/memory/memory-store.ts';
import { RandomIds, SystemRandom } from '../adapters/system/random-ids.ts';
import { silentLogger } from '../adapters/system/silent-logger.ts';
import { SystemClock } from '../adapters/system/system-clock.ts';
import { SystemTurn } from '../adapters/system/system-turn.ts';
import type { RunCommand } from '../machine/commands.ts';
import { ConcurrencyController } from '../managers/concurrency/concurrency-controller.ts';
import type { ConcurrencyParts } from '../managers/concurrency/concurrency-parts.ts';
import { EventHub } from '../managers/monitoring/event-hub.ts';
import { PersistenceManager } from '../managers/persistence/persistence-manager.ts';
import { Claims } from '../managers/resources/claims.ts';
import { Holders } from '../managers/resources/holders.ts';
import type { Ledger } from '../managers/resources/ledger.ts';
import { ResourceManager } from '../managers/resources/resource-manager.ts';
import { NeedsBook } from '../managers/scheduling/needs-book.ts';
import { orderOf } from '../managers/scheduling/policy.ts';
import { TaskScheduler } from '../managers/scheduling/task-scheduler.ts';
import type { Ticket } from '../managers/scheduling/ticket.ts';
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
import { WorkflowManager } from '../managers/workflows/workflow-manager.ts';
import { compile } from '../model/compile.ts';
import type { AnyWorkflow } from '../model/workflow.ts';
import type { Clock } from '../ports/clock.ts';
import type { Executor } from '../ports/executor.ts';
import type { IdSource } from '../ports/id-source.ts';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import { applyPriorities } from './apply-priorities.ts';
import { guardLogger } from './guard-logger.ts';
import { importerHere } from './import-here.ts';
import { ledgerOf } from './ledger-of.ts';
import type { CheckedOptions } from './options.ts';
import { LazyWorkers, RoutedExecutor, type WorkerPart } from './route-executor.ts';
import { runTable } from './run-table.ts';

/** Everything an orchestrator is made of, joined. */
export interface Composition {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly idSource: IdSource;
  readonly executor: Executor;
  readonly workers: LazyWorkers;
  readonly random: Random;
  readonly timers: Timers;
  readonly hub: EventHub;
  readonly persistence: PersistenceManager;
  readonly workflows: WorkflowManager;
  /** What numbers of versions mean in a store that outlives this process. */
  readonly definitions: Definitions | undefined;
  readonly handlers: Handlers;
  readonly scheduler: TaskScheduler;
  readonly ledger: Ledger;
  readonly claims: Claims;
  readonly resources: ResourceManager;
  readonly concurrency: ConcurrencyController;
  /** Who holds what. */
  readonly holders: Holders;
  readonly needs: NeedsBook;
  readonly attempts: AttemptManager;
  /** Those that are kept beside the log. */
  readonly outputs: LargeOutputs;
  readonly directory: RunDirectory;
  readonly reloader: Reloader;
  readonly loop: RunLoop;
}

/** What needs nobody else. */
interface Foundation
  extends Pick<
    Composition,
    | 'clock'
    | 'logger'
    | 'idSource'
    | 'executor'
    | 'workers'
    | 'timers'
    | 'hub'
    | 'persistence'
    | 'outputs'
    | 'handlers'
    | 'directory'
  > {
  readonly random: Random;
  readonly epoch: number;
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
  const admit = (workflow: AnyWorkflow): void => {
    const plan = compile(workflow);
    handlers.check(plan);
    scheduling.scheduler.bind(plan);
  };
  const unfinishedRuns = directory.unfinishedOf.bind(directory);
  const workflows = new WorkflowManager({ admit, unfinishedRuns }, definitions);
  return { ...foundation, ...scheduling, ...running, workflows, definitions };
}

async function composeFoundation(options: CheckedOptions): Promise<Foundation> {
  const clock = options.clock ?? new SystemClock();
  const logger = options.logger === undefined ? silentLogger : guardLogger(options.logger);
  // Named apart from runs: the ids of a counting source all go to runs.
  const persistence = new PersistenceManager(options.store ?? new MemoryStore(), new RandomIds().nextRunId());
  // Loaded when the first orchestrator is opened: it would be a third of the time that our own import takes.
  const { EventEmitter } = await import('eventemitter3');
  const hub = new EventHub(logger, new EventEmitter());
  for (const monitor of options.monitors) hub.watch(monitor);
  const workers = new LazyWorkers(() => loadWorkers(clock, options.cancelGraceMs), logger);
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
    outputs: new LargeOutputs({ blobs: persistence.blobs, clock, logger, inlineLimit: options.inlineLimit }),
    idSource: options.idSource ?? new RandomIds(),
    random: options.random ?? new SystemRandom(),
    workers,
    executor: options.executor ?? new RoutedExecutor(new InlineExecutor(), workers, clock),
    timers: new Timers(clock),
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
): Pick<Composition, 'attempts' | 'reloader' | 'loop'> {
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
    grantOther: (waiter) => claims.granted(waiter),
    onEnd: (run) => endRun(run, directory),
    onLost: (run, lost, error) => reloader.afterFailure(run, lost, error),
  });
  return { attempts, reloader, loop };
}

interface SchedulingContext {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly epoch: number;
  readonly wake: (late?: boolean) => void;
  readonly logger: Logger;
  readonly directory: RunDirectory;
  readonly loop: () => RunLoop;
}

interface Scheduling {
  readonly ledger: Ledger;
  readonly scheduler: TaskScheduler;
  readonly resources: ResourceManager;
  readonly concurrency: ConcurrencyController;
  readonly claims: Claims;
  readonly holders: Holders;
  readonly needs: NeedsBook;
}

/** The one ledger, and the three managers that share it. */
function composeScheduling(
  options: CheckedOptions,
  { clock, timers, epoch, wake, logger, directory, loop }: SchedulingContext,
): Scheduling {
  const ledger = ledgerOf(options.resources);
  const needs = new NeedsBook(ledger, options.concurrency, options.agents);
  const complain = (error: Error): void =>
    logger.error({ error: error.message }, 'a comparator or listener of the task scheduler is at fault');
  const holders = new Holders({
    tickets: () => liveTickets(directory, scheduler),
    claims: () => claims.records(),
  });
  const scheduler: TaskScheduler = new TaskScheduler({
    ledger,
    needs,
    timers,
    policy: options.policy,
    epoch,
    wake,
    complain,
    holders,
    asked: () => claims.asked,
    runs: runTable({ directory, loop, scheduler: () => scheduler }),
    nextSubmission: () => directory.nextSubmission(),
    onTurn: (watcher) => loop().onTurn(watcher),
  });
  const setTimer = (delayMs: number, callback: () => void): (() => void) => {
    const timer = timers.set(delayMs, callback);
    return () => timers.stop(timer);
  };
  const claims: Claims = new Claims({
    ledger,
    nextOrder: () => orderOf(directory.nextSubmission(), 0),
    nextToken: () => scheduler.nextToken(),
    setTimer,
    wake,
  });
  return {
    ledger,
    scheduler,
    claims,
    holders,
    needs,
    resources: new ResourceManager({
      ledger,
      claims,
      wake,
      holders,
      monotonic: () => timers.monotonic(),
      onTurn: (watcher) => loop().onTurn(watcher),
      globalRow: needs.global,
      agentRows: (agent) => needs.agentRows(agent),
      hold: () => clock.hold(),
      applyPriorities: (order) => applyPriorities(order, directory, scheduler),
    }),
    concurrency: new ConcurrencyController({
      nextOrder: () => orderOf(directory.nextSubmission(), 0),
      needsBeside: (task, at) =>
        needs.needsOf(task, [{ row: needs.global, amount: 1 }], at).filter(({ row }) => row.kind !== 'lock'),
      ...{ ledger, claims, global: needs.global, wake, setTimer, ...deadlocksTo(logger, options.deadlocks) },
      now: () => clock.now(),
      tickets: () => liveTickets(directory, scheduler),
    }),
  };
}

/** The logger is told of each deadlock, broken or not. */
function deadlocksTo(
  logger: Logger,
  deadlocks: 'resolve' | 'report',
): Pick<ConcurrencyParts, 'deadlocks' | 'onDeadlock'> {
  const onDeadlock = (deadlock: object): void =>
    logger.warn({ ...deadlock }, 'a deadlock of locks was found');
  return { deadlocks, onDeadlock };
}

/** The tickets of all runs, and of the tasks that the host has scheduled by itself. */
function* liveTickets(directory: RunDirectory, scheduler: TaskScheduler): IterableIterator<Ticket> {
  for (const run of directory.all()) yield* run.tickets();
  yield* scheduler.hostTickets();
}

function endRun(run: LiveRun, directory: RunDirectory): void {
  run.isOver = true;
  run.forgetTickets();
  run.settle();
  directory.ended(run);
}

/** What was kept only in memory goes with the run; what a durable store keeps, it keeps. */
function forget(runs: readonly LiveRun[], persistence: PersistenceManager, logger: Logger): void {
  for (const run of runs) {
    run.isReleased = true;
    run.notifyReaders();
  }
  if (persistence.isDurable) return;
  const complain = (error: unknown): void => logger.error({ error }, 'released runs could not be removed');
  try {
    const removed = persistence.remove(runs.map((run) => run.runId));
    if (removed !== undefined) removed.catch(complain);
  } catch (error) {
    complain(error);
  }
}
