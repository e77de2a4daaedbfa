/** tinypool as its users meet it: one call of `run` a call, default options but for the number of threads. */
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Tinypool } from 'tinypool';
import { countPrimes, type PrimeRange } from './handlers.ts';
import { HANDLERS, keepInFlight, type Lane, MAP_THREADS } from './lane.ts';

export function tinypoolLane(): Lane {
  const one = poolOf(1);
  let several: Tinypool | undefined;
  return {
    trips: (texts, inFlight) => timed<string, string>(one, 'answerTo', texts, inFlight),
    async map(ranges, place) {
      if (place === 'inline') {
        const startedAt = performance.now();
        const answers = ranges.map(countPrimes);
        return { ms: performance.now() - startedAt, answers };
      }
      several ??= poolOf(MAP_THREADS);
      return timed<PrimeRange, number>(several, 'countPrimes', ranges, ranges.length);
    },
  };
}

function poolOf(threads: number): Tinypool {
  return new Tinypool({ filename: fileURLToPath(HANDLERS), minThreads: threads, maxThreads: threads });
}

async function timed<Question, Answer>(
  pool: Tinypool,
  name: string,
  questions: readonly Question[],
  inFlight: number,
): Promise<{ ms: number; answers: Answer[] }> {
  const startedAt = performance.now();
  const answers = await keepInFlight<Question, Answer>(
    questions,
    inFlight,
    (question, _, answered, failed) => {
      pool.run(question, { name }).then(answered, failed);
    },
  );
  return { ms: performance.now() - startedAt, answers };
}
