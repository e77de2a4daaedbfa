import { describe, expect, it } from 'vitest';
import { rejection } from '../support/errors.ts';
import { Stage, WAITER } from '../support/explain-stage.ts';
import { nextTurn } from '../support/gate.ts';

describe('a command to one task', () => {
  it('is refused when the task has started meanwhile, although nobody could see that yet', async () => {
    const stage = await Stage.open();
    try {
      await stage.hold('writer', { locks: ['report'] });
      await stage.start({ needs: { locks: ['report'] } });
      const monitor = stage.orchestrator.monitorTask(stage.run.runId, WAITER);
      await monitor.updatePriority(3);

      stage.store.hold();
      const ended = stage.end('writer');
      await nextTurn();
      expect([monitor.status, monitor.attempts]).toEqual(['ready', 0]);
      const late = [monitor.updatePriority(5), stage.run.setPriority(WAITER, 5)] as const;
      const error = rejection(late[0]);
      stage.store.letGo();
      await ended;

      expect(await error).toMatchObject({ code: 'TRANSITION_ILLEGAL' });
      expect((await error).message).toContain('cannot have its priority changed');
      // The handle of the run leaves alone what has started, and says nothing.
      await expect(late[1]).resolves.toBeUndefined();
      expect(monitor.status).toBe('in_progress');
    } finally {
      await stage.close();
    }
  });

  it('is refused when the run has ended in the same turn', async () => {
    const stage = await Stage.open();
    try {
      await stage.hold('writer', { locks: ['report'] });
      await stage.start({ needs: { locks: ['report'] } });
      const monitor = stage.orchestrator.monitorTask(stage.run.runId, WAITER);
      const cancelled = stage.run.cancel();
      const late = [monitor.updatePriority(5), monitor.updateStatus('cancelled')].map(rejection);
      await cancelled;
      for (const error of await Promise.all(late)) expect(error.code).toBe('TRANSITION_ILLEGAL');
    } finally {
      await stage.close();
    }
  });
});
