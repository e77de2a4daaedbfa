/**
 * The worker-threads executor with no orchestrator around it. It is no part of the package's surface, so it comes from
 * the source, which is that of the build: the bench refuses any other.
 */
import { performance } from 'node:perf_hooks';
import { workerHandlers } from '@taskmaster-ai/orchestrator';
import { SystemClock } from '../../../src/adapters/system/system-clock.ts';
import { WorkerExecutor } from '../../../src/adapters/worker-threads/worker-executor.ts';
import type { HandlerContext } from '../../../src/model/handler.ts';
import type { WorkerRef } from '../../../src/model/worker-handlers.ts';
import type { Invocation, Outcome } from '../../../src/ports/executor.ts';
import { HANDLERS, keepInFlight, type Lane } from './lane.ts';

const RUN_ID = 'bench';
const GRACE_MS = 5_000;

export function executorLane(): Lane {
  const executor = new WorkerExecutor({ clock: new SystemClock(), isVirtual: false, graceMs: GRACE_MS });
  const { answer } = workerHandlers(HANDLERS, { threads: 1 });
  const handler = answer as unknown as WorkerRef;
  return {
    async trips(texts, inFlight) {
      const startedAt = performance.now();
      const answers = await keepInFlight<string, string>(texts, inFlight, (text, index, answered, failed) => {
        const report = (_: Invocation, outcome: Outcome): void => {
          if (outcome.ok) answered(outcome.output as string);
          else failed(outcome.thrown);
        };
        executor.submit([invocation(handler, `task-${index}`, text)], report);
      });
      return { ms: performance.now() - startedAt, answers };
    },
  };
}

function invocation(handler: WorkerRef, path: string, inputData: string): Invocation {
  const invoked: Invocation = {
    runId: RUN_ID,
    path,
    attempt: 1,
    handler,
    run: undefined,
    context: { ...CONTEXT, path, taskId: path, inputData } as unknown as HandlerContext<never, never>,
    within: (call) => call(invoked),
  };
  return invoked;
}

/** What the executor reads of a context; the rest is asked for by handlers that are not measured here. */
const CONTEXT = {
  runId: RUN_ID,
  input: undefined,
  dependencies: {},
  attempt: 1,
  restart: 0,
  idempotencyKey: RUN_ID,
  trace: {},
  locks: { names: [], token: () => 0 },
};
