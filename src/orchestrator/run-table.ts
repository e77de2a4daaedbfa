import type { RunCommand } from '../machine/commands.ts';
import type { RunEvent } from '../machine/events.ts';
import { pathIn } from '../machine/state.ts';
import { CREATED, RETRYING } from '../machine/transitions.ts';
import type { RunTable, TaskRef } from '../managers/scheduling/task-record.ts';
import type { TaskScheduler } from '../managers/scheduling/task-scheduler.ts';
import type { LiveRun } from '../managers/workflows/live-run.ts';
import type { RunDirectory } from '../managers/workflows/run-directory.ts';
import type { RunLoop } from '../managers/workflows/run-loop.ts';
import { OrchestratorError } from '../model/errors.ts';
import { describeFailure } from '../model/failure.ts';
import { undurableByPath } from './durable-view.ts';
import { asError } from './start-run.ts';
import { dependenciesOf, findTask, type TaskPlace, viewOf } from './task-view.ts';

/** What the table reads and asks. */
export interface RunTableParts {
  readonly directory: RunDirectory;
  readonly loop: () => RunLoop;
  readonly scheduler: () => TaskScheduler;
}

/** The runs of an orchestrator as its scheduler sees them: without what is not durable. */
export function runTable({ directory, loop, scheduler }: RunTableParts): RunTable {
  const find = ({ runId, path }: TaskRef): TaskPlace & { readonly run: LiveRun } => {
    const run = directory.get(runId);
    return { run, ...findTask(run, path) };
  };
  const hidden = (run: LiveRun): ReadonlyMap<string, RunEvent> => undurableByPath(loop().undurable(run));
  return {
    get unfinished() {
      return directory.unfinishedCount;
    },
    has: (runId) => directory.find(runId) !== undefined,
    tickets: (runId) => directory.find(runId)?.tickets() ?? [],
    held: () => heldTasks(directory),
    record: (ref) => {
      const { run, scope, index } = find(ref);
      return { runId: run.runId, ...viewOf(run, scope, index, hidden(run), scheduler()) };
    },
    about: (ref) => {
      const { run, scope, index } = find(ref);
      return { workflowId: run.plan.workflowId, agent: scope.plan.tasks[index]?.agentAssigned };
    },
    dependencies: (ref) => {
      const { run, ...place } = find(ref);
      const all = dependenciesOf(run, place, hidden(run), scheduler());
      const plain = ({ isMet: _, isLost: __, ...state }: (typeof all)[number]) => state;
      return {
        met: all.filter(({ isMet }) => isMet).map(plain),
        unmet: all.filter(({ isMet }) => !isMet).map(plain),
      };
    },
    setPriority: async (ref, priority) => {
      const { run } = find(ref);
      await ask(loop(), run, { type: 'SetPriority', at: 0, path: ref.path, priority });
    },
    cancel: (ref, given) => {
      const { run } = find(ref);
      const reason =
        given === undefined
          ? { name: 'Cancelled', message: `task ${JSON.stringify(ref.path)} was cleared from the queue` }
          : describeFailure(given);
      return ask(loop(), run, { type: 'CancelTask', at: 0, path: ref.path, cause: 'task_cancelled', reason });
    },
  };
}

function* heldTasks(directory: RunDirectory): IterableIterator<TaskRef & { readonly taskId: string }> {
  for (const run of directory.all()) {
    if (!run.isHeld || run.isOver) continue;
    for (const { scope, index } of run.held) {
      // It may have been cancelled while it was held.
      if (scope.status[index] !== CREATED && scope.status[index] !== RETRYING) continue;
      yield { runId: run.runId, path: pathIn(scope, index), taskId: scope.plan.ids[index] as string };
    }
  }
}

/** @returns `false` when the task or the run had ended before */
function ask(loop: RunLoop, run: LiveRun, command: RunCommand): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (run.isOver) {
      resolve(false);
      return;
    }
    loop.submit(run, command, (refused) => {
      const error = refused === undefined ? undefined : asError(refused);
      if (error === undefined) resolve(true);
      else if (
        OrchestratorError.is(error, 'RUN_FINISHED') ||
        OrchestratorError.is(error, 'TRANSITION_ILLEGAL')
      )
        resolve(false);
      else reject(error);
    });
  });
}
