import { describe, expect, it } from 'vitest';
import { CLAIMS_MAX } from '../../src/managers/resources/claims.ts';
import { LEDGER_ROWS_MAX } from '../../src/managers/resources/ledger.ts';
import { PAUSES_MAX } from '../../src/managers/scheduling/holds.ts';
import { PROGRESS_EVENTS_MAX } from '../../src/managers/workflows/attempt-services.ts';
import * as reload from '../../src/managers/workflows/reload.ts';
import { VERSIONS_MAX } from '../../src/managers/workflows/workflow-manager.ts';
import { EDGES_MAX } from '../../src/model/compile.ts';
import { DEPENDENCIES_MAX } from '../../src/model/dependency.ts';
import { ID_LENGTH_MAX } from '../../src/model/ids.ts';
import { LOCKS_MAX } from '../../src/model/needs.ts';
import { PRIORITY_MAX } from '../../src/model/task-options.ts';
import { TRACE_CHARACTERS_MAX } from '../../src/model/trace.ts';
import { TASKS_MAX } from '../../src/model/workflow-data.ts';
import { COUNT_MAX } from '../../src/orchestrator/limit-options.ts';
import {
  CONCURRENT_MAX,
  MEMORY_MB_MAX,
  THREADS_MAX,
  WORKER_QUEUE_MAX,
} from '../../src/orchestrator/worker-handlers.ts';
import { readDocument } from './read-markdown.ts';

/** The only number that the file exports. */
const storeFailuresMax = Object.values(reload).find((value) => typeof value === 'number') ?? Number.NaN;

/** The limits of the code, by the row of the README's table that tells them. */
const LIMITS: Readonly<Record<string, number>> = {
  'tasks in a workflow': TASKS_MAX,
  'dependencies of a task': DEPENDENCIES_MAX,
  'dependencies in a workflow': EDGES_MAX,
  'ids and names': ID_LENGTH_MAX,
  'priority, of a task and of a run': PRIORITY_MAX,
  'locks of a task, or of one request': LOCKS_MAX,
  'progress events of an attempt': PROGRESS_EVENTS_MAX,
  'limits of tasks at once': COUNT_MAX,
  'ended runs that are remembered, with their keys': COUNT_MAX,
  'versions of a workflow': VERSIONS_MAX,
  'requests of the host that wait for locks and resources': CLAIMS_MAX,
  'different resources, locks, agents and limits': LEDGER_ROWS_MAX,
  'workflows and runs paused by name': PAUSES_MAX,
  'threads of a module of handlers': THREADS_MAX,
  'calls that wait for the threads of a module': WORKER_QUEUE_MAX,
  'calls of a concurrent handler in one thread': CONCURRENT_MAX,
  'memory of a thread': MEMORY_MB_MAX,
  'trace of an attempt': TRACE_CHARACTERS_MAX,
  'failed appends or reads in a row before a run is given up on': storeFailuresMax,
};

describe("the README's table of limits", () => {
  it('tells the numbers of the code', () => {
    const { text } = readDocument('README.md');
    const rows = new Map(
      [...text.matchAll(/^\| ([^|`]+) \| ([^|]+) \|$/gm)].map(([, what = '', limit = '']) => [what, limit]),
    );
    const wrong = Object.entries(LIMITS).filter(
      ([what, limit]) => !numbersIn(rows.get(what)).includes(new Intl.NumberFormat('en').format(limit)),
    );
    expect(wrong).toEqual([]);
  });
});

function numbersIn(cell: string | undefined): readonly string[] {
  return cell?.match(/\d+(?:,\d{3})*/g) ?? [];
}
