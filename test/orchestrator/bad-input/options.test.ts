import {
  defineWorkflow,
  type ErrorCode,
  Orchestrator,
  type OrchestratorOptions,
  task,
} from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import {
  expectRefused,
  NO_OBJECTS,
  revokedProxy,
  throwingProxy,
  untyped,
  withThrowingGetter,
} from '../../support/refusals.ts';
import { openStill, openVirtual } from '../../support/virtual-orchestrator.ts';

const run = (): number => 1;

/** Defines a task with odd options; refused at `task "t"` plus the place. */
function refusedTask(options: object, code: ErrorCode, place: string): void {
  expectRefused(
    refusal(() => task('t', { run, ...options } as never)),
    code,
    `task "t"${place}`,
  );
}

function refusedWorkflow(options: object, code: ErrorCode, place: string): void {
  const define = () => defineWorkflow('w', { tasks: [], ...options } as never);
  expectRefused(refusal(define), code, `workflow "w"${place}`);
}

async function refusedOpen(options: object, code: ErrorCode, place: string): Promise<void> {
  const error = await rejection(Orchestrator.open(options as OrchestratorOptions));
  expectRefused(error, code, `open${place}`);
}

describe('bad options', () => {
  it.each(['timeout', 'totalTimeout', 'heartbeatTimeout'] as const)(
    'A16 %s out of range is refused',
    (key) => {
      const bad = [
        0,
        -1,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        1.5,
        2 ** 53,
        1e308,
        '',
        '5',
        '-5s',
        '5 parsecs',
        '5S',
      ];
      for (const value of [...bad, null, {}, [], 5n, '0s', new Date(5), Symbol('5'), throwingProxy()]) {
        refusedTask({ [key]: value }, 'OPTION_INVALID', `/${key}`);
      }
      expect(refusal(() => task('t', { [key]: '5', run })).message).toContain('Add a unit: "5ms".');
    },
  );

  it('A16 durations with units, and very long ones, work', async () => {
    const { orchestrator, clock } = await openVirtual();
    for (const timeout of ['5s', '2m', '1h30m', 'PT1H', 1, 2 ** 31, Number.MAX_SAFE_INTEGER, '500w']) {
      const quick = task('quick', { timeout, totalTimeout: timeout, run: () => 1 });
      await expect((await orchestrator.scheduleTask(quick)).result()).resolves.toMatchObject({
        status: 'completed',
      });
    }
    expect(clock.pending).toBe(0);
    // Longer than a timer of the machine can be: it neither fires at once nor is forgotten.
    const late = task('late', { timeout: 2 ** 31 + 5, run: ({ clock: time }) => time.sleep(2 ** 32) });
    const error = await rejection((await orchestrator.scheduleTask(late)).result());
    expect(error.cause).toMatchObject({ code: 'TASK_TIMEOUT' });
    expect(clock.now()).toBe(2 ** 31 + 5);
  });

  it('A16 a wait in a handler, of a lock and of close is checked as well', async () => {
    const { orchestrator } = await openVirtual();
    for (const duration of [-1, Number.NaN, '5', '5 parsecs', null, {}]) {
      const sleeper = task('sleeper', { run: ({ clock }) => clock.sleep(duration as never) });
      const failed = await rejection((await orchestrator.scheduleTask(sleeper)).result());
      expectRefused(failed.cause as never, 'OPTION_INVALID', 'clock.sleep');
      const waiting = orchestrator.concurrency.acquireLock('l', { timeout: duration as never });
      expectRefused(await rejection(waiting), 'OPTION_INVALID', 'acquireLock/timeout');
      expectRefused(
        await rejection(orchestrator.close({ grace: duration as never })),
        'OPTION_INVALID',
        'close/grace',
      );
    }
  });

  it('A17 retry options out of range are refused', () => {
    const bad: readonly (readonly [object, string])[] = [
      ...[-1, 0, 1e9, 2.5, '3', Number.NaN, Number.POSITIVE_INFINITY, null].map(
        (maxAttempts) => [{ maxAttempts }, '/maxAttempts'] as const,
      ),
      ...[-1, Number.NaN, '3', Number.POSITIVE_INFINITY].map((delay) => [{ delay }, '/delay'] as const),
      ...[0.5, 101, Number.NaN, '2'].map((factor) => [{ factor }, '/factor'] as const),
      ...[2, -0.1, Number.NaN, '1'].map((jitter) => [{ jitter }, '/jitter'] as const),
      [{ delay: '2s', maxDelay: '1s' }, '/maxDelay'],
      [{ maxDelay: '5 parsecs' }, '/maxDelay'],
      [{ retryOn: true }, '/retryOn'],
      // Without an end is refused, with or without a wait between.
      [{ maxAttempts: Number.POSITIVE_INFINITY, delay: 0 }, '/maxAttempts'],
    ];
    for (const [retry, place] of bad) refusedTask({ retry }, 'OPTION_INVALID', `/retry${place}`);
    for (const retry of [3, true, [], 'always', null]) refusedTask({ retry }, 'OPTION_INVALID', '/retry');
    refusedTask({ retry: { retries: 3 } }, 'OPTION_UNKNOWN', '/retry/retries');
    expect(refusal(() => task('t', { run, retry: { delay: '2s', maxDelay: '1s' } })).message).toContain(
      'found 1000 ms, which is less than delay (2000 ms); allowed: delay or more',
    );
  });

  it('A18 a priority that is no number from -1e9 to 1e9 is refused; -0 is 0', async () => {
    const { orchestrator } = await openVirtual();
    const workflow = defineWorkflow('w', { tasks: [task('t', { run })] });
    const bad = [
      Number.NaN,
      'high',
      '1',
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      1e308,
      1e9 + 1,
      null,
      1n,
    ];
    for (const priority of untyped(bad)) {
      refusedTask({ priority }, 'OPTION_INVALID', '/priority');
      const error = await rejection(orchestrator.manageWorkflow(workflow, { priority }));
      expectRefused(error, 'OPTION_INVALID', 'manageWorkflow/priority');
    }
    expect(orchestrator.runs()).toEqual([]);
    expect(Object.is(task('t', { priority: -0, run }).priority, 0)).toBe(true);
    const started = await orchestrator.manageWorkflow(workflow);
    for (const priority of untyped(bad)) {
      expectRefused(await rejection(started.setPriority('t', priority)), 'OPTION_INVALID', 'setPriority');
    }
    await started.result();
  });

  it('A23 a concurrency that is no integer from 1 on is refused, everywhere', async () => {
    const { orchestrator } = await openStill({ concurrency: 2 });
    for (const concurrency of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '2', null, 1_000_001]) {
      refusedWorkflow({ concurrency }, 'OPTION_INVALID', '/concurrency');
      await refusedOpen({ concurrency }, 'OPTION_INVALID', '/concurrency');
      await refusedOpen({ agents: { a: { concurrency } } }, 'OPTION_INVALID', '/agents/a/concurrency');
      expectRefused(
        refusal(() => orchestrator.concurrency.setLimit(concurrency as number)),
        'OPTION_INVALID',
        'setLimit',
      );
    }
    expect(orchestrator.concurrency.limit).toBe(2);
  });

  it('A25 an unknown option is named, with the nearest one', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 1 } });
    const workflow = defineWorkflow('w', { tasks: [task('t', { run })] });
    const nearest = (error: Error, name: string) =>
      expect(error.message).toContain(`Did you mean "${name}"?`);

    refusedTask({ retires: 3 }, 'OPTION_UNKNOWN', '/retires');
    nearest(
      refusal(() => task('t', { run, retires: 3 } as never)),
      'retry',
    );
    refusedTask({ locks: [{ name: 'a', mod: 'shared' }] }, 'OPTION_UNKNOWN', '/locks/0/mod');
    refusedTask({ dependencies: [{ taskId: 'a', onn: 'settled' }] }, 'OPTION_UNKNOWN', '/dependencies/0/onn');
    refusedWorkflow({ failurePolcy: 'continue' }, 'OPTION_UNKNOWN', '/failurePolcy');
    await refusedOpen({ wrokflows: [] }, 'OPTION_UNKNOWN', '/wrokflows');
    await refusedOpen({ agents: { a: { rates: {} } } }, 'OPTION_UNKNOWN', '/agents/a/rates');
    await refusedOpen(
      { agents: { a: { rate: { limit: 1, per: 1, p: 1 } } } },
      'OPTION_UNKNOWN',
      '/agents/a/rate/p',
    );
    await refusedOpen({ resources: { cpu: { capacty: 1 } } }, 'OPTION_UNKNOWN', '/resources/cpu/capacty');
    const cases: readonly (readonly [PromiseLike<unknown>, string])[] = [
      [orchestrator.manageWorkflow(workflow, { inptu: 1 } as never), 'manageWorkflow/inptu'],
      [orchestrator.manageWorkflow({ name: 'w', task: [], tasks: [] } as never), 'workflow "w"/task'],
      [orchestrator.close({ grcae: 1 } as never), 'close/grcae'],
      [orchestrator.concurrency.acquireLock('l', { mod: 'shared' } as never), 'acquireLock/mod'],
      [
        orchestrator.resources.allocateResource({ cpu: 1 }, { mode: 'shared' } as never),
        'allocateResource/mode',
      ],
    ];
    for (const [refused, at] of cases) expectRefused(await rejection(refused), 'OPTION_UNKNOWN', at);
    const started = await orchestrator.manageWorkflow(workflow);
    expectRefused(
      refusal(() => started.events({ form: 1 } as never)),
      'OPTION_UNKNOWN',
      'events/form',
    );
    await started.result();
  });

  it('A25 a key of a megabyte, or with a NUL in it, makes no endless message', () => {
    for (const key of ['k'.repeat(1_000_000), '\0'.repeat(100)]) {
      const error = refusal(() => task('t', { run, [key]: 1 } as never));
      expect(error.code).toBe('OPTION_UNKNOWN');
      expect(error.message.length).toBeLessThan(2_000);
      expect(String(error.details.found).length).toBeLessThanOrEqual(80);
    }
  });

  it('A25 an event or policy that does not exist is named, with the nearest one', async () => {
    const { orchestrator } = await openVirtual();
    const error = refusal(() => orchestrator.on('TaskComplete' as never, () => {}));
    expectRefused(error, 'OPTION_INVALID', 'on');
    expect(error.message).toContain('Did you mean TaskCompleted?');
    expectRefused(
      refusal(() => orchestrator.on('TaskFailed', 'x' as never)),
      'OPTION_INVALID',
      'on',
    );
    expectRefused(
      refusal(() => orchestrator.on(Object.create(null), () => {})),
      'OPTION_INVALID',
      'on',
    );
    for (const policy of untyped(['lifo', 7, {}, null])) {
      expectRefused(
        refusal(() => orchestrator.prioritizeTasks(policy)),
        'OPTION_INVALID',
        'prioritizeTasks',
      );
      await refusedOpen({ policy }, 'OPTION_INVALID', '/policy');
    }
    for (const monitor of untyped([undefined, null, 7, {}, throwingProxy()])) {
      expectRefused(
        refusal(() => orchestrator.observe(monitor)),
        'OPTION_INVALID',
        'observe',
      );
    }
    refusedWorkflow({ failurePolicy: 'continu' }, 'OPTION_INVALID', '/failurePolicy');
  });

  it('A26 both run and handler, and a budget with a capacity, exclude each other', async () => {
    refusedTask({ handler: 'parse' }, 'OPTION_CONFLICT', '');
    expect(refusal(() => task('t', { run, handler: 'parse' })).message).toContain(
      'found both run and handler; allowed: one of the two',
    );
    for (const other of [{ capacity: 5 }, { per: '1m' }, { capacity: 5, per: '1m' }]) {
      await refusedOpen(
        { resources: { money: { budget: 5, ...other } } },
        'OPTION_CONFLICT',
        '/resources/money',
      );
    }
    refusedTask({ locks: ['a', { name: 'a', mode: 'shared' }] }, 'LOCK_CONFLICT', '/locks/1');
  });

  it('A26 an orchestrator is not opened with anything but options and ports that have their methods', async () => {
    for (const [, value] of NO_OBJECTS) await refusedOpen(value as object, 'OPTION_INVALID', '');
    for (const key of ['store', 'clock', 'logger', 'idSource', 'random', 'executor']) {
      for (const value of [null, 5, {}, { append: 1, now: 1 }, () => 1]) {
        await refusedOpen({ [key]: value }, 'OPTION_INVALID', `/${key}`);
      }
    }
    await refusedOpen({ clock: throwingProxy() }, 'OPTION_INVALID', '');
    await refusedOpen(withThrowingGetter('store'), 'OPTION_INVALID', '');
    const holes = new Array(2);
    expectRefused(await rejection(Orchestrator.open({ workflows: holes })), 'DEFINITION_INVALID', 'workflow');
    await refusedOpen({ monitors: holes }, 'OPTION_INVALID', '/monitors/0');
  });

  it('A36 metadata of 10 MB, or of anything but plain data, is refused', async () => {
    const big = { text: 'x'.repeat(10_000_000) };
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]));
    const deep: Record<string, unknown> = {};
    let inner = deep;
    for (let i = 0; i < 100_000; i++) inner = inner.next = {};
    for (const metadata of [big, wide]) {
      for (const error of [
        refusal(() => task('t', { run, metadata })),
        refusal(() => defineWorkflow('w', { tasks: [], metadata })),
      ]) {
        expect(error.code).toBe('LIMIT_EXCEEDED');
        expect(error.message).toMatch(
          /^(task "t"|workflow "w")\/metadata.*found more than 65536 bytes; allowed: /,
        );
        expect(error.message.length).toBeLessThan(1_000);
      }
    }
    expect(refusal(() => task('t', { run, metadata: deep })).code).toBe('VALUE_UNSERIALISABLE');
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    refusedTask({ metadata: cyclic }, 'VALUE_UNSERIALISABLE', '/metadata/self');
    refusedTask({ metadata: { a: { run } } }, 'VALUE_UNSERIALISABLE', '/metadata/a/run');
    refusedTask({ metadata: { a: [1, revokedProxy()] } }, 'VALUE_UNSERIALISABLE', '/metadata/a/1');
    for (const [what, metadata] of NO_OBJECTS) {
      if (what === 'a proxy that throws') continue;
      refusedTask({ metadata }, 'OPTION_INVALID', '/metadata');
    }
    // A class whose name speaks of bytes is no matter of size.
    class Kilobytes {}
    refusedTask({ metadata: { a: new Kilobytes() } }, 'VALUE_UNSERIALISABLE', '/metadata/a');
  });

  it('A36 tags with a newline or NUL, and 10,000 of them, are refused', () => {
    for (const tag of ['a\nb', 'a\0', '', 'x'.repeat(129), '\ud800', 7, null, undefined, {}]) {
      refusedTask({ tags: ['good', tag] }, 'OPTION_INVALID', '/tags/1');
      refusedWorkflow({ tags: [tag] }, 'OPTION_INVALID', '/tags/0');
    }
    refusedTask({ tags: Array.from({ length: 10_000 }, (_, i) => `t${i}`) }, 'LIMIT_EXCEEDED', '/tags');
    refusedTask({ tags: new Array(4_294_967_295) }, 'LIMIT_EXCEEDED', '/tags');
    refusedTask({ tags: new Array(2) }, 'OPTION_INVALID', '/tags/0');
    refusedTask({ tags: 'one' }, 'OPTION_INVALID', '/tags');
    refusedTask({ locks: new Array(4_294_967_295) }, 'LIMIT_EXCEEDED', '/locks');
    refusedTask({ locks: new Array(2) }, 'OPTION_INVALID', '/locks/0');
    refusedTask({ description: 'x'.repeat(10_001) }, 'LIMIT_EXCEEDED', '/description');
    expect(task('t', { run, tags: ['two words', 'ünï', '🚀'] }).policies.tags).toHaveLength(3);
  });
});
