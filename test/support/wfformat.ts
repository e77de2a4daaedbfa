/**
 * Recorded runs in WfFormat (wfcommons.org), versions 1.4 and 1.5, as workflows whose tasks wait as long as
 * they took when they were recorded.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { defineWorkflow, task, type Workflow } from '@taskmaster-ai/orchestrator';

/** A task as it was recorded. */
export interface RecordedTask {
  readonly taskId: string;
  readonly parents: readonly string[];
  /** Whole milliseconds: clocks of the machine ring in no finer steps. */
  readonly runtimeMs: number;
  /** 0 where nothing was recorded. */
  readonly memoryBytes: number;
}

/** A recorded run; tasks stand in the order of the file. */
export interface RecordedWorkflow {
  readonly name: string;
  readonly tasks: readonly RecordedTask[];
}

/** How a recorded run becomes a workflow. */
export interface ReplayOptions {
  /** Whether each task needs its recorded memory of the resource `memory`. Default false. */
  readonly memory?: boolean;
}

interface SpecifiedTask {
  readonly id: string;
  readonly name: string;
  readonly parents: readonly string[];
}

interface MeasuredTask {
  readonly id: string;
  readonly runtimeInSeconds: number;
  readonly memoryInBytes?: number;
}

interface WfFormat {
  readonly name: string;
  readonly schemaVersion: string;
  readonly workflow: {
    /** 1.4: everything about a task in one place. */
    readonly tasks?: readonly (SpecifiedTask & MeasuredTask)[];
    /** 1.5: what it is … */
    readonly specification?: { readonly tasks: readonly SpecifiedTask[] };
    /** … and how it went. */
    readonly execution?: { readonly tasks: readonly MeasuredTask[] };
  };
}

/** Reads a gzip-compressed WfFormat file. */
export function readWfFormat(file: URL): RecordedWorkflow {
  return parseWfFormat(JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')) as WfFormat);
}

/** Takes a document of either version apart. */
export function parseWfFormat({ name, schemaVersion, workflow }: WfFormat): RecordedWorkflow {
  const specified = workflow.specification?.tasks ?? workflow.tasks;
  const measured = workflow.execution?.tasks ?? workflow.tasks;
  if (specified === undefined || measured === undefined)
    throw new Error(`WfFormat ${schemaVersion} of ${name} has no tasks; versions 1.4 and 1.5 are known`);
  const measuredById = new Map(measured.map((one) => [one.id, one]));
  // Up to 1.4 a task is known by its name, and `id` is a second one that nobody refers to.
  const byName = workflow.specification === undefined;
  const tasks = specified.map(({ id, name: taskName, parents }): RecordedTask => {
    const measure = measuredById.get(id);
    return {
      taskId: byName ? taskName : id,
      parents,
      runtimeMs: Math.round((measure?.runtimeInSeconds ?? 0) * 1_000),
      memoryBytes: measure?.memoryInBytes ?? 0,
    };
  });
  return { name, tasks };
}

/** A workflow with one task for each recorded one, which waits on the orchestrator's clock. */
export function toWorkflow(recorded: RecordedWorkflow, options: ReplayOptions = {}): Workflow<unknown> {
  return defineWorkflow(recorded.name, {
    tasks: recorded.tasks.map(({ taskId, parents, runtimeMs, memoryBytes }) =>
      task(taskId, {
        dependencies: parents,
        estimatedDuration: runtimeMs,
        ...(options.memory && memoryBytes > 0
          ? { resourceRequirements: { memory: memoryBytes } }
          : undefined),
        run: async ({ clock }) => {
          await clock.sleep(runtimeMs);
        },
      }),
    ),
  });
}

/** All tasks of several recorded runs as one, with ids made unique. */
export function unionOf(name: string, members: readonly RecordedWorkflow[]): RecordedWorkflow {
  const tasks = members.flatMap((member, i) =>
    member.tasks.map((one) => ({
      ...one,
      taskId: `${i}:${one.taskId}`,
      parents: one.parents.map((parent) => `${i}:${parent}`),
    })),
  );
  return { name, tasks };
}
