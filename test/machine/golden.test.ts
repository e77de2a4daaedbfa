/**
 * Logs as earlier releases wrote them. What is in `golden/` never changes: this release must read it.
 *
 * A new scenario gets its file by `UPDATE_GOLDEN=1 npx vitest run --config test/vitest.config.ts
 * test/machine/golden.test.ts`, which writes only files that do not exist.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EVENT_SCHEMA_VERSIONS, type RunEvent } from '../../src/machine/events.ts';
import { checkInvariants } from '../../src/machine/invariants.ts';
import { replay } from '../../src/machine/replay.ts';
import type { EventRecord } from '../../src/ports/event-store.ts';
import { dumpState, type Plain } from '../support/dump-state.ts';
import { Lead } from '../support/given.ts';
import { type PlanSpec, planOf, versionsOf } from '../support/plan-spec.ts';
import { SCENARIOS, type Scenario } from './golden-scenarios.ts';

const FOLDER = new URL('./golden/', import.meta.url);
/** The version of the files of this folder, not of the events in them. */
const FORMAT = 1;

interface GoldenLog {
  readonly format: number;
  readonly plan: PlanSpec;
  /** The versions from the second on, of a run that was moved. */
  readonly versions?: readonly PlanSpec[];
  readonly records: readonly EventRecord[];
  /** The state that the log leads to. */
  readonly state: Plain;
}

function record({ plan, versions, asks }: Scenario): GoldenLog {
  const first = planOf(plan);
  const lead = new Lead(first, versionsOf(first, versions ?? []));
  for (const ask of asks) lead.must(ask);
  const { log, state } = lead;
  return {
    format: FORMAT,
    plan,
    ...(versions === undefined ? {} : { versions }),
    records: log.map(toRecord),
    state: dumpState(state),
  };
}

function toRecord(event: RunEvent): EventRecord {
  const { runId, seq, type, at } = event;
  return {
    stream: `run:${runId}`,
    seq,
    type,
    at,
    schemaVersion: EVENT_SCHEMA_VERSIONS[type],
    payload: event,
  };
}

/** One record a line, so that logs can be read. */
function print({ format, plan, versions, records, state }: GoldenLog): string {
  const later = versions === undefined ? '' : `  "versions": ${JSON.stringify(versions)},\n`;
  const lines = records.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
  return `{\n  "format": ${format},\n  "plan": ${JSON.stringify(plan)},\n${later}  "records": [\n${lines}\n  ],\n  "state": ${JSON.stringify(state)}\n}\n`;
}

if (process.env.UPDATE_GOLDEN === '1') {
  for (const scenario of SCENARIOS) {
    const file = new URL(`${scenario.name}.json`, FOLDER);
    if (!existsSync(file)) writeFileSync(file, print(record(scenario)));
  }
}

const goldens = readdirSync(FOLDER)
  .sort()
  .map((name) => ({
    name,
    golden: JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as GoldenLog,
  }));

describe('golden logs', () => {
  it.each(goldens)('$name leads to the state that it once led to (I16)', ({ golden }) => {
    expect(golden.format).toBe(FORMAT);
    const plan = planOf(golden.plan);
    const state = replay('run-1', plan, golden.records, versionsOf(plan, golden.versions ?? []));
    // What was known of a state then is so still; later releases may know more.
    expect(dumpState(state)).toMatchObject(golden.state as object);
    expect(checkInvariants(state)).toEqual([]);
  });

  it.each(goldens)('$name is a log as a store keeps it', ({ golden }) => {
    golden.records.forEach((one, i) => {
      expect(Object.keys(one)).toEqual(['stream', 'seq', 'type', 'at', 'schemaVersion', 'payload']);
      expect(one).toMatchObject({ stream: 'run:run-1', seq: i + 1 });
      expect(one.payload).toMatchObject({ runId: 'run-1', seq: one.seq, type: one.type, at: one.at });
    });
  });

  it('are there for every scenario', () => {
    const names = goldens.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(SCENARIOS.map(({ name }) => `${name}.json`)));
  });

  it('hold every type of event in its version of today', () => {
    const found = new Set(
      goldens.flatMap(({ golden }) =>
        golden.records.map(({ type, schemaVersion }) => `${type} ${schemaVersion}`),
      ),
    );
    const all = Object.entries(EVENT_SCHEMA_VERSIONS).map(([type, version]) => `${type} ${version}`);
    expect(all.filter((type) => !found.has(type))).toEqual([]);
  });
});
