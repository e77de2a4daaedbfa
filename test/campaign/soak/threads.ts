/** Handlers of the soak that are executed on worker threads. */
import { createHash } from 'node:crypto';
import type { HandlerContext } from '@taskmaster-ai/orchestrator';

/** A few milliseconds of work for a processor. */
export function grind({ input, progress }: HandlerContext): string {
  let text = `grind ${(input as { readonly n: number }).n}`;
  for (let round = 0; round < 300; round++) text = createHash('sha1').update(text).digest('hex');
  progress({ rounds: 300 });
  return text;
}

/** Fails for every third run at first, as a handler on a thread does. */
export function balk({ input, attempt }: HandlerContext): number {
  const { n } = input as { readonly n: number };
  if (n % 3 === 0 && attempt === 1) throw new Error('not at the first time');
  return n;
}

/** Waits for longer than its time limit, and has to be told to stop. */
export async function dawdle({ clock }: HandlerContext): Promise<string> {
  await clock.sleep(3_000);
  return 'too late';
}
