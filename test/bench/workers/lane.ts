/**
 * The ways to a thread that are compared. A lane is given texts and numbers, has them worked on elsewhere, and hands
 * back what came of them with the time that it took; whether that is right is checked by whoever asked.
 */
import type { PrimeRange } from './handlers.ts';

/** In the order in which they are shown. */
export const LANE_NAMES = ['executor', 'orchestrator', 'tinypool', 'process'] as const;
export type LaneName = (typeof LANE_NAMES)[number];

export const LANE_TITLES: Readonly<Record<LaneName, string>> = {
  executor: 'worker-threads executor alone',
  orchestrator: 'tasks of a run, on a thread',
  tinypool: 'tinypool alone',
  process: 'tasks of a run, in a child process',
};

export interface Lap<Answer> {
  readonly ms: number;
  /** In the order of what was asked. */
  readonly answers: readonly Answer[];
}

export type MapPlace = 'inline' | 'threads';

export interface Lane {
  /** Each text to one thread or process and back, at most so many under way at the same time. */
  trips(texts: readonly string[], inFlight: number): Promise<Lap<string>>;
  /** Work that keeps a processor busy, on two threads or in this one; absent where it is of no interest. */
  map?(ranges: readonly PrimeRange[], place: MapPlace): Promise<Lap<number>>;
}

/** The module that all lanes give to their threads. */
export const HANDLERS = new URL('./handlers.ts', import.meta.url);

export const MAP_THREADS = 2;

/** Loads one lane only, so that a process holds no code but its own. */
export async function loadLane(name: LaneName): Promise<Lane> {
  switch (name) {
    case 'executor':
      return (await import('./executor-lane.ts')).executorLane();
    case 'orchestrator':
      return (await import('./orchestrator-lane.ts')).orchestratorLane('thread');
    case 'process':
      return (await import('./orchestrator-lane.ts')).orchestratorLane('process');
    case 'tinypool':
      return (await import('./tinypool-lane.ts')).tinypoolLane();
  }
}

/**
 * Keeps `inFlight` calls under way until all are answered. `call` answers by its second argument, at once or later.
 */
export function keepInFlight<Question, Answer>(
  questions: readonly Question[],
  inFlight: number,
  call: (
    question: Question,
    index: number,
    answered: (answer: Answer) => void,
    failed: (why: unknown) => void,
  ) => void,
): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const answers = new Array<Answer>(questions.length);
    let next = 0;
    let open = questions.length;
    const send = (): void => {
      const index = next++;
      const answered = (answer: Answer): void => {
        answers[index] = answer;
        open--;
        if (open === 0) resolve(answers);
        else if (next < questions.length) send();
      };
      call(questions[index]!, index, answered, reject);
    };
    for (let first = 0; first < Math.min(inFlight, questions.length); first++) send();
  });
}
