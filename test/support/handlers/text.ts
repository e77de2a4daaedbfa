/** A module of handlers, as a user writes one: it knows nothing of the file that builds the tasks. */
import type { HandlerContext, HandlerOutput } from '@taskmaster-ai/orchestrator';

interface Topic {
  readonly topic: string;
}

/** Wants no input, and nothing of dependencies. */
export function search(): string[] {
  return ['tides', 'moon'];
}

/** Wants what `search` gives. */
export async function parse({
  dependencies: { search },
}: HandlerContext<unknown, { readonly search: readonly string[] }>): Promise<{
  title: string;
  words: number;
}> {
  return { title: search.join(' '), words: search.length };
}

/** Wants an input. */
export const greet = ({ input }: HandlerContext<Topic>): string => `about ${input.topic}`;

/** Names the type of another handler without the tasks. */
export const write = ({
  dependencies,
}: HandlerContext<unknown, { readonly parse: HandlerOutput<typeof parse> }>): string =>
  `${dependencies.parse.title}: ${dependencies.parse.words} words`;

/** Says where it is executed. */
export const whoRuns = ({ taskId }: HandlerContext): { taskId: string; pid: number } => ({
  taskId,
  pid: process.pid,
});

/** Tells whoever reads the log that it has begun. */
export const begin = ({ log }: HandlerContext): void => log.info('begun');

/** Waits on the clock of the host. */
export const nap = async ({ clock }: HandlerContext): Promise<number> => {
  await clock.sleep('1h');
  return clock.now();
};

/** Throws. */
export const fail = (): never => {
  throw new TypeError('no such page');
};

/** Is no handler. */
export const version = 3;

/** Is no handler either: it cannot be called without `new`. */
export class Page {
  readonly words = 1;
}
