/** What the catalogue says of one error code. */
export interface ErrorCodeEntry {
  /** One sentence: what went wrong, in general. */
  readonly summary: string;
  /** One sentence: what the reader does about it. */
  readonly remedy: string;
  /** Whether doing the same again later can succeed. */
  readonly retryable: boolean;
}

function entry(summary: string, remedy: string, retryable = false): ErrorCodeEntry {
  return { summary, remedy, retryable };
}

/**
 * Every code that an `OrchestratorError` can carry. A test holds this list and docs/errors.md equal in both
 * directions. A retired code is never used again with another meaning.
 */
export const ERROR_CODES = {
  // Definitions
  DEFINITION_INVALID: entry(
    'A workflow or task definition has the wrong shape.',
    'Give an object as described in the message.',
  ),
  ID_INVALID: entry(
    'A name or id breaks the rule for ids.',
    'Use 1 to 128 printable NFC characters without / [ ] # and without edge spaces.',
  ),
  ID_DUPLICATE: entry('Two tasks of one workflow have the same id.', 'Rename one of the two tasks.'),
  DEPENDENCY_INVALID: entry(
    'A list of dependencies has the wrong shape.',
    'Give an object of tasks, or an array of task ids.',
  ),
  DEPENDENCY_UNKNOWN: entry(
    'A task depends on one that is not in the workflow.',
    'Add the missing task, or correct the name.',
  ),
  DEPENDENCY_SELF: entry('A task depends on itself.', 'Remove the dependency.'),
  DEPENDENCY_CYCLE: entry(
    'The dependencies run in a circle.',
    'Remove one dependency of each cycle that the message prints.',
  ),
  HANDLER_INVALID: entry(
    'A task has no handler, or one that cannot be called.',
    'Give `run` a function, or `handler` a reference.',
  ),
  HANDLER_UNKNOWN: entry(
    'A handler is named that was not registered.',
    'Register it in `Orchestrator.open({ handlers })`, or correct the name.',
  ),
  HANDLER_LOAD_FAILED: entry(
    'A module of handlers cannot be loaded in a thread.',
    'Mend the module: the `cause` is what its import threw.',
  ),
  WORKER_CRASHED: entry(
    'The thread of a handler ended while it was executed.',
    'Mend the handler: it must not end its process, or leave errors behind that nobody catches.',
    true,
  ),
  WORKER_OUT_OF_MEMORY: entry(
    'The thread of a handler ran out of memory.',
    'Give its threads more `memory`, or its handler less to do at once.',
    true,
  ),
  WORKER_TERMINATED: entry(
    'The thread of a handler was ended, because the handler had not ended in time.',
    'Let the handler do less at once, or give it more time.',
    true,
  ),
  WORKER_LOST: entry(
    'The thread of a handler ended because of another call in it.',
    'Try again; give handlers that crash a module, and so threads, of their own.',
    true,
  ),
  OPTION_UNKNOWN: entry(
    'An option does not exist.',
    'Correct the spelling; the message names the nearest one.',
  ),
  OPTION_INVALID: entry(
    'An option has a value of the wrong type or outside its range.',
    'Give a value that the message allows.',
  ),
  OPTION_CONFLICT: entry('Two options exclude each other.', 'Give only one of them.'),
  LIMIT_EXCEEDED: entry('A published limit was passed.', 'Stay below the limit that the message names.'),
  VALUE_UNSERIALISABLE: entry(
    'A value cannot be carried through the log.',
    'Return plain data; the message points at the place.',
  ),
  INPUT_INVALID: entry(
    'The input does not fit the schema.',
    'Correct the fields that `details.issues` lists.',
  ),
  DEFINITION_SEALED: entry(
    'A definition that is registered was to be edited.',
    'Make a new version with `updateWorkflow`.',
  ),
  EXPORT_IMPOSSIBLE: entry(
    'A workflow holds code that plain data cannot hold.',
    'Name the code: give `handler` in place of `run`, and register the function.',
  ),
  // Workflows and runs
  WORKFLOW_EXISTS: entry(
    'A workflow of this name is registered already.',
    'Use `updateWorkflow` for a new version, or take another name.',
  ),
  WORKFLOW_IN_USE: entry(
    'A workflow has runs that have not ended.',
    'Wait for them or cancel them, then delete it.',
    true,
  ),
  WORKFLOW_CHANGED: entry(
    'A workflow got another version while it was being changed.',
    'Edit only the draft in the function that you give.',
  ),
  WORKFLOW_ARCHIVED: entry(
    'A run was asked for of a definition that is archived.',
    'Take it back with `updateStatus("registered")`, or run another version.',
  ),
  WORKFLOW_NOT_FOUND: entry('No workflow of this name is registered.', 'Register it, or correct the name.'),
  RUN_NOT_FOUND: entry('No run has this id.', 'Check the id; a released run is forgotten.'),
  RUN_FINISHED: entry('The run has ended, so nothing more can be asked of it.', 'Start a new run.'),
  RUN_KEY_CONFLICT: entry(
    'Another run was started under this key: of another workflow, or with another input.',
    'Use a key of its own for each thing that is to be done once.',
  ),
  RUN_PRUNED: entry(
    'The run that was started under this key has ended and was removed.',
    'Nothing, if it was to be done once; else use another key.',
  ),
  RUN_FAILED: entry(
    'The run ended with at least one failed task.',
    'See `details.failures`; `details.outputs` has what succeeded.',
  ),
  RUN_CANCELLED: entry('The run was cancelled.', 'The reason is the `cause`.'),
  RUN_MOVE_REFUSED: entry(
    'A run cannot go on with another version as it stands.',
    'Wait until the tasks that the message names have ended, or cancel them.',
  ),
  RUN_RELEASED: entry('The run was released, so its log is gone.', 'Read what you need before `release()`.'),
  SELF_WAIT: entry(
    'A handler waits for the run that it is a part of, which could never end.',
    'Wait for it outside of its own handlers.',
  ),
  TASK_NOT_FOUND: entry(
    'No task has this path in the run.',
    'Correct the path; the message names the nearest one.',
  ),
  TASK_NOT_LIVE: entry(
    'The definition of a task was given a status or an output, and has neither.',
    'Ask the task of a run: `orchestrator.monitorTask(runId, path)`.',
  ),
  TASK_TIMEOUT: entry(
    'A task took longer than its time limit.',
    'Raise the limit, or make the task faster.',
    true,
  ),
  TASK_DEAD_LETTER: entry(
    'The process ended too often while a task was in progress.',
    'Find out whether the task ends the process, and retry the run; `maxRestarts` says how often is too often.',
  ),
  TASK_CANCELLED: entry('A task was cancelled.', 'The reason is the `cause`.'),
  ATTEMPT_STALE: entry(
    'A report came for an attempt that is no longer the current one.',
    'Nothing: the report was dropped.',
  ),
  TRANSITION_ILLEGAL: entry(
    'A status cannot be reached from the current one.',
    'See the table of transitions.',
  ),
  CONDITION_FAILED: entry('The `when` predicate of a task threw.', 'Mend the predicate.'),
  // Resources, locks, queues
  RESOURCE_UNKNOWN: entry(
    'A task needs a resource that was not declared.',
    'Declare it in `open({ resources })`.',
  ),
  RESOURCE_AMOUNT_INVALID: entry(
    'An amount is not positive, or finer than the resource counts.',
    'Give a positive amount in the allowed steps.',
  ),
  RESOURCE_UNSCHEDULABLE: entry(
    'A task needs more of a resource than its whole capacity.',
    'Ask for less, or raise the capacity.',
  ),
  LOCK_CONFLICT: entry('One task names the same lock twice, in two modes.', 'Name each lock once.'),
  LOCK_STALE: entry(
    'A lock is used with the token of a holder that has lost it.',
    'Stop what the lock protects, and take it again.',
  ),
  DEADLOCK_VICTIM: entry(
    'A wait for a lock was ended to break a deadlock.',
    'Try again; take locks together, or in one order everywhere.',
    true,
  ),
  GRANT_RELEASED: entry('A grant was given back before.', 'Give every grant back exactly once.'),
  WAIT_TIMEOUT: entry('A wait took longer than its time limit.', 'Wait longer, or try again later.', true),
  WAIT_ABORTED: entry('A wait was ended by its AbortSignal.', 'The reason of the signal is the `cause`.'),
  QUEUE_FULL: entry('A queue has reached its limit.', 'Wait until some of it has drained.', true),
  // The orchestrator and its ports
  ORCHESTRATOR_CLOSED: entry('The orchestrator is closing or closed.', 'Open another one.'),
  STORE_CONFLICT: entry(
    'An append expected another sequence number, or a key that is taken.',
    'Nothing: the run is read again from the store.',
    true,
  ),
  STORE_FENCED: entry(
    'Another process has taken the store, and goes on with its runs.',
    'Close this orchestrator; nothing more is done here.',
  ),
  STORE_OWNED: entry('Another orchestrator owns this store.', 'Close the other one first.'),
  STORE_OPEN_FAILED: entry(
    'The files of a store cannot be opened.',
    'Mend what the code of the operating system says: the path, its rights, or what stands there.',
  ),
  STORE_FORMAT: entry(
    'What stands at the path is not a store of this kind.',
    'Give another path, or restore the files from a copy.',
  ),
  STORE_VERSION: entry(
    'The store was written in a format that this release does not know.',
    'Use a release that knows it; the files were left untouched.',
  ),
  STORE_CORRUPT: entry(
    'A part of a store that was acknowledged is damaged or missing.',
    'Restore the store from a copy; the files were left untouched.',
  ),
  KEY_REQUIRED: entry(
    'A store is encrypted, and was opened without keys.',
    'Put `encryptedStore` with its keys around it; nothing was changed.',
  ),
  KEY_UNKNOWN: entry(
    'Something was encrypted by a key that was not given.',
    'Give that key as well: it is needed as long as anything that was encrypted by it.',
  ),
  KEY_WRONG: entry(
    'Another key was used under the same id before.',
    'Give the key that the id has had from the beginning; a new key needs a new id.',
  ),
  PLAIN_REFUSED: entry(
    'Something in an encrypted store is not encrypted.',
    "Find out who wrote it; a store that was begun without encryption needs `plain: 'read'`.",
  ),
  STORE_FULL: entry(
    'The disk of a store is full.',
    'Make room, then close the orchestrator and open it again; nothing acknowledged is lost.',
    true,
  ),
  STORE_UNAVAILABLE: entry(
    'The store refused again and again.',
    'Mend the store and open the orchestrator again; nothing acknowledged is lost.',
    true,
  ),
  PAGE_LOST: entry(
    'A page of a list was to begin behind a run that is not in the store.',
    'Begin with the first page, or check the id.',
  ),
  EVENT_UNKNOWN: entry(
    'A log holds an event type or version that this release does not know.',
    'Use a release that knows it; the log was left untouched.',
  ),
  HISTORY_INVALID: entry(
    'A log holds an event that cannot follow those before it.',
    'Restore the log from a copy.',
  ),
  CHECKPOINT_NOT_FOUND: entry(
    'No checkpoint has this id.',
    'Check the id; the checkpoints of a run go with its log.',
  ),
  CHECKPOINT_INVALID: entry(
    'A checkpoint is damaged, or was made with another definition or release.',
    'Nothing: the log is replayed instead.',
  ),
  CHECKPOINT_UNSUPPORTED: entry(
    'The store does not keep checkpoints.',
    'Use a store that does; logs are replayed without them.',
  ),
  INTERNAL: entry('The orchestrator broke one of its own rules.', 'Report it with the message and the log.'),
} as const satisfies Record<string, ErrorCodeEntry>;

/** A stable string that says what kind of error it is; see docs/errors.md. */
export type ErrorCode = keyof typeof ERROR_CODES;
