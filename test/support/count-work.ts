/**
 * Counts the work that some code does, so that its growth can be tested without a clock: how often the functions,
 * branches and loops of the product were entered, as the engine counts them for coverage.
 */
import { Session } from 'node:inspector';

const session = new Session();

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[];
  }[];
}

/**
 * Lets the engine count from now on. To be called before the product is imported, in `vi.hoisted`: of code that was
 * compiled before, only calls are counted and no loops.
 */
export function startCounting(): void {
  session.connect();
  ask('Profiler.enable');
  ask('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
}

/**
 * @param act - must end before it returns: what it leaves to a promise is not counted
 * @returns how often parts of the product were entered
 */
export function countWork(act: () => void): number {
  ask('Profiler.takePreciseCoverage');
  act();
  const { result } = ask('Profiler.takePreciseCoverage') as Coverage;
  let entered = 0;
  for (const { url, functions } of result)
    if (url.includes('/src/'))
      for (const { ranges } of functions) for (const { count } of ranges) entered += count;
  return entered;
}

/** What the profiler answers; it does so at once. */
function ask(method: string, params: object = {}): unknown {
  let answer: unknown;
  let failed: Error | null = null;
  session.post(method, params, (error: Error | null, result?: unknown) => {
    failed = error;
    answer = result;
  });
  if (failed !== null) throw failed;
  return answer;
}
