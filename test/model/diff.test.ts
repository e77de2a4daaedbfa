import { defineWorkflow, task, type WorkflowData, type WorkflowDiff } from '@taskmaster-ai/orchestrator';
import { WorkflowManager } from '@taskmaster-ai/orchestrator/managers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/model/compile.ts';
import { isSamePlan } from '../../src/model/same-plan.ts';
import { diffPlans } from '../../src/model/workflow-diff.ts';
import { workflows } from '../support/random-workflows.ts';

function diff(a: WorkflowData, b: WorkflowData): WorkflowDiff {
  return diffPlans(compile(defineWorkflow(a)), compile(defineWorkflow(b)));
}

/** Two workflows of which the second keeps a part of the first. */
const pairs = fc
  .tuple(workflows(6), workflows(6), fc.nat(6), fc.constantFrom('other', 'mixed', 'same', 'reversed'))
  .map(([a, b, keep, how]): readonly [WorkflowData, WorkflowData] => {
    if (how === 'other') return [a, b];
    if (how === 'same') return [a, structuredClone(a)];
    if (how === 'reversed') return [a, { ...a, tasks: [...a.tasks].reverse() }];
    const kept = a.tasks.slice(0, keep).map(({ dependencies: _all, ...one }) => one);
    const fresh = b.tasks
      .filter(({ taskId }) => !kept.some((one) => one.taskId === taskId))
      .map(({ dependencies: _all, ...one }) => one);
    return [a, { ...b, tasks: [...fresh, ...kept], joined: [] }];
  });

describe('the difference between two versions', () => {
  it('is empty exactly when they are the same version', () => {
    let same = 0;
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const isSame = isSamePlan(compile(defineWorkflow(a)), compile(defineWorkflow(b)));
        expect(diff(a, b).isSame).toBe(isSame);
        if (isSame) same += 1;
      }),
    );
    expect(same).toBeGreaterThan(5);
  });

  it('turned round has the added as removed and each change from its other end', () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const there = diff(a, b);
        const back = diff(b, a);
        expect([back.added, back.removed, back.reordered]).toEqual([
          there.removed,
          there.added,
          there.reordered,
        ]);
        const turned = back.fields.map(({ field, from, to }) => ({ field, from: to, to: from }));
        expect(turned).toEqual(there.fields);
        expect(back.changed.map(({ taskId }) => taskId).sort()).toEqual(
          there.changed.map(({ taskId }) => taskId).sort(),
        );
        for (const change of back.changed) {
          const other = there.changed.find(({ taskId }) => taskId === change.taskId);
          expect(other?.dependencies.added).toEqual(change.dependencies.removed);
          expect(other?.fields.map(({ from, to }) => [to, from])).toEqual(
            change.fields.map(({ from, to }) => [from, to]),
          );
        }
      }),
    );
  });

  it('says of each change what it was and what it is', () => {
    const manager = new WorkflowManager();
    const a = task('a', { handler: 'h' });
    const base = { taskId: 'b', handler: 'h' };
    manager.createWorkflow('w', [a, { ...base, dependencies: ['a', 'c'] }, { taskId: 'c', handler: 'h' }]);
    manager.updateWorkflow('w', (draft) => {
      draft.removeTask('b');
      draft.addTask({
        ...base,
        handler: { kind: 'registered', name: 'h', version: '2' },
        priority: 3,
        timeout: '2m',
        retry: { maxAttempts: 2 },
        dependencies: [{ taskId: 'a', on: 'settled', as: 'first' }, 'c'],
      });
      draft.addTask({ taskId: 'd', handler: 'h' });
    });

    expect(manager.diff('w', 1, 2)).toEqual({
      affectedRuns: [],
      isSame: false,
      fields: [],
      added: ['d'],
      removed: [],
      reordered: true,
      changed: [
        {
          taskId: 'b',
          fields: [
            { field: 'handler', from: { name: 'h' }, to: { name: 'h', version: '2' } },
            { field: 'priority', from: 0, to: 3 },
            { field: 'retry', from: undefined, to: expect.objectContaining({ maxAttempts: 2 }) },
            { field: 'timeout', from: undefined, to: 120_000 },
          ],
          dependencies: {
            added: [{ taskId: 'a', on: 'settled', as: 'first' }],
            removed: [{ taskId: 'a', on: 'completed', as: 'a' }],
            reordered: false,
          },
        },
      ],
    });
  });
});
