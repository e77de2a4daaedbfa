/** Runs a small workflow on a store that fails by a script, and judges what came of it. */
import { MemoryStore, Orchestrator, type SettledRun } from '@taskmaster-ai/orchestrator';
import { ScriptedStore, type ScriptedStoreOptions, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { expect } from 'vitest';
import { checkInvariants } from '../../src/machine/invariants.ts';
import { replay } from '../../src/machine/replay.ts';
import { statusName } from '../../src/machine/transitions.ts';
import { compile } from '../../src/model/compile.ts';
import type { SmallWorkflow } from './small-workflows.ts';
import { Witness } from './witness.ts';

/** What came of a run. */
export interface Ended {
  readonly status: SettledRun<unknown>['status'];
  readonly outputs: unknown;
  readonly failures: readonly string[];
  readonly answers: readonly unknown[];
  readonly appends: number;
  readonly witness: Witness;
}

/** Runs it to its end, and checks everything that has to hold whatever the script says. */
export async function runFaulty(small: SmallWorkflow, script: ScriptedStoreOptions): Promise<Ended> {
  const inner = new MemoryStore();
  const witness = new Witness(inner);
  const store = new ScriptedStore(inner, script);
  const clock = new VirtualClock();
  const orchestrator = await Orchestrator.open({
    ...small.options,
    clock,
    store,
    monitors: [witness.monitor],
  });
  const workflow = small.define(witness);
  try {
    const run = await orchestrator.manageWorkflow(workflow);
    expect(inner.read({ stream: `run:${run.runId}`, fromSeq: 1, limit: 1 }), 'I9: acknowledged').toHaveLength(
      1,
    );
    const answers = (await small.drive?.(run)) ?? [];
    const settled = await run.settled();
    expect(settled.status).not.toBe('lost');
    witness.judge(run.runId);
    const records = inner.read({ stream: `run:${run.runId}`, fromSeq: 1, limit: 1e6 });
    const state = replay(run.runId, compile(workflow), records);
    expect(checkInvariants(state)).toEqual([]);
    expect(state.status).toBe(settled.status);
    const statuses = [...(state.scopes[0]?.status ?? [])].map(statusName);
    expect(run.tasks().map((view) => view.status)).toEqual(statuses);
    for (const name of orchestrator.resources.names())
      expect(orchestrator.resources.usage(name).used, `${name} was given back`).toBe(0);
    expect(orchestrator.concurrency.running, 'slots were given back').toBe(0);
    return {
      status: settled.status,
      outputs: settled.outputs,
      failures: settled.failures.map(({ path, attempt }) => `${path} ${attempt}`),
      answers,
      appends: store.appendCount,
      witness,
    };
  } finally {
    await orchestrator.close({ grace: 0 });
  }
}
