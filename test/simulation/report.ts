/**
 * Shows a scenario that fails: what is wrong, the smallest scenario that still fails so, the rows around, and how to play
 * it again.
 *
 * Who may call it: the campaign.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';
import { type Tried, tryScenario } from './try-scenario.ts';

const ROWS_AROUND = 30;
const SHRINK_MS = 60_000;

/** Plays a scenario, and shows why it fails. @returns whether it fails */
export async function show(scenario: Scenario): Promise<boolean> {
  const tried = await tryScenario(scenario, true);
  for (const { invariant, message, row } of tried.violations)
    console.log(`${invariant} at row ${row}: ${message}`);
  const [first] = tried.violations;
  showRows(tried, first?.row ?? tried.rows.length);
  console.log(first === undefined ? 'Nothing is wrong.' : '');
  return first !== undefined;
}

/** Shrinks a scenario that fails, shows it, and keeps it in a file. */
export async function reportSmallest(scenario: Scenario, folder: string, now: () => number): Promise<void> {
  const [first] = (await tryScenario(scenario, true)).violations;
  if (first === undefined) {
    console.log(`Seed ${scenario.seed} does not fail again.`);
    return;
  }
  const end = now() + SHRINK_MS;
  const smallest = await shrink(
    scenario,
    async (candidate) =>
      (await tryScenario(candidate, first.invariant === 'I16')).violations[0]?.invariant === first.invariant,
    () => now() < end,
  );
  const file = join(folder, `seed-${scenario.seed}-${first.invariant}.json`);
  await mkdir(folder, { recursive: true });
  await writeFile(file, `${JSON.stringify(smallest, undefined, 2)}\n`);
  const tasks = smallest.workflows.reduce((sum, { versions }) => sum + (versions[0]?.length ?? 0), 0);
  console.log(
    `\nSeed ${scenario.seed} fails; the smallest scenario that fails so has ${tasks} tasks, ${smallest.actions.length} actions and ${smallest.faults.length} faults:`,
  );
  await show(smallest);
  console.log(`Node ${process.version}. Again: npm run campaign:simulate -- --replay ${file}`);
}

function showRows({ rows }: Tried, at: number): void {
  const from = Math.max(0, at - ROWS_AROUND);
  for (let i = from; i < Math.min(rows.length, at + 5); i++)
    console.log(`${i === at ? '>' : ' '} ${i} ${JSON.stringify(rows[i]).slice(0, 400)}`);
}
