import type { RunAttributes } from '../machine/events.ts';
import { takeIn } from '../managers/workflows/taken-values.ts';
import { checkKeys, checkNumber, checkRecord, checkSignal, checkText, reading } from '../model/checks.ts';
import { OrchestratorError, refuse } from '../model/errors.ts';
import { PRIORITY_MAX } from '../model/task-options.ts';
import type { AnyWorkflow } from '../model/workflow.ts';
import { checkAttributes } from './run-attributes.ts';

/** How a run is started, beside its input. */
export interface StartSettings {
  /**
   * Only one run is ever started under a key; asking again, for the same workflow with the same input, gives that run.
   * 1 to 256 characters.
   */
  readonly key?: string | undefined;
  /** Added to the priority of each of its tasks: -1e9 to 1e9. Default 0. */
  readonly priority?: number | undefined;
  /**
   * What the run can be found by with `listRuns`: at most 32 strings of at most 256 characters, finite numbers or
   * booleans, by names that are ids. Default: nothing.
   */
  readonly attributes?: RunAttributes | undefined;
  /** Cancels the run when it is aborted, also one that was started before under the same key; its reason becomes that of the run. */
  readonly signal?: AbortSignal | undefined;
}

/** How a run is started. `input` must be given when the workflow has a schema for it. */
export type StartOptions<In> = StartSettings &
  (unknown extends In ? { readonly input?: In } : { readonly input: In });

/** The options of a start: they can be left out when no input is needed. */
export type StartArguments<In> = unknown extends In
  ? [options?: StartOptions<In>]
  : [options: StartOptions<In>];

/** A start, checked. */
export interface CheckedStart {
  readonly input: unknown;
  readonly key: string | undefined;
  readonly attributes: RunAttributes | undefined;
  readonly priority: number;
  readonly signal: AbortSignal | undefined;
}

const KEYS: ReadonlySet<string> = new Set(['input', 'key', 'attributes', 'priority', 'signal']);
const NO_OPTIONS: CheckedStart = {
  input: undefined,
  key: undefined,
  attributes: undefined,
  priority: 0,
  signal: undefined,
};

/** @throws OrchestratorError `OPTION_UNKNOWN`, `OPTION_INVALID`, `LIMIT_EXCEEDED` */
export function checkStart(given: unknown, at: string): CheckedStart {
  if (given === undefined) return NO_OPTIONS;
  return reading(at, 'an object of options such as { input }', () => readStart(given, at));
}

function readStart(given: unknown, at: string): CheckedStart {
  const options = checkRecord(given, at, 'an object of options such as { input }');
  checkKeys(options, KEYS, at);
  const key = options.key === undefined ? undefined : checkText(options.key, `${at}/key`, 256);
  if (key === '')
    throw refuse('OPTION_INVALID', {
      at: `${at}/key`,
      found: 'an empty string',
      allowed: '1 to 256 characters',
    });
  // Stores that keep UTF-8 would take two of them for one.
  if (key !== undefined && /\p{Surrogate}/u.test(key))
    throw refuse('OPTION_INVALID', {
      at: `${at}/key`,
      found: 'half of a surrogate pair',
      allowed: 'well-formed Unicode text',
    });
  return {
    input: options.input,
    key,
    attributes: checkAttributes(options.attributes, `${at}/attributes`),
    priority:
      options.priority === undefined
        ? 0
        : checkNumber(options.priority, `${at}/priority`, -PRIORITY_MAX, PRIORITY_MAX),
    signal: checkSignal(options.signal, `${at}/signal`),
  };
}

/**
 * Passes an input through the schema of a workflow, and takes a copy of what comes out.
 * @throws OrchestratorError `INPUT_INVALID`, `VALUE_UNSERIALISABLE`
 */
export function checkInput(workflow: AnyWorkflow, input: unknown): unknown {
  const at = `input of workflow ${JSON.stringify(workflow.name)} `;
  const schema = workflow.inputSchema;
  if (schema === undefined) return takeIn(input, at, 'plain data');
  const faulty = (cause: unknown): OrchestratorError =>
    new OrchestratorError('INPUT_INVALID', `${at.trim()}: its schema threw instead of answering`, { cause });
  let answer: unknown;
  try {
    answer = schema['~standard'].validate(input);
    if (!isThenable(answer)) return takeIn(read(answer, at), at, 'plain data, also after its schema');
  } catch (thrown) {
    throw OrchestratorError.is(thrown) ? thrown : faulty(thrown);
  }
  return awaitAnswer(answer, at, faulty);
}

async function awaitAnswer(
  answer: PromiseLike<unknown>,
  at: string,
  faulty: (cause: unknown) => OrchestratorError,
): Promise<unknown> {
  try {
    return takeIn(read(await answer, at), at, 'plain data, also after its schema');
  } catch (thrown) {
    throw OrchestratorError.is(thrown) ? thrown : faulty(thrown);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

interface SchemaAnswer {
  readonly value?: unknown;
  readonly issues?: readonly SchemaIssue[];
}

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema let pass; refuses what it did not. */
function read(answer: unknown, at: string): unknown {
  const { issues, value } = answer as SchemaAnswer;
  if (issues === undefined) return value;
  const found = issues.map((issue) => ({ message: String(issue.message), path: pointer(issue) }));
  const shown = found
    .slice(0, 5)
    .map((issue) => `${issue.path || '/'}: ${issue.message}`)
    .join('; ');
  throw new OrchestratorError('INPUT_INVALID', `${at.trim()}: ${shown}`, {
    details: { at: at.trim(), issues: found },
  });
}

function pointer(issue: SchemaIssue): string {
  return (issue.path ?? []).map((part) => `/${String(typeof part === 'object' ? part.key : part)}`).join('');
}

/** What a refused command rejects with. */
export function asError(
  refused: { readonly refused: OrchestratorError['code']; readonly message: string } | OrchestratorError,
): OrchestratorError {
  return refused instanceof OrchestratorError
    ? refused
    : new OrchestratorError(refused.refused, refused.message);
}
