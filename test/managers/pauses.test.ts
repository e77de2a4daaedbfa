import { defineWorkflow, type Run, task } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, vi } from 'vitest';
import { compose } from '../../src/orchestrator/compose.ts';
import { checkOptions } from '../../src/orchestrator/options.ts';
import { countWork } from '../support/count-work.ts';
import { createGate } from '../support/gate.ts';
import { openStill } from '../support/virtual-orchestrator.ts';

vi.hoisted(async () => (await import('../support/count-work.ts')).startCounting());

describe('pauses by name', () => {
  it('of agents that nobody has named leave nothing in the ledger, and hold whoever names them later', async () => {
    const { ledger, scheduler } = await compose(checkOptions({ clock: new VirtualClock({ auto: false }) }));
    const before = [...ledger.rows()].length;
    for (let i = 0; i < 1_000; i++) {
      scheduler.pause({ agent: `made-up-${i}` });
      scheduler.resume({ agent: `made-up-${i}` });
      scheduler.resume({ agent: `never-${i}` });
    }
    expect([...ledger.rows()]).toHaveLength(before);

    const { orchestrator, clock } = await openStill();
    orchestrator.scheduler.pause({ agent: 'later' });
    const late = task('late', { agentAssigned: 'later', run: () => createGate().promise });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [late] }));
    await clock.advance(0);
    expect(run.explain('late')).toMatchObject({
      reason: 'paused',
      pausedBy: [{ what: 'agent', name: 'later' }],
    });
    orchestrator.scheduler.resume({ agent: 'later' });
    await clock.advance(0);
    expect(run.explain('late').reason).toBe('running');
  });

  it('of one run look at its own tasks, however many others wait', async () => {
    const measure = async (others: number): Promise<number> => {
      const { orchestrator, clock } = await openStill({ resources: { cpu: 1 } });
      const needs = { resourceRequirements: { cpu: 1 } };
      const one = defineWorkflow('one', {
        tasks: [task('t', { ...needs, run: () => createGate().promise })],
      });
      const runs: Run[] = [];
      for (let i = 0; i < others + 400; i++) runs.push(await orchestrator.manageWorkflow(one));
      await clock.advance(0);
      return countWork(() => {
        for (const { runId } of runs.slice(-400)) orchestrator.scheduler.pause({ runId });
      });
    };
    const [small, large] = [await measure(0), await measure(6_000)];
    expect(large / small).toBeLessThan(2);
  });
});
