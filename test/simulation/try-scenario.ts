import { check } from './checker/check.ts';
import type { Violation } from './checker/judge.ts';
import { hashOf, type Played, play } from './play.ts';
import type { Scenario } from './scenario.ts';

/** What came of a scenario, and what is wrong with it. */
export interface Tried extends Played {
  readonly violations: readonly Violation[];
}

/** Plays a scenario and checks it; twice, if two plays have to be the same. */
export async function tryScenario(scenario: Scenario, isTwice: boolean): Promise<Tried> {
  let played: Played;
  try {
    played = await play(scenario);
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { rows: [], violations: [{ invariant: 'CRASH', message, row: 0 }] };
  }
  const violations = check(scenario, played.rows);
  if (!isTwice || violations.length > 0) return { ...played, violations };
  const again = await play(scenario);
  if (hashOf(again) === hashOf(played)) return { ...played, violations };
  const at = played.rows.findIndex((row, i) => JSON.stringify(row) !== JSON.stringify(again.rows[i]));
  const message = `played twice, it differs from row ${at} on`;
  return { ...played, violations: [{ invariant: 'I16', message, row: at }] };
}
