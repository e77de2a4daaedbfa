/**
 * Deadlocks: found in the wait-for graph, drawn, and broken.
 *
 * Owns: nothing. Who may call it: the lock desk.
 *
 * DL1  One shortest cycle of each strongly connected component is reported (Tarjan, Depth-first search and linear
 *      graph algorithms, 1972): there is a report exactly when there is a deadlock. All elementary cycles (Johnson,
 *      1975) can be exponentially many, and breaking one at a time until none is left needs no others.
 * DL2  The victim is the member with the lowest priority, among equals the youngest: who was submitted, or named by
 *      the host, last.
 */

import { OrchestratorError } from '../../model/errors.ts';
import { findCycles } from '../../model/find-cycles.ts';
import type { LockMode } from '../../model/needs.ts';
import { modeOf } from '../resources/lock-row.ts';
import type { Row } from '../resources/row.ts';
import type { Party, WaitGraph } from './wait-graph.ts';

/** A lock with the mode in which it is held or asked for. */
export interface LockInMode {
  readonly name: string;
  readonly mode: LockMode;
}

/** One who waits in a deadlock. */
export interface DeadlockMember {
  /** The owner's name, or `<runId>/<path>`. */
  readonly name: string;
  /** The attempt; not there for an owner that the host named. */
  readonly task?: { readonly runId: string; readonly path: string; readonly attempt: number };
  readonly priority: number;
  readonly holds: readonly LockInMode[];
  readonly wants: readonly LockInMode[];
}

/** Some who wait for each other in a circle: each for the next one, the last for the first. */
export interface Deadlock {
  readonly members: readonly DeadlockMember[];
  /** A Mermaid flowchart: each member, with an arrow to the one it waits for, labelled with the lock. */
  readonly drawing: string;
}

/** What was done about a deadlock. */
export interface ResolvedDeadlock extends Deadlock {
  /** Whose wait rejected with `DEADLOCK_VICTIM`, and whose attempt failed with it. */
  readonly victim: DeadlockMember;
}

/** The cycles of a graph, as parties. */
export function cyclesOf(graph: WaitGraph): readonly (readonly Party[])[] {
  const parties = graph.waiting();
  const numbers = new Map(parties.map((party, i) => [party, i]));
  const start = new Int32Array(parties.length + 1);
  const targets: number[] = [];
  parties.forEach((party, i) => {
    for (const blocker of graph.blockers(party)) {
      const number = numbers.get(blocker);
      // Who waits for nothing is in no cycle.
      if (number !== undefined) targets.push(number);
    }
    start[i + 1] = targets.length;
  });
  const cycles = findCycles({ size: parties.length, start, targets: Int32Array.from(targets) });
  return cycles.map((cycle) => cycle.map((number) => parties[number] as Party));
}

/** A cycle, described. */
export function describeDeadlock(cycle: readonly Party[]): Deadlock {
  return { members: cycle.map(describeMember), drawing: draw(cycle) };
}

/** The member whose loss costs least. */
export function victimOf(cycle: readonly Party[]): Party {
  return cycle.reduce((victim, party) => {
    const lower = party.priority - victim.priority;
    return lower < 0 || (lower === 0 && party.order > victim.order) ? party : victim;
  });
}

/** What the wait of a victim rejects with. */
export function victimError(victim: DeadlockMember, { members, drawing }: Deadlock): OrchestratorError {
  const circle = members.map(
    ({ name, holds, wants }) => `${JSON.stringify(name)} holds ${list(holds)} and waits for ${list(wants)}`,
  );
  return new OrchestratorError(
    'DEADLOCK_VICTIM',
    `${JSON.stringify(victim.name)} was ended to break a deadlock: ${circle.join('; ')}. Take locks together, or in one order everywhere.`,
    { details: { victim: victim.name, members, drawing } },
  );
}

export function describeMember(party: Party): DeadlockMember {
  const { name, task, priority } = party;
  const wants = [...party.waits].flatMap(({ group }) =>
    group.rows.map((row, i): [Row, number] => [row, group.amounts[i] as number]),
  );
  const inModes = (rows: Iterable<[Row, number]>): LockInMode[] =>
    [...rows]
      .filter(([row]) => row.kind === 'lock')
      .map(([row, units]) => ({ name: row.name, mode: modeOf(row, units) }));
  return {
    name,
    ...(task === undefined ? undefined : { task }),
    priority,
    holds: inModes(party.holds),
    wants: inModes(wants),
  };
}

function list(locks: readonly LockInMode[]): string {
  return locks.map(({ name, mode }) => `${JSON.stringify(name)} (${mode})`).join(', ') || 'nothing';
}

function draw(cycle: readonly Party[]): string {
  const lines = cycle.map((party, i) => `  p${i}["${escapeText(party.name)}"]`);
  cycle.forEach((party, i) => {
    const next = cycle[(i + 1) % cycle.length] as Party;
    const between = [...party.waits]
      .flatMap(({ group }) => group.rows)
      .filter((row) => next.holds.has(row))
      .map((row) => row.name);
    lines.push(`  p${i} -->|"${escapeText([...new Set(between)].join(', '))}"| p${(i + 1) % cycle.length}`);
  });
  return ['flowchart LR', ...lines].join('\n');
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
