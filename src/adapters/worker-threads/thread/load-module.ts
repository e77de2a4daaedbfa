/**
 * The module of handlers in a thread.
 *
 * Owns: nothing; Node keeps modules. Who may call it: the thread session.
 */
import { nearestName } from '../../../base/nearest.ts';
import { quote } from '../../../base/values.ts';
import { refuse } from '../../../model/errors.ts';

/** The functions of a module, by the names under which they are exported. */
export type ModuleFunctions = ReadonlyMap<string, (context: never) => unknown>;

/** Imports a module, with a query if it has to be loaded anew. A default export that is an object counts as well. */
export async function loadFunctions(url: string): Promise<ModuleFunctions> {
  const module: Readonly<Record<string, unknown>> = await import(url);
  const functions = new Map<string, (context: never) => unknown>();
  const fallback = module.default;
  if (typeof fallback === 'object' && fallback !== null) add(functions, fallback as Record<string, unknown>);
  add(functions, module);
  return functions;
}

function add(
  functions: Map<string, (context: never) => unknown>,
  from: Readonly<Record<string, unknown>>,
): void {
  for (const name of Object.keys(from)) {
    const value = from[name];
    if (typeof value === 'function') functions.set(name, value as (context: never) => unknown);
  }
}

/** @throws OrchestratorError `HANDLER_UNKNOWN` */
export function functionOf(
  functions: ModuleFunctions,
  name: string,
  url: string,
): (context: never) => unknown {
  const found = functions.get(name);
  if (found !== undefined) return found;
  const nearest = nearestName(name, functions.keys());
  throw refuse('HANDLER_UNKNOWN', {
    at: `module ${url}`,
    found: `no function exported as ${quote(name)}`,
    allowed: [...functions.keys()].slice(0, 20).join(', ') || 'a module that exports functions',
    hint: nearest === undefined ? undefined : `Did you mean ${JSON.stringify(nearest)}?`,
  });
}
