import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FIND_KEY_MS_MAX, KEY_ID_BYTES_MAX } from '../../src/adapters/encryption/key-ring.ts';
import { FRAME_BYTES_MAX } from '../../src/adapters/worker-threads/frames.ts';
import { ASKS_MAX } from '../../src/adapters/worker-threads/host-services.ts';
import { LOG_LINES_MAX } from '../../src/adapters/worker-threads/thread/thread-log.ts';
import { REMOVED_PLACES_MAX } from '../../src/base/removed-places.ts';
import { LANE_CALLS_MAX, LANES_MAX } from '../../src/managers/concurrency/lanes.ts';
import { ALERT_RULES_MAX } from '../../src/managers/monitoring/alerts.ts';
import { FIELDS_BYTES_MAX } from '../../src/managers/monitoring/logged-event.ts';
import {
  CHECKPOINT_BYTES_MAX,
  CHECKPOINT_TASKS_MAX,
} from '../../src/managers/persistence/auto-checkpoints.ts';
import { CHECKPOINTS_MAX } from '../../src/managers/persistence/checkpoints.ts';
import { SERIAL_TASKS_MAX } from '../../src/managers/resources/allocation-plan.ts';
import { CLAIMS_MAX } from '../../src/managers/resources/claims.ts';
import { LEDGER_ROWS_MAX } from '../../src/managers/resources/ledger.ts';
import { DRAIN_WAITERS_MAX } from '../../src/managers/scheduling/drain.ts';
import { PAUSES_MAX } from '../../src/managers/scheduling/holds.ts';
import { HOST_DEPENDENCIES_MAX, HOST_TASKS_MAX } from '../../src/managers/scheduling/host-tasks.ts';
import { PROGRESS_EVENTS_MAX } from '../../src/managers/workflows/attempt-services.ts';
import { STORE_FAILURES_MAX } from '../../src/managers/workflows/store-failures.ts';
import { VERSIONS_MAX } from '../../src/managers/workflows/version-list.ts';
import { EDGES_MAX } from '../../src/model/compile.ts';
import { DEPENDENCIES_MAX } from '../../src/model/dependency.ts';
import { GRAPH_TASKS_MAX } from '../../src/model/graph/graph-data.ts';
import { PATHS_MAX } from '../../src/model/graph/workflow-graph.ts';
import { ID_LENGTH_MAX } from '../../src/model/ids.ts';
import { LOCKS_MAX } from '../../src/model/needs.ts';
import { PRIORITY_MAX } from '../../src/model/task-options.ts';
import { MAX_RESTARTS_MAX } from '../../src/model/task-policies.ts';
import { TRACE_CHARACTERS_MAX, TRACE_ENTRIES_MAX } from '../../src/model/trace.ts';
import { REVISION_MAX } from '../../src/model/workflow.ts';
import { TASKS_MAX } from '../../src/model/workflow-data.ts';
import { COUNT_MAX } from '../../src/orchestrator/limit-options.ts';
import { PRUNE_MAX } from '../../src/orchestrator/prune-options.ts';
import { PRUNES_MAX } from '../../src/orchestrator/prune-runs.ts';
import { ATTRIBUTE_LENGTH_MAX, ATTRIBUTES_MAX } from '../../src/orchestrator/run-attributes.ts';
import {
  CONCURRENT_MAX,
  LOAD_MS_MAX,
  MEMORY_MB_MAX,
  THREADS_MAX,
  WORKER_QUEUE_MAX,
} from '../../src/orchestrator/worker-handlers.ts';
import { readDocument } from './read-markdown.ts';

const MIB = 1_048_576;

/** The limits of the code, by the row of the README's table that tells them. */
const LIMITS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'removals of ended runs that wait for one another': { PRUNES_MAX },
  'removed runs behind which a page of runs can still begin': { REMOVED_PLACES_MAX },
  'tasks in a workflow': { TASKS_MAX },
  'dependencies of a task': { DEPENDENCIES_MAX },
  'dependencies in a workflow': { EDGES_MAX },
  'ids and names': { ID_LENGTH_MAX },
  'priority, of a task and of a run': { PRIORITY_MAX },
  'starts of a task after deaths of the process': { MAX_RESTARTS_MAX },
  'attributes of a run': { ATTRIBUTES_MAX },
  'text of an attribute': { ATTRIBUTE_LENGTH_MAX },
  'locks of a task, or of one request': { LOCKS_MAX },
  'progress events of an attempt': { PROGRESS_EVENTS_MAX },
  'limits of tasks at once': { COUNT_MAX },
  'ended runs that are remembered, with their keys': { COUNT_MAX },
  'ended runs that are removed at once, and that are kept of a workflow': { PRUNE_MAX },
  'versions of a workflow': { VERSIONS_MAX },
  'revision of a workflow': { REVISION_MAX },
  'checkpoints of a run': { CHECKPOINTS_MAX },
  'tasks of a run of which checkpoints are kept by themselves': { CHECKPOINT_TASKS_MAX },
  'input and outputs of such a run, together': { CHECKPOINT_BYTES_MAX: CHECKPOINT_BYTES_MAX / MIB },
  'tasks in a graph to look at or draw': { GRAPH_TASKS_MAX },
  'paths between two tasks of a graph': { PATHS_MAX },
  'tasks in an allocation plan of the serial scheme': { SERIAL_TASKS_MAX },
  'requests of the host that wait for locks and resources': { CLAIMS_MAX },
  'tasks of the host that have not ended': { HOST_TASKS_MAX },
  'dependencies of a task of the host': { HOST_DEPENDENCIES_MAX },
  'waits and listeners of one kind of drain': { DRAIN_WAITERS_MAX },
  lanes: { LANES_MAX },
  'calls that wait in a lane': { LANE_CALLS_MAX },
  'different resources, locks, agents and limits': { LEDGER_ROWS_MAX },
  'workflows and runs paused by name': { PAUSES_MAX },
  'alert rules': { ALERT_RULES_MAX },
  'fields of an event of the host for monitoring': { FIELDS_BYTES_MAX },
  'threads of a module of handlers': { THREADS_MAX },
  'calls that wait for the threads of a module': { WORKER_QUEUE_MAX },
  'calls of a concurrent handler in one thread': { CONCURRENT_MAX },
  'memory of a thread': { MEMORY_MB_MAX },
  'time to start a thread and load its module': { LOAD_MS_MAX },
  'log lines of an attempt on a thread': { LOG_LINES_MAX },
  'waits of an attempt on a thread for locks or the clock, at once': { ASKS_MAX },
  'what a handler in a child process says at once, its result too': {
    FRAME_BYTES_MAX: FRAME_BYTES_MAX / MIB,
  },
  'trace of an attempt': { TRACE_ENTRIES_MAX, TRACE_CHARACTERS_MAX },
  'failed appends or reads in a row before a run is given up on': { STORE_FAILURES_MAX },
  'id of a key of an encrypted store': { KEY_ID_BYTES_MAX },
  'time to find a key of an encrypted store': { FIND_KEY_MS_MAX },
};

/** Other numbers that end so: what is beyond them is left out or clipped, or the table tells them in another unit. */
const OTHERS: readonly string[] = [
  'CAPACITY_MAX',
  'DURATION_MS_MAX',
  'ENVELOPES_MAX',
  'FINDINGS_MAX',
  'FRAME_PAYLOAD_MAX',
  'HISTOGRAM_ERROR_MAX',
  'PASSED_OVER_MAX',
  'SAMPLES_MAX',
  'SKIPPED_NAMED_MAX',
];

describe("the README's table of limits", () => {
  it('tells the numbers of the code', () => {
    const { text } = readDocument('README.md');
    const rows = new Map(
      [...text.matchAll(/^\| ([^|`]+) \| ([^|]+) \|$/gm)].map(([, what = '', limit = '']) => [what, limit]),
    );
    const wrong = Object.entries(LIMITS).filter(([what, limits]) =>
      Object.values(limits).some(
        (limit) => !numbersIn(rows.get(what)).includes(new Intl.NumberFormat('en').format(limit)),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('leaves none out', () => {
    const told = Object.values(LIMITS).flatMap(Object.keys);
    const missing = exportedLimits().filter((name) => !told.includes(name) && !OTHERS.includes(name));
    expect(missing).toEqual([]);
  });
});

function numbersIn(cell: string | undefined): readonly string[] {
  return cell?.match(/\d+(?:,\d{3})*/g) ?? [];
}

/** The names of all constants of the source that are exported and end in `_MAX`. */
function exportedLimits(): readonly string[] {
  const source = new URL('../../src/', import.meta.url);
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  const names = files.flatMap((path) =>
    [
      ...readFileSync(new URL(path.replaceAll('\\', '/'), source), 'utf8').matchAll(
        /^export const (\w+_MAX)\b/gm,
      ),
    ].map(([, name = '']) => name),
  );
  return [...new Set(names)].sort();
}
