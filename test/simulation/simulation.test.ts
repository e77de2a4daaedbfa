import { readdir, readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { warmUp } from './batch.ts';
import { check } from './checker/check.ts';
import { drawScenario } from './draw.ts';
import { play } from './play.ts';
import type { Row } from './rows.ts';
import type { Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';
import { tryScenario } from './try-scenario.ts';

const SEEDS = 300;
const REGRESSIONS = new URL('./regressions/', import.meta.url);

/** A scenario in which two tasks run one after the other and the process dies in between. */
const CHAIN: Scenario = {
  seed: 1,
  store: { isImmediate: false, latency: 3, hasCheckpoints: true },
  options: {
    policy: 'fifo',
    cancelGrace: 20,
    maxRestarts: 10,
    resources: {},
    agents: {},
    retainRuns: 100,
  },
  hasBadMonitor: false,
  workflows: [
    {
      name: 'w0',
      failurePolicy: 'fail-fast',
      versions: [
        [
          { id: 't0', dependencies: [], behaviours: [{ waits: [5], end: 'return' }] },
          {
            id: 't1',
            dependencies: [{ id: 't0', settled: false }],
            behaviours: [{ waits: [5], end: 'return' }],
          },
        ],
      ],
    },
  ],
  actions: [{ at: 0, deed: { type: 'start', workflow: 0, key: 'k', input: 1 } }],
  faults: [{ type: 'crash', append: 3, when: 'after' }],
};

beforeAll(warmUp);

describe('the simulation', () => {
  it(`finds nothing wrong in seeds 1 to ${SEEDS}, and plays each of them the same way twice`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++)
      expect((await tryScenario(drawScenario(seed), seed % 3 === 0)).violations, `seed ${seed}`).toEqual([]);
  });

  it('finds nothing wrong in what was wrong once', async () => {
    const names = (await readdir(REGRESSIONS)).filter((name) => name.endsWith('.json'));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const scenario = JSON.parse(await readFile(new URL(name, REGRESSIONS), 'utf8')) as Scenario;
      expect((await tryScenario(scenario, true)).violations, name).toEqual([]);
    }
  });

  it('draws the same scenario of the same seed, and another one of the next', () => {
    expect(drawScenario(7)).toEqual(drawScenario(7));
    expect(drawScenario(8)).not.toEqual(drawScenario(7));
  });
});

describe('the checker of the simulation', () => {
  const changes: readonly (readonly [string, string, (rows: Row[]) => Row[]])[] = [
    ['a body that starts before its event is durable', 'I2', (rows) => moveFirst(rows, 'start', -8)],
    ['a body that starts twice', 'I2', (rows) => twice(rows, 'start')],
    ['an output that no body has returned', 'I6', (rows) => without(rows, ({ kind }) => kind === 'end')],
    ['an event that is missing in a log', 'I19', (rows) => without(rows, isLog('TaskStarted'))],
    [
      'an event that somebody was told of and that is not durable',
      'I9',
      (rows) => without(rows, isLog('TaskCompleted')),
    ],
    ['a run without its end', 'I9', (rows) => without(rows, isLog('RunCompleted'))],
    ['a start that is acknowledged and not there', 'I8', (rows) => without(rows, isOf('r1'))],
    ['two ends of one task', 'I5', (rows) => twice(rows, 'log', isLog('TaskCompleted'))],
  ];

  it.each(changes)('sees %s', async (_what, invariant, change) => {
    const { rows } = await play(CHAIN);
    expect(check(CHAIN, rows)).toEqual([]);
    const found = check(CHAIN, change([...rows]));
    expect(found.map((one) => one.invariant)).toContain(invariant);
  });
});

describe('shrinking', () => {
  it('leaves what the fault needs, and nothing else', async () => {
    const drawn = drawScenario(11);
    const crash = { type: 'crash', append: 2, when: 'before' } as const;
    const needsCrash = async (one: Scenario): Promise<boolean> =>
      one.faults.some((fault) => fault.type === 'crash') && one.actions.length > 0;
    const smallest = await shrink({ ...drawn, faults: [...drawn.faults, crash] }, needsCrash);
    expect(smallest.faults).toHaveLength(1);
    expect(smallest.actions).toHaveLength(1);
    expect(smallest.workflows.every(({ versions }) => versions[0]?.length === 1)).toBe(true);
  });
});

function isLog(type: string): (row: Row) => boolean {
  return (row) => row.kind === 'log' && row.event.type === type;
}

function isOf(run: string): (row: Row) => boolean {
  return (row) => row.kind === 'log' && row.event.runId === run;
}

function without(rows: Row[], isGone: (row: Row) => boolean): Row[] {
  return rows.filter((row) => !isGone(row));
}

function twice(rows: Row[], kind: Row['kind'], isIt: (row: Row) => boolean = () => true): Row[] {
  const at = rows.findIndex((row) => row.kind === kind && isIt(row));
  return [...rows.slice(0, at + 1), rows[at] as Row, ...rows.slice(at + 1)];
}

function moveFirst(rows: Row[], kind: Row['kind'], by: number): Row[] {
  const at = rows.findIndex((row) => row.kind === kind);
  const [moved] = rows.splice(at, 1);
  rows.splice(Math.max(0, at + by), 0, moved as Row);
  return rows;
}
