/**
 * The pipeline. For each faculty:
 *
 *   enrol → clashes → colour → plan      then, of all plans: publish
 *
 * Only `colour` keeps a processor busy, so only `colour` leaves the main thread.
 */
import {
  type Duration,
  defineWorkflow,
  type RunOn,
  settled,
  task,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import { type Colouring, type Graph, quickColours } from './colouring.ts';
import { enrolments, FACULTIES, type Faculty } from './faculties.ts';

/** The type of the module is all that is needed of it to name its handlers. */
const tool = workerHandlers<typeof import('./colouring.ts')>(new URL('./colouring.ts', import.meta.url), {
  threads: 2,
  idle: '500ms',
});

export type TimetableOptions = {
  /** How long the tool may look for a proof. */
  readonly timeout: Duration;
  /** Where it is executed; `inline` suits tests, and Node 20, which loads no TypeScript in threads. */
  readonly runOn: RunOn;
};

export type Plan = { readonly faculty: string; readonly slots: number; readonly isProven: boolean };

export function defineTimetable({ timeout, runOn }: TimetableOptions, faculties = FACULTIES) {
  const plans = faculties.map((faculty) => {
    const { name } = faculty;
    const enrol = task(`enrol:${name}`, { agentAssigned: 'registrar', run: () => enrolments(faculty) });
    const clashes = task(`clashes:${name}`, {
      dependencies: { enrol },
      run: ({ dependencies: { enrol } }) => clashesOf(faculty, enrol),
    });
    const colour = task(`colour:${name}`, {
      dependencies: { clashes },
      handler: tool.colour,
      runOn,
      timeout,
    });
    return task(`plan:${name}`, {
      // `settled`: that the tool fails is no reason to go without a plan.
      dependencies: { clashes, colour: settled(colour) },
      agentAssigned: 'planner',
      run({ dependencies: { clashes, colour } }): Plan {
        const isProven = colour.status === 'completed';
        const found = isProven ? colour.output : quickColours(clashes);
        assertNoClash(clashes, found);
        return { faculty: name, slots: found.count, isProven };
      },
    });
  });
  const byName: Readonly<Record<string, (typeof plans)[number]>> = Object.fromEntries(
    plans.map((plan) => [plan.taskId, plan]),
  );
  const publish = task('publish', {
    dependencies: byName,
    agentAssigned: 'planner',
    run: ({ dependencies }) => Object.values(dependencies),
  });
  return defineWorkflow('timetable', { tasks: [publish] });
}

/** Two exams clash when somebody takes both. */
function clashesOf({ exams }: Faculty, students: readonly (readonly number[])[]): Graph {
  const clashes = Array.from({ length: exams }, () => new Set<number>());
  for (const chosen of students)
    for (const exam of chosen) for (const other of chosen) if (other !== exam) clashes[exam]?.add(other);
  return clashes.map((others) => [...others].sort((a, b) => a - b));
}

/** What a tool says is checked before it is published. */
function assertNoClash(clashes: Graph, { colours }: Colouring): void {
  for (const [exam, others] of clashes.entries())
    for (const other of others)
      if (colours[exam] === colours[other])
        throw new Error(`exams ${exam} and ${other} are at the same time`);
}
