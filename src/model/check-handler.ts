import { describeValue } from '../base/values.ts';
import { checkKeys, checkText } from './checks.ts';
import { type OrchestratorError, refuse } from './errors.ts';
import type { AnyHandler, HandlerRef } from './handler.ts';
import type { TaskPolicies } from './task-policies.ts';
import { isWorkerModule, type WorkerRef } from './worker-handlers.ts';

const REF_KEYS: ReadonlySet<string> = new Set(['kind', 'name', 'version']);
const WORKER_REF_KEYS: ReadonlySet<string> = new Set([...REF_KEYS, 'module']);
const EXPORT_IT =
  'A function cannot leave its thread: export it from a module of its own and name it by workerHandlers(url).';

/**
 * Checks that a task has one handler, and that it can be called.
 * @throws OrchestratorError `HANDLER_INVALID`, `OPTION_CONFLICT`
 */
export function checkHandler(run: unknown, ref: HandlerRef | undefined, at: string): void {
  if (run === undefined) {
    if (ref !== undefined) return;
    throw refuse('HANDLER_INVALID', {
      at,
      found: 'neither run nor handler',
      allowed: 'one of run (a function) and handler (a name)',
    });
  }
  if (ref !== undefined) {
    throw refuse('OPTION_CONFLICT', { at, found: 'both run and handler', allowed: 'one of the two' });
  }
  if (typeof run !== 'function' || !isCallable(run as AnyHandler)) throw notCallable(run, `${at}/run`);
}

/**
 * Checks that the code can be executed where the task says, and that its inputs can be moved there.
 * @param isFunction - whether the code is a function of the host
 * @throws OrchestratorError `OPTION_CONFLICT`
 */
export function checkPlace(isFunction: boolean, policies: TaskPolicies, at: string): void {
  const { runOn, transfer, retry } = policies;
  if (isFunction && runOn !== undefined && runOn !== 'inline')
    throw refuse('OPTION_CONFLICT', {
      at: `${at}/runOn`,
      found: `"${runOn}" for a function`,
      allowed: '"inline"',
      hint: EXPORT_IT,
    });
  if (!transfer) return;
  const isHere = isFunction || runOn === 'inline';
  if (!isHere && (retry === undefined || retry.maxAttempts === 1)) return;
  throw refuse('OPTION_CONFLICT', {
    at: `${at}/transfer`,
    found: isHere ? 'true for a task of the own thread' : `true with ${retry?.maxAttempts} attempts`,
    allowed: isHere ? 'true for a task that is run on a worker' : 'true with one attempt',
    hint: isHere
      ? undefined
      : 'What was moved is not there for a second attempt: leave transfer or retry out.',
  });
}

/**
 * Checks a handler that is to be registered under a name: a function, or an export of a module of handlers.
 * @throws OrchestratorError `HANDLER_INVALID`
 */
export function checkRegistered(name: string, handler: unknown, at: string): AnyHandler | WorkerRef {
  checkHandlerName(name, `${at}/${name}`);
  if (typeof handler === 'function' && isCallable(handler as AnyHandler)) return handler as AnyHandler;
  if (isWorkerGiven(handler)) return checkWorkerRef(handler, `${at}/${name}`);
  throw notCallable(handler, `${at}/${name}`);
}

/** The refusal of what cannot be called as a handler. */
export function notCallable(value: unknown, at: string): OrchestratorError {
  const kind = typeof value === 'function' ? kindOf(value as AnyHandler) : undefined;
  return refuse('HANDLER_INVALID', {
    at,
    found: kind ?? describeValue(value),
    allowed: 'a function or an async function of the handler context',
    hint: kind === 'a class' ? 'Give a function that makes an instance and calls it.' : undefined,
  });
}

/** Arrow and async functions have no prototype; classes and generators have one that tells them apart. */
export function isCallable(run: AnyHandler): boolean {
  return run.prototype === undefined || kindOf(run) === 'a function';
}

function kindOf(run: AnyHandler): string {
  const tag = Object.prototype.toString.call(run);
  if (tag.includes('Generator')) return 'a generator function';
  return Object.getOwnPropertyDescriptor(run, 'prototype')?.writable === false ? 'a class' : 'a function';
}

/**
 * Checks a reference to a registered handler, which may be just its name.
 * @throws OrchestratorError `HANDLER_INVALID`, `OPTION_UNKNOWN`, `OPTION_INVALID`
 */
export function checkHandlerRef(value: unknown, at: string): HandlerRef {
  if (typeof value === 'string') return { kind: 'registered', name: checkHandlerName(value, at) };
  const given = typeof value === 'object' && value !== null ? (value as Partial<HandlerRef>) : undefined;
  if (isWorkerGiven(given)) return checkWorkerRef(given, at);
  if (given?.kind !== 'registered') {
    throw refuse('HANDLER_INVALID', {
      at,
      found: describeValue(value),
      allowed:
        'the name of a registered handler, { kind: "registered", name }, or a member of workerHandlers(…)',
      hint: hintFor(value),
    });
  }
  checkKeys(given, REF_KEYS, at);
  const version = given.version === undefined ? undefined : checkText(given.version, `${at}/version`, 128);
  const name = checkHandlerName(given.name, `${at}/name`);
  return version === undefined ? { kind: 'registered', name } : { kind: 'registered', name, version };
}

function hintFor(value: unknown): string | undefined {
  if (typeof value === 'function') return 'Give a function as run.';
  if (typeof value !== 'object' || value === null) return undefined;
  const isModule = Object.getOwnPropertySymbols(value).some((key) => isWorkerModule(Reflect.get(value, key)));
  return isModule
    ? 'This is a whole module of handlers: name one of its exports, such as handlers.parse.'
    : undefined;
}

function isWorkerGiven(value: unknown): value is Partial<WorkerRef> {
  return typeof value === 'object' && value !== null && (value as Partial<HandlerRef>).kind === 'worker';
}

function checkWorkerRef(given: Partial<WorkerRef>, at: string): WorkerRef {
  checkKeys(given, WORKER_REF_KEYS, at);
  const { module, version } = given;
  if (!isWorkerModule(module))
    throw refuse('HANDLER_INVALID', {
      at: `${at}/module`,
      found: describeValue(module),
      allowed: 'a member of what workerHandlers(url) gave',
    });
  const name = checkHandlerName(given.name, `${at}/name`);
  const ref = { kind: 'worker', name, module } as const;
  return Object.freeze(
    version === undefined ? ref : { ...ref, version: checkText(version, `${at}/version`, 128) },
  );
}

function checkHandlerName(value: unknown, at: string): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= 256) return value;
  throw refuse('HANDLER_INVALID', {
    at,
    found: describeValue(value),
    allowed: 'a name of 1 to 256 characters',
  });
}
