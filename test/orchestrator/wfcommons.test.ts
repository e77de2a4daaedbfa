/**
 * Recorded scientific workflows, replayed under virtual time through the real scheduler. The makespans are
 * those of `expected.json`, which somebody else's list scheduler gave for the same rules.
 */
import { existsSync, readFileSync } from 'node:fs';
import {
  Orchestrator,
  type OrchestratorOptions,
  type RunEvent,
  type Workflow,
} from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { type RecordedWorkflow, readWfFormat, toWorkflow, unionOf } from '../support/wfformat.ts';

const FOLDER = new URL('../../../shared/workloads/wfcommons/', import.meta.url);
const SLOTS = [4, 16, 64] as const;
const POLICIES = [
  { policy: 'fifo', column: 'fifo' },
  { policy: 'critical-path', column: 'cp' },
] as const;
/** 0.1 %. */
const TOLERANCE = 0.001;

interface Makespans {
  readonly lowerBound: number;
  readonly fifo: number;
  readonly cp: number;
}

interface ExpectedInstance {
  readonly name: string;
  readonly tasks: number;
  readonly edges: number;
  readonly slots: Readonly<Record<string, Makespans>>;
  readonly 'slots16+memory'?: Makespans & { readonly memoryCapacityBytes: number };
}

interface Expected {
  readonly instances: readonly ExpectedInstance[];
  readonly campaign: ExpectedInstance & { readonly members: readonly string[] };
}

interface Replay {
  readonly seconds: number;
  readonly completed: number;
  readonly mostAtOnce: number;
}

const isPresent = existsSync(new URL('expected.json', FOLDER));
if (!isPresent)
  console.log(`wfcommons: skipped, since ${FOLDER.pathname} is not there; it belongs to no clean clone`);

const expected: Expected = isPresent
  ? (JSON.parse(readFileSync(new URL('expected.json', FOLDER), 'utf8')) as Expected)
  : { instances: [], campaign: { name: '', tasks: 0, edges: 0, slots: {}, members: [] } };

const recorded = new Map<string, RecordedWorkflow>();

function load(name: string): RecordedWorkflow {
  const known = recorded.get(name);
  if (known !== undefined) return known;
  const fresh = readWfFormat(new URL(`${name}.json.gz`, FOLDER));
  recorded.set(name, fresh);
  return fresh;
}

/** Submits all workflows at time 0, and reads from the logs of their runs what came of it. */
async function replay(
  workflows: readonly Workflow<unknown>[],
  options: OrchestratorOptions,
): Promise<Replay> {
  const orchestrator = await Orchestrator.open({ ...options, clock: new VirtualClock() });
  try {
    // Not one after the other: each start must be decided before time passes.
    const runs = await Promise.all(workflows.map((workflow) => orchestrator.manageWorkflow(workflow)));
    await Promise.all(runs.map((run) => run.result()));
    const log: RunEvent[] = [];
    for (const run of runs) for await (const event of run.events()) log.push(event);
    return readLog(log);
  } finally {
    await orchestrator.close();
  }
}

function readLog(log: readonly RunEvent[]): Replay {
  let last = 0;
  let completed = 0;
  const changes: { readonly at: number; readonly by: number }[] = [];
  for (const event of log) {
    last = Math.max(last, event.at);
    if (event.type === 'TaskCompleted') completed++;
    if (event.type === 'TaskStarted') changes.push({ at: event.at, by: 1 });
    else if (event.type === 'TaskCompleted') changes.push({ at: event.at, by: -1 });
  }
  // At one instant whoever ends makes room for whoever starts.
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  let now = 0;
  let mostAtOnce = 0;
  for (const { by } of changes) {
    now += by;
    mostAtOnce = Math.max(mostAtOnce, now);
  }
  return { seconds: last / 1_000, completed, mostAtOnce };
}

function checkReplay(found: Replay, tasks: number, slots: number, wanted: number): void {
  expect(found.completed).toBe(tasks);
  expect(found.mostAtOnce).toBeLessThanOrEqual(slots);
  expect(
    Math.abs(found.seconds - wanted) / wanted,
    `${found.seconds} s, not ${wanted} s`,
  ).toBeLessThanOrEqual(TOLERANCE);
}

describe.skipIf(!isPresent)('wfcommons', () => {
  for (const instance of expected.instances) {
    describe(`${instance.name}: ${instance.tasks} tasks`, () => {
      it('is loaded whole', () => {
        const { tasks } = load(instance.name);
        expect(tasks).toHaveLength(instance.tasks);
        expect(tasks.flatMap(({ parents }) => parents)).toHaveLength(instance.edges);
      });

      for (const { policy, column } of POLICIES) {
        for (const slots of SLOTS) {
          it(`${slots} slots, ${policy}`, async () => {
            const found = await replay([toWorkflow(load(instance.name))], { concurrency: slots, policy });
            checkReplay(found, instance.tasks, slots, instance.slots[slots]?.[column] as number);
          });
        }
        const withMemory = instance['slots16+memory'];
        if (withMemory === undefined) continue;
        it(`16 slots and memory, ${policy}`, async () => {
          const found = await replay([toWorkflow(load(instance.name), { memory: true })], {
            concurrency: 16,
            policy,
            resources: { memory: withMemory.memoryCapacityBytes },
          });
          checkReplay(found, instance.tasks, 16, withMemory[column]);
        });
      }
    });
  }

  it('reads the same run from schema 1.4 as from 1.5', async () => {
    const name = 'montage-chameleon-2mass-005d-001';
    const older = readWfFormat(new URL(`${name}.as-1.4.json.gz`, FOLDER));
    expect(older.tasks).toEqual(load(name).tasks);
    const found = await replay([toWorkflow(older)], { concurrency: 4, policy: 'critical-path' });
    checkReplay(found, 58, 4, 55.898);
  });
});

describe.skipIf(!isPresent)('wfcommons campaign: 6,017 tasks', () => {
  const { campaign } = expected;
  const members = (): RecordedWorkflow[] => campaign.members.map(load);

  for (const { policy, column } of POLICIES) {
    for (const slots of SLOTS) {
      it(`seven runs at time 0, ${slots} slots, ${policy}`, async () => {
        const workflows = members().map((one) => toWorkflow(one));
        const found = await replay(workflows, { concurrency: slots, policy });
        checkReplay(found, 6_017, slots, campaign.slots[slots]?.[column] as number);
      });
    }

    it(`seven runs at time 0, 16 slots and memory, ${policy}`, async () => {
      const withMemory = campaign['slots16+memory'] as Makespans & { readonly memoryCapacityBytes: number };
      const found = await replay(
        members().map((one) => toWorkflow(one, { memory: true })),
        { concurrency: 16, policy, resources: { memory: withMemory.memoryCapacityBytes } },
      );
      checkReplay(found, 6_017, 16, withMemory[column]);
    });

    it(`one workflow of all, 16 slots, ${policy}`, async () => {
      const found = await replay([toWorkflow(unionOf('campaign', members()))], { concurrency: 16, policy });
      checkReplay(found, 6_017, 16, campaign.slots['16']?.[column] as number);
    });
  }
});
