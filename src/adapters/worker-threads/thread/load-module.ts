/**
 * The module of handlers in a thread, or, for tasks that are to be run inline, in the host.
 *
 * Owns: nothing; Node keeps modules. Who may call it: the thread session, and who imports modules into the host.
 *
 * LM1  What a module exports as `aroundHandlers` is around each call of its handlers, and of no others.
 */
import { nearestName } from '../../../base/nearest.ts';
import { describeValue, quote } from '../../../base/values.ts';
import { isCallable, notCallable } from '../../../model/check-handler.ts';
import { refuse } from '../../../model/errors.ts';
import type { AnyHandler } from '../../../model/handler.ts';
import { AROUND_HANDLERS, type AroundHandlers } from '../../../model/worker-handlers.ts';

export { unloadable } from '../module-errors.ts';

type ModuleFunction = (context: never) => unknown;

/** The functions of a module, by the names under which they are exported. */
export type ModuleFunctions = ReadonlyMap<string, ModuleFunction>;

/**
 * Imports a module, with a query if it has to be loaded anew. A default export that is an object counts as well.
 * @throws OrchestratorError `HANDLER_INVALID`, and what the module throws
 */
export async function loadFunctions(url: string): Promise<ModuleFunctions> {
  const module: Readonly<Record<string, unknown>> = await import(url);
  const functions = new Map<string, ModuleFunction>();
  const fallback = module.default;
  if (typeof fallback === 'object' && fallback !== null)
    add(functions, fallback as Record<string, unknown>, url);
  add(functions, module, url);
  const around = functions.get(AROUND_HANDLERS) as AroundHandlers | undefined;
  if (around === undefined) checkNothingAround(module[AROUND_HANDLERS], url);
  else for (const [name, handler] of functions) functions.set(name, wrap(handler, around, url));
  functions.delete(AROUND_HANDLERS);
  return functions;
}

function add(
  functions: Map<string, ModuleFunction>,
  from: Readonly<Record<string, unknown>>,
  url: string,
): void {
  for (const name of Object.keys(from)) {
    const value = from[name];
    if (typeof value === 'function')
      functions.set(
        name,
        isCallable(value as AnyHandler)
          ? (value as ModuleFunction)
          : refusing(value, `module ${url}/${name}`),
      );
  }
}

/** A class, or a generator, is no mistake as long as nobody takes it for a handler. */
function refusing(value: unknown, at: string): ModuleFunction {
  return () => {
    throw notCallable(value, at);
  };
}

function checkNothingAround(exported: unknown, url: string): void {
  if (exported === undefined) return;
  throw refuse('HANDLER_INVALID', {
    at: `module ${url}/${AROUND_HANDLERS}`,
    found: describeValue(exported),
    allowed: 'a function of (context, next)',
    hint: 'It is called around every handler of the module; give what is something else another name.',
  });
}

function wrap(handler: ModuleFunction, around: AroundHandlers, url: string): ModuleFunction {
  return (context) => {
    let isCalled = false;
    return around(context, () => {
      if (isCalled)
        throw refuse('HANDLER_INVALID', {
          at: `module ${url}/${AROUND_HANDLERS}`,
          found: 'a second call of next()',
          allowed: 'one, for each call of a handler',
          hint: 'Trying again is for the `retry` policy of the task.',
        });
      isCalled = true;
      return handler(context);
    });
  };
}

/** @throws OrchestratorError `HANDLER_UNKNOWN` */
export function functionOf(
  functions: ModuleFunctions,
  name: string,
  url: string,
  at = `module ${url}`,
): ModuleFunction {
  const found = functions.get(name);
  if (found !== undefined) return found;
  const nearest = nearestName(name, functions.keys());
  throw refuse('HANDLER_UNKNOWN', {
    at,
    found: `no function exported as ${quote(name)}`,
    allowed: [...functions.keys()].slice(0, 20).join(', ') || 'a module that exports functions',
    hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
  });
}
