/**
 * What the program could have of the machine behind the back of the simulation: its clock, its chance, the turns of its
 * event loop, and stacks, which failures carry into the log.
 *
 * Who may call it: the play, for as long as it goes on.
 */
import type { World } from './world.ts';

/** Takes them. @returns how to give them back */
export function takeGlobals(world: World, now: () => number): () => void {
  const { random } = Math;
  const { now: realNow } = Date;
  const { stackTraceLimit } = Error;
  const { setImmediate: realImmediate } = globalThis;
  Date.now = now;
  Math.random = () => {
    throw new Error('chance that is not that of the scenario');
  };
  Error.stackTraceLimit = 0;
  globalThis.setImmediate = countedImmediate(world, realImmediate) as typeof setImmediate;
  return () => {
    Date.now = realNow;
    Math.random = random;
    Error.stackTraceLimit = stackTraceLimit;
    globalThis.setImmediate = realImmediate;
  };
}

/** Who asks for a turn of the event loop gets it before time passes; who only marks one (`unref`) need not be waited for. */
function countedImmediate(
  world: World,
  real: typeof setImmediate,
): (callback: () => void) => NodeJS.Immediate {
  return (callback) => {
    let isCounted = true;
    const discount = (): void => {
      if (isCounted) world.turnsAsked--;
      isCounted = false;
    };
    world.turnsAsked++;
    const immediate = real(() => {
      discount();
      callback();
    });
    const unref = immediate.unref.bind(immediate);
    immediate.unref = () => {
      discount();
      return unref();
    };
    return immediate;
  };
}
