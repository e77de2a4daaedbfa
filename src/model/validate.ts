/** Finds everything that is wrong with a definition, where registering it would stop at the first fault. */
import { isPlain } from './checks.ts';
import { compile } from './compile.ts';
import type { ErrorCode } from './error-codes.ts';
import { type OrchestratorError, unreadable } from './errors.ts';
import { graphFaults } from './graph-faults.ts';
import { type AnyTask, isTask } from './task.ts';
import { type AnyWorkflow, Workflow, workflowFromData } from './workflow.ts';
import { readTask } from './workflow-parts.ts';

/** One thing that is wrong with a definition. */
export interface Finding {
  readonly code: ErrorCode;
  /** Where, as in the message of the error that registering would throw. */
  readonly at: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The most findings that are listed: whoever has that many will look again. */
export const FINDINGS_MAX = 1_000;
/** Stands for a name, an id or a handler that was found faulty, so that the rest can be looked at. */
const SUBSTITUTE = 'faulty';

type Note = (thrown: unknown) => OrchestratorError;
type Fields = Readonly<Record<string, unknown>>;

/**
 * Everything that is wrong with a definition: each faulty option of each task, each unknown dependency, each cycle.
 *
 * @param definition - a workflow, plain data, or anything else
 * @param admit - throws for a workflow that is right and cannot run here
 */
export function findFaults(definition: unknown, admit: (workflow: AnyWorkflow) => void): readonly Finding[] {
  const findings: Finding[] = [];
  const note: Note = (thrown) => {
    const error = unreadable(thrown, 'DEFINITION_INVALID', 'workflow', 'a workflow, or plain data');
    const { code, message, details } = error;
    if (findings.length < FINDINGS_MAX)
      findings.push({ code, at: String(details.at ?? ''), message, details });
    return error;
  };
  const workflow = attempt(() => (Workflow.is(definition) ? definition : readAll(definition, note)), note);
  if (workflow === undefined) return findings;
  for (const fault of graphFaults(workflow)) note(fault);
  if (findings.length === 0) attempt(() => compile(workflow), note);
  if (findings.length === 0) attempt(() => admit(workflow), note);
  return findings;
}

/** The definition as far as it can be read. */
function readAll(data: unknown, note: Note): AnyWorkflow | undefined {
  if (typeof data !== 'object' || data === null || !isPlain(data)) return workflowFromData(data);
  const given = { ...(data as Fields) };
  const name = attempt(() => workflowFromData({ name: given.name, tasks: [] }).name, note);
  if (name === undefined) given.name = SUBSTITUTE;
  const at = `workflow ${JSON.stringify(name ?? SUBSTITUTE)}`;
  const lists: Record<string, unknown> = {};
  for (const key of ['tasks', 'joined']) {
    const list = given[key];
    if (Array.isArray(list)) lists[key] = readEach(list, `${at}/${key}`, note);
  }
  const read = (options: Fields): AnyWorkflow => workflowFromData({ ...options, ...lists });
  return readWithout(given, at, read, note, { tasks: [] });
}

function readEach(list: readonly unknown[], at: string, note: Note): AnyTask[] {
  const tasks: AnyTask[] = [];
  for (let i = 0; i < list.length; i++) {
    const place = `${at}/${i}`;
    const task = attempt(() => readOne(list[i], place, note), note);
    if (task !== undefined) tasks.push(task);
  }
  return tasks;
}

/** A task without what is faulty of it; none when its id is. */
function readOne(item: unknown, place: string, note: Note): AnyTask | undefined {
  if (isTask(item)) return item;
  if (typeof item !== 'object' || item === null || !isPlain(item)) return readTask(item, place);
  const known = attempt(
    () => readTask({ taskId: (item as Fields).taskId, handler: SUBSTITUTE }, place),
    note,
  );
  const given = { ...(item as Fields), ...(known === undefined ? { taskId: SUBSTITUTE } : undefined) };
  const read = (fields: Fields): AnyTask => readTask(fields, place);
  const task = readWithout(given, place, read, note, { handler: SUBSTITUTE });
  return known === undefined ? undefined : task;
}

/**
 * Reads an object again and again, each time without the field at which the last refusal points.
 * @param substitutes - for what may not be missing
 */
function readWithout<Made>(
  given: Fields,
  place: string,
  read: (fields: Fields) => Made,
  note: Note,
  substitutes: Fields,
): Made | undefined {
  let fields = given;
  for (let tries = Object.keys(given).length + 1; tries > 0; tries--) {
    try {
      return read(fields);
    } catch (thrown) {
      const at = String(note(thrown).details.at ?? '');
      const rest: Record<string, unknown> = { ...fields };
      const faulty = Object.keys(rest).filter(
        (key) => at === `${place}/${key}` || at.startsWith(`${place}/${key}/`),
      );
      // Neither of two fields, or both, where there has to be one: it points at the whole.
      const removed = faulty.length === 0 ? ['run', ...Object.keys(substitutes)] : faulty;
      for (const key of removed) delete rest[key];
      fields = faulty.some((key) => !(key in substitutes) && key !== 'run')
        ? rest
        : { ...rest, ...substitutes };
    }
  }
  return undefined;
}

function attempt<Made>(make: () => Made, note: Note): Made | undefined {
  try {
    return make();
  } catch (thrown) {
    note(thrown);
    return undefined;
  }
}
