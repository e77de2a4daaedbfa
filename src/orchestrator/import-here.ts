import type { AnyHandler, Handler } from '../model/handler.ts';
import type { WorkerRef } from '../model/worker-handlers.ts';
import type { Clock } from '../ports/clock.ts';

/** The functions of a module, by name. */
type Functions = ReadonlyMap<string, (context: never) => unknown>;

/** What knows how a module of handlers is read: the same as in a thread. */
export interface ModuleReader {
  loadFunctions(url: string): Promise<Functions>;
  /** @throws OrchestratorError `HANDLER_UNKNOWN` */
  functionOf(functions: Functions, name: string, url: string): (context: never) => unknown;
  /** What a call fails with when the module cannot be loaded. */
  unloadable(url: string, cause: unknown): Error;
}

/**
 * Makes handlers of the exports of modules that are executed in this thread (`runOn: 'inline'`): the module is imported
 * by the first call, once, and a virtual clock stands still meanwhile.
 */
export function importerHere(
  clock: Clock,
  reader: () => Promise<ModuleReader>,
): (ref: WorkerRef) => AnyHandler {
  const loaded = new Map<string, { readonly reader: ModuleReader; readonly functions: Functions }>();
  const load = async (url: string): Promise<void> => {
    const letGo = clock.hold();
    try {
      const read = await reader();
      const functions = await read.loadFunctions(url).catch((cause: unknown) => {
        throw read.unloadable(url, cause);
      });
      loaded.set(url, { reader: read, functions });
    } finally {
      letGo();
    }
  };
  return ({ name, module: { url } }) => {
    const call: Handler = (context) => {
      const known = loaded.get(url);
      if (known === undefined)
        return load(url).then(() => {
          // Told to stop before it began: it does not begin.
          context.signal.throwIfAborted();
          return call(context);
        });
      return (known.reader.functionOf(known.functions, name, url) as Handler)(context);
    };
    return call as AnyHandler;
  };
}
