/** One seed: a random workflow on a store that dies at appends, in virtual time, opened again until all runs have ended. */
import { createHash } from 'node:crypto';
import {
  defineWorkflow,
  type EventStore,
  type HandlerContext,
  Orchestrator,
  type StreamAppend,
  type WorkflowData,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { DurableMemory } from '../support/durable-memory.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { checkHistory } from './checker/check-history.ts';
import type { LedgerLine, LoggedFact, PlannedTask, Violation } from './history.ts';

export interface SeedEnd {
  readonly violations: readonly Violation[];
  readonly hash: string;
  readonly counters: Readonly<Record<string, number>>;
}

const NEVER: Promise<never> = new Promise(() => {});
/** Virtual milliseconds in which everything must have ended once nothing fails any more. */
const BOUND_MS = 10_000_000;

/** Plays a seed from its first process to its end. */
export async function runSeed(seed: number): Promise<SeedEnd> {
  await (await Orchestrator.open()).close();
  const random = seededRandom(seed);
  const int = (below: number): number => Math.floor(random() * below);
  const counters = { crash: 0, crashInRecovery: 0, unsyncedLost: 0, unsyncedKept: 0, retry: 0, cancel: 0 };
  const disk = new DurableMemory();
  const ledger: LedgerLine[] = [];
  const tasks = planTasks(int);
  const cancelAt = random() < 0.3 ? 1 + int(60) : undefined;
  const durableOf = (runId: string): readonly LoggedFact[] =>
    disk.read({ stream: `run:${runId}`, fromSeq: 1, limit: 1e6 }).map(({ payload }) => payload as LoggedFact);
  const note = (
    what: LedgerLine['what'],
    process: number,
    of: Pick<LedgerLine, 'runId' | 'path' | 'attempt'>,
  ): void => {
    const { runId, path, attempt } = of;
    ledger.push({ what, process, runId, path, attempt, durable: runId === '' ? 0 : durableOf(runId).length });
  };
  const crashes = int(4);
  let isEnded = false;
  let startAt = 0;
  let owner: string | undefined;
  for (let process = 0; process <= crashes && !isEnded; process++) {
    const dieAt = process < crashes ? 1 + int(12) : undefined;
    const when = int(3);
    let isAlive = true;
    let isOpen = false;
    let appends = 0;
    let die = (): void => {};
    const dead = new Promise<'dead'>((resolve) => {
      die = () => {
        isAlive = false;
        counters.crash++;
        if (!isOpen) counters.crashInRecovery++;
        note('crash', process, { runId: '', path: '', attempt: 0 });
        resolve('dead');
      };
    });
    const clock = new VirtualClock({ startAt });
    const delay = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(ms, resolve));
    // In steps: loading a module takes turns of the event loop that are real, and no virtual time may run past them.
    const late = async (): Promise<'late'> => {
      for (let step = 0; step < 200 && isAlive; step++) await delay(BOUND_MS / 200);
      return 'late';
    };
    const append = async (batch: readonly StreamAppend[]): Promise<void> => {
      const isLast = ++appends === dieAt;
      await delay(int(4));
      if (!isAlive) return NEVER;
      // Before it is written; written and not synced, which the disk keeps or not; synced and not acknowledged.
      if (isLast && (when === 0 || (when === 1 && random() < 0.5))) {
        if (when === 1) counters.unsyncedLost++;
        die();
        return NEVER;
      }
      disk.append(batch);
      if (!isLast) return undefined;
      if (when === 1) counters.unsyncedKept++;
      die();
      return NEVER;
    };
    const claim = (by: string): number => {
      if (owner !== undefined) disk.release(owner);
      owner = by;
      return disk.claim(by);
    };
    const store = new Proxy(disk as unknown as EventStore, {
      get: (target, key) => {
        if (key === 'append') return append;
        if (key === 'claim') return claim;
        const found = Reflect.get(target, key, target) as unknown;
        if (typeof found !== 'function') return found;
        return (...given: unknown[]): unknown => (isAlive ? found.apply(target, given) : NEVER);
      },
    });
    const work = async (context: HandlerContext): Promise<string> => {
      if (!isAlive) return NEVER;
      const ms = int(20);
      const fails = random() < 0.25;
      note('start', process, context);
      if (context.attempt > 1) counters.retry++;
      try {
        await context.clock.sleep(ms);
        if (fails) throw new Error('planned');
        return `${context.path}`;
      } finally {
        if (isAlive) note('end', process, context);
      }
    };
    const workflow = defineWorkflow(asData(tasks));
    const life = async (): Promise<'ended'> => {
      const orchestrator = await Orchestrator.open({
        clock,
        store,
        workflows: [workflow],
        handlers: { work },
        resources: { cpu: 2 },
        random: { next: random },
        idSource: { nextRunId: () => `r${seed}-${process}-${int(1e9)}` },
      });
      isOpen = true;
      const run = await orchestrator.manageWorkflow(workflow, { key: 'once' });
      if (!isAlive) return NEVER;
      note('ack', process, { runId: run.runId, path: '', attempt: 0 });
      if (cancelAt !== undefined)
        void delay(cancelAt).then(async () => {
          if (isAlive && (await run.cancel('planned'))) counters.cancel++;
        });
      await run.settled();
      await orchestrator.close({ grace: 0 });
      owner = undefined;
      return 'ended';
    };
    const verdict = await Promise.race([life(), dead, late()]);
    isAlive = false;
    startAt = clock.now() + 1;
    if (verdict === 'late') break;
    isEnded = verdict === 'ended';
  }
  const logs = new Map(
    disk
      .list({ prefix: 'run:', limit: 100 })
      .map(({ stream }) => [stream.slice(4), durableOf(stream.slice(4))]),
  );
  const violations = [...checkHistory({ logs, ledger, tasks })];
  if (!isEnded) violations.unshift({ invariant: 'LIVENESS', at: `not ended after ${BOUND_MS} ms` });
  const text = JSON.stringify([[...logs], ledger], (key, value: unknown) => (key === 'stack' ? '' : value));
  return { violations, hash: createHash('sha1').update(text).digest('hex'), counters };
}

function planTasks(int: (below: number) => number): readonly PlannedTask[] {
  return Array.from({ length: 1 + int(6) }, (_, i) => ({
    id: `t${i}`,
    dependencies: Array.from({ length: i }, (_, back) => `t${back}`).filter(() => int(3) === 0),
    lock: int(3) === 0 ? 'door' : undefined,
    maxAttempts: 1 + int(3),
  }));
}

function asData(tasks: readonly PlannedTask[]): WorkflowData {
  return {
    name: 'simulated',
    failurePolicy: 'continue',
    tasks: tasks.map(({ id, dependencies, lock, maxAttempts }) => ({
      taskId: id,
      handler: 'work',
      dependencies,
      resourceRequirements: { cpu: 1 },
      retry: { maxAttempts, delay: 5 },
      ...(lock === undefined ? undefined : { locks: [lock] }),
    })),
  };
}
