/** The part of the survey that computes. In production it is executed on a worker thread; a test keeps it in its own. */
import type { HandlerContext } from '@taskmaster-ai/orchestrator';

/** How often the answers agree: each different answer with its count, the most frequent first. */
export function conclude({
  dependencies,
}: HandlerContext<unknown, Readonly<Record<string, string>>>): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const answer of Object.values(dependencies)) {
    const tidy = answer.normalize('NFKC').toLowerCase().trim();
    counts.set(tidy, (counts.get(tidy) ?? 0) + 1);
  }
  return [...counts].sort(([a, some], [b, more]) => more - some || (a < b ? -1 : 1));
}
