import { getEventListeners } from 'node:events';
import {
  defineWorkflow,
  MemoryStore,
  Orchestrator,
  type OrchestratorError,
  type Run,
  task,
} from '@taskmaster-ai/orchestrator';
import { describe, expect, it, onTestFinished } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import { createGate } from '../../support/gate.ts';
import { expectRefused, NO_OBJECTS, throwingProxy, untyped } from '../../support/refusals.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

const one = task('one', { run: () => 1 });
const single = defineWorkflow('single', { tasks: [one] });

/** Ids that no run has, some of them no ids at all. */
const STRANGERS = [
  '',
  'nobody',
  '__proto__',
  'x'.repeat(1_000_000),
  7,
  null,
  undefined,
  {},
  Object.create(null),
];

describe('the wrong moment', () => {
  it('A29 asking about a run or task that does not exist', async () => {
    const { orchestrator } = await openVirtual();
    for (const id of untyped([...STRANGERS, Symbol('x'), throwingProxy()])) {
      const error = refusal(() => orchestrator.getRun(id));
      expect(error.code).toBe('RUN_NOT_FOUND');
      expect(error.message.length).toBeLessThan(300);
      await expect(orchestrator.cancelRun(id)).resolves.toBe(false);
    }
    const run = await orchestrator.scheduleTask(task('waits', { run: ({ clock }) => clock.sleep('1h') }));
    for (const path of untyped([...STRANGERS, 'wait', Symbol('x'), throwingProxy()])) {
      for (const refused of [run.cancelTask(path), run.setPriority(path, 1)]) {
        const error = await rejection(refused);
        expect(error.code).toBe('TASK_NOT_FOUND');
        expect(error.message).toContain(run.runId);
        expect(error.message.length).toBeLessThan(300);
      }
    }
    expect((await rejection(run.cancelTask('wait'))).message).toContain('Did you mean "waits"?');
    expect(run.status).toBe('in_progress');
    await run.cancel();
    await run.settled();
  });

  it('A29 cancelling twice, and asking anything of a run that has ended', async () => {
    const { orchestrator } = await openVirtual();
    const gate = createGate();
    const stubborn = task('stubborn', { run: () => gate.promise });
    const run = await orchestrator.scheduleTask(stubborn);
    const first = new Error('first');
    const answers = await Promise.all([run.cancel(first), run.cancel(new Error('second'))]);
    expect(answers[0]).toBe(true);
    gate.open();
    expect((await rejection(run.result())).cause).toBe(first);

    for (const ended of [run, await finished(orchestrator)]) {
      const path = ended.tasks()[0]?.path as string;
      const asked = [ended.cancel(), ended.cancelTask(path), ended.pause(), ended.resume()];
      await expect(Promise.all(asked)).resolves.toEqual([false, false, false, false]);
      await expect(ended.setPriority(path, 5)).resolves.toBeUndefined();
    }
  });

  it('A31 nothing starts before open, during close or after it', async () => {
    expectRefused(
      refusal(() => new (Orchestrator as unknown as new (parts: object) => Orchestrator)({})),
      'OPTION_INVALID',
      'new Orchestrator',
    );
    const { orchestrator } = await openStill({ resources: { cpu: 1 } });
    const gate = createGate();
    const slow = await orchestrator.scheduleTask(task('slow', { run: () => gate.promise }));
    const held = await orchestrator.concurrency.acquireLock('lock');
    const waiting = rejection(orchestrator.concurrency.acquireLock('lock'));
    const closing = orchestrator.close();
    const attempts = (): readonly PromiseLike<unknown>[] => [
      orchestrator.manageWorkflow(single),
      orchestrator.scheduleTask(one),
      orchestrator.manageWorkflow(null as never),
      orchestrator.concurrency.acquireLock('other'),
      orchestrator.resources.allocateResource({ cpu: 1 }),
    ];
    const codes = async (): Promise<readonly string[]> =>
      (await Promise.all(attempts().map((refused) => rejection(refused)))).map(({ code }) => code);
    expect(new Set(await codes())).toEqual(new Set(['ORCHESTRATOR_CLOSED']));
    // Who waits for a lock is told that it will never come.
    expect((await waiting).code).toBe('ORCHESTRATOR_CLOSED');
    gate.open();
    await closing;
    await expect(slow.result()).resolves.toMatchObject({ status: 'completed' });
    expect(new Set(await codes())).toEqual(new Set(['ORCHESTRATOR_CLOSED']));
    held.release();
    expect(orchestrator.close()).toBe(closing);
    await expect(slow.cancel()).resolves.toBe(false);
  });

  it('A31 a store is opened once at a time, and is free again after a refusal', async () => {
    const store = new MemoryStore();
    expectRefused(
      await rejection(Orchestrator.open({ store, handlers: { odd: 5 as never } })),
      'HANDLER_INVALID',
      'open/handlers/odd',
    );
    const cyclic = { name: 'w', tasks: [{ taskId: 'a', dependencies: ['a'], handler: 'x' }] };
    expect((await rejection(Orchestrator.open({ store, workflows: [cyclic] }))).code).toBe('DEPENDENCY_SELF');
    const first = await Orchestrator.open({ store });
    expect((await rejection(Orchestrator.open({ store }))).code).toBe('STORE_OWNED');
    await expect((await first.manageWorkflow(single)).result()).resolves.toMatchObject({
      outputs: { one: 1 },
    });
    await first.close();
    await first.close();
    const second = await Orchestrator.open({ store });
    await second.close();
  });

  it('A31 close with odd options closes nothing', async () => {
    const { orchestrator } = await openVirtual();
    for (const [, options] of NO_OBJECTS) {
      expectRefused(await rejection(orchestrator.close(options as never)), 'OPTION_INVALID', 'close');
    }
    await expect((await orchestrator.manageWorkflow(single)).result()).resolves.toMatchObject({
      outputs: { one: 1 },
    });
  });

  it('A31 a very long grace waits for what runs, not for a timer that overflows', async () => {
    const orchestrator = await Orchestrator.open();
    const gate = createGate();
    const run = await orchestrator.scheduleTask(
      task('slow', { run: () => gate.promise.then(() => 'in time') }),
    );
    const closing = orchestrator.close({ grace: '30d' });
    // A timer of the machine would overflow and fire after one millisecond.
    await new Promise((resolve) => setTimeout(resolve, 20));
    gate.open();
    await closing;
    await expect(run.result()).resolves.toMatchObject({ outputs: { slow: 'in time' } });
  });

  it('A32 a handler that waits for its own run, or closes what runs it, is refused', async () => {
    const { orchestrator } = await openVirtual();
    const handle = createGate<Run>();
    const selfish = task('selfish', {
      run: async () => {
        const own = await handle.promise;
        const refused = [
          own.result(),
          own.settled(),
          orchestrator.getRun(own.runId).result(),
          orchestrator.close(),
        ];
        return (await Promise.all(refused.map((promise) => rejection(promise)))).map(({ code }) => code);
      },
    });
    const run = await orchestrator.scheduleTask(selfish);
    handle.open(run as unknown as Run);
    expect((await run.result()).outputs.selfish).toEqual([
      'SELF_WAIT',
      'SELF_WAIT',
      'SELF_WAIT',
      'SELF_WAIT',
    ]);
  });

  it('A32 a handler may start and await other runs, and cancel its own', async () => {
    const { orchestrator } = await openVirtual();
    const outer = task('outer', {
      run: async () => (await (await orchestrator.scheduleTask(one)).result()).outputs.one,
    });
    expect((await (await orchestrator.scheduleTask(outer)).result()).outputs.outer).toBe(1);
    const suicidal = task('suicidal', { run: ({ runId }) => orchestrator.cancelRun(runId, 'by itself') });
    const error = await rejection((await orchestrator.scheduleTask(suicidal)).result());
    expect({ code: error.code, cause: error.cause }).toEqual({ code: 'RUN_CANCELLED', cause: 'by itself' });
  });

  it('A32 a listener may start, cancel and listen; one that throws changes nothing', async () => {
    const { orchestrator } = await openVirtual();
    const started: Promise<Run>[] = [];
    const failures: unknown[] = [];
    orchestrator.on('ListenerFailed', ({ thrown }) => failures.push(thrown));
    orchestrator.on('TaskCompleted', ({ path }) => {
      if (path !== 'one') return;
      started.push(orchestrator.scheduleTask(task('next', { run: () => 2 })) as unknown as Promise<Run>);
      orchestrator.pause();
      orchestrator.resume();
      throw new Error('a listener');
    });
    await (await orchestrator.manageWorkflow(single)).result();
    await expect((await started[0])?.result()).resolves.toMatchObject({ outputs: { next: 2 } });
    expect(failures).toMatchObject([{ message: 'a listener' }]);
    const closed = createGate();
    orchestrator.on('RunCompleted', () => void orchestrator.close().then(closed.open));
    const last = await orchestrator.manageWorkflow(single);
    await closed.promise;
    await expect(last.result()).resolves.toMatchObject({ outputs: { one: 1 } });
  });

  it('A33 a signal that is already aborted cancels before anything starts; what is no signal is refused', async () => {
    const { orchestrator } = await openVirtual();
    let started = 0;
    const counted = task('counted', { run: () => ++started });
    const odd = [null, 7, 'x', true, {}, { aborted: false }, new AbortController(), throwingProxy(), () => 1];
    for (const signal of untyped([...odd, { aborted: false, addEventListener: () => {} }])) {
      const refused: readonly (readonly [Promise<unknown>, string])[] = [
        [orchestrator.scheduleTask(counted, { signal }), 'manageWorkflow/signal'],
        [orchestrator.concurrency.acquireLock('l', { signal }), 'acquireLock/signal'],
      ];
      for (const [promise, at] of refused) expectRefused(await rejection(promise), 'OPTION_INVALID', at);
    }
    expect({ started, runs: orchestrator.runs() }).toEqual({ started: 0, runs: [] });

    const { signal } = new AbortController();
    const run = await orchestrator.scheduleTask(counted, { signal: AbortSignal.abort('early') });
    expect(await rejection(run.result())).toMatchObject({ code: 'RUN_CANCELLED', cause: 'early' });
    expect(
      (await rejection(orchestrator.concurrency.acquireLock('l', { signal: AbortSignal.abort() }))).code,
    ).toBe('WAIT_ABORTED');
    expect(started).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    for (const value of untyped(odd)) {
      expectRefused(
        refusal(() => run.events({ signal: value })),
        'OPTION_INVALID',
        'events/signal',
      );
    }
  });

  it("A33 a signal of the host's own making that cannot be listened to is refused, and nothing starts", async () => {
    const { orchestrator } = await openVirtual();
    const fail = (): never => {
      throw new TypeError('no listeners here');
    };
    let started = 0;
    const counted = task('counted', { run: () => ++started });
    const deaf = { aborted: false, reason: undefined, addEventListener: fail, removeEventListener: fail };
    const errors: OrchestratorError[] = [
      await rejection(orchestrator.scheduleTask(counted, { signal: deaf as never })),
      await rejection(orchestrator.concurrency.acquireLock('l', { signal: deaf as never })),
    ];
    expect(errors.map(({ code }) => code)).toEqual(['OPTION_INVALID', 'OPTION_INVALID']);
    expect({ started, runs: orchestrator.runs() }).toEqual({ started: 0, runs: [] });
    // One that cannot be let go of is of no use to anybody either, and does no harm.
    const sticky = { ...deaf, addEventListener: () => {} };
    const run = await orchestrator.scheduleTask(counted, { signal: sticky as never });
    await expect(run.result()).resolves.toMatchObject({ outputs: { counted: 1 } });
    (await orchestrator.concurrency.acquireLock('l', { timeout: 0 })).release();
  });

  it('A29 what is given back has to be a grant', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 1 } });
    for (const grant of untyped([undefined, null, 7, {}, throwingProxy()])) {
      expectRefused(
        refusal(() => orchestrator.concurrency.releaseLock(grant)),
        'OPTION_INVALID',
        'releaseLock',
      );
      expectRefused(
        refusal(() => orchestrator.resources.releaseResource(grant)),
        'OPTION_INVALID',
        'releaseResource',
      );
    }
    for (const name of untyped([...STRANGERS, Symbol('x'), throwingProxy()])) {
      expectRefused(
        refusal(() => orchestrator.resources.usage(name)),
        'RESOURCE_UNKNOWN',
        'usage',
      );
      expectRefused(
        refusal(() => orchestrator.resources.setCapacity(name, 1)),
        'RESOURCE_UNKNOWN',
        'setCapacity',
      );
    }
    expect(refusal(() => orchestrator.resources.usage('cpus')).message).toContain('Did you mean "cpu"?');
    expect(orchestrator.resources.usage('cpu')).toMatchObject({ used: 0, capacity: 1 });
  });

  it('A33 a schema that throws, answers nonsense or never says what is wrong refuses the input', async () => {
    const { orchestrator } = await openVirtual();
    onTestFinished(() => orchestrator.close({ grace: 0 }));
    const fail = (): never => {
      throw new TypeError('a schema');
    };
    const answers: readonly (() => unknown)[] = [
      fail,
      () => Promise.reject(new TypeError('a schema')),
      () => undefined,
      () => null,
      async () => undefined,
      () => throwingProxy(),
      () => ({ issues: 5 }),
      () => ({ issues: [null] }),
      () => ({ issues: [{ message: 'wrong', path: ['a', { key: 'b' }] }] }),
    ];
    for (const validate of answers) {
      const input = { '~standard': { version: 1, vendor: 'test', validate } };
      const workflow = defineWorkflow('checked', { tasks: [one], input: input as never });
      const error = await rejection(orchestrator.manageWorkflow(workflow, { input: 1 } as never));
      expect(error.code).toBe('INPUT_INVALID');
      expect(error.message).toMatch(/^input of workflow "checked": /);
    }
    expect(orchestrator.runs()).toEqual([]);
  });
});

async function finished(orchestrator: Orchestrator): Promise<Run> {
  const run = await orchestrator.manageWorkflow(single);
  await run.result();
  return run as unknown as Run;
}
