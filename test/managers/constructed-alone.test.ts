import { MemoryStore, SystemClock } from '@taskmaster-ai/orchestrator';
import {
  ConcurrencyController,
  ErrorHandler,
  MonitoringService,
  PersistenceManager,
  ResourceManager,
  TaskScheduler,
  WorkflowManager,
} from '@taskmaster-ai/orchestrator/managers';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { expectRefused, throwingProxy, untyped } from '../support/refusals.ts';

const NONSENSE = untyped([null, 5, 'x', [], { bogus: 1 }, throwingProxy()]);

describe('a manager that is constructed alone', () => {
  it.each([ResourceManager, ConcurrencyController, TaskScheduler])(
    '%o says of what it is not made of that there is create',
    (Manager) => {
      for (const parts of [undefined as never, ...NONSENSE]) {
        const error = refusal(() => new Manager(parts));
        expectRefused(error, 'OPTION_INVALID', `new ${Manager.name}`);
      }
      const error = refusal(() => new Manager({ clock: new SystemClock(), resources: {} } as never));
      expect(error.message).toContain(`${Manager.name}.create(options)`);
      expect(refusal(() => Manager.create(undefined as never)).code).toBe('OPTION_INVALID');
    },
  );

  it.each([MonitoringService, ErrorHandler, WorkflowManager])(
    '%o refuses nonsense by its name',
    (Manager) => {
      for (const parts of NONSENSE)
        expect(refusal(() => new Manager(parts)).message).toMatch(new RegExp(`^new ${Manager.name}`));
      expect(new Manager()).toBeInstanceOf(Manager);
    },
  );

  it('a persistence manager needs a store and a name', async () => {
    for (const store of [undefined as never, ...NONSENSE])
      expectRefused(
        refusal(() => new PersistenceManager(store, 'me')),
        'OPTION_INVALID',
        'new PersistenceManager/store',
      );
    for (const owner of untyped([undefined, '', 5]))
      expectRefused(
        refusal(() => new PersistenceManager(new MemoryStore(), owner)),
        'OPTION_INVALID',
        'new PersistenceManager/owner',
      );
    const alone = new PersistenceManager(new MemoryStore(), 'me');
    for (const runId of untyped([Symbol('s'), Object.create(null), throwingProxy(), undefined]))
      expectRefused(await rejection(alone.listCheckpoints(runId)), 'OPTION_INVALID', 'listCheckpoints/runId');
  });

  it('a scheduler says which part of an address is wrong, shortly', () => {
    const scheduler = TaskScheduler.create({ clock: new SystemClock() });
    expectRefused(
      refusal(() => scheduler.getTaskById(undefined as never, 'a')),
      'OPTION_INVALID',
      'getTaskById/runId',
    );
    expectRefused(
      refusal(() => scheduler.getTaskById('r', 5 as never)),
      'OPTION_INVALID',
      'getTaskById/path',
    );
    const unknown = refusal(() => scheduler.getTaskById('x'.repeat(1_000_000), 'a'));
    expect([unknown.code, unknown.message.length < 300]).toEqual(['RUN_NOT_FOUND', true]);
  });

  it('a controller says shortly which lock is not held, whatever the token is', () => {
    const controller = ConcurrencyController.create({ clock: new SystemClock() });
    for (const token of untyped([Symbol('s'), Object.create(null), throwingProxy(), '7'])) {
      const error = refusal(() => controller.releaseLock('x'.repeat(1_000_000), token));
      expect([error.code, error.message.length < 500]).toEqual(['LOCK_STALE', true]);
    }
  });

  it('what is fed with no event refuses it, and counts nothing', async () => {
    const service = new MonitoringService();
    const errors = new ErrorHandler();
    for (const event of untyped([undefined, null, 5, 'x', {}, throwingProxy()]))
      for (const monitor of [service, errors])
        expectRefused(
          refusal(() => monitor.observe(event)),
          'OPTION_INVALID',
          'observe',
        );
    expect([service.events(), errors.find()]).toEqual([[], []]);
    for (const runId of untyped([Symbol('s'), Object.create(null), throwingProxy()]))
      expect((await rejection(errors.handleTaskError(runId, 'a', new Error('no')))).code).toBe(
        'RUN_NOT_FOUND',
      );
  });
});
