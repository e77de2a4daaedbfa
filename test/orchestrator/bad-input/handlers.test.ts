import {
  defineWorkflow,
  type Handler,
  NonRetryableError,
  Orchestrator,
  task,
} from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import {
  expectRefused,
  lateProxy,
  revokedProxy,
  throwingProxy,
  withThrowingGetter,
} from '../../support/refusals.ts';
import { openVirtual } from '../../support/virtual-orchestrator.ts';

class Job {
  run(): number {
    return 1;
  }
}

const NO_HANDLERS: readonly (readonly [what: string, value: unknown])[] = [
  ['null', null],
  ['a string', 'run'],
  ['an object', {}],
  ['a class instance', new Job()],
  ['a class', Job],
  ['a builtin class', Map],
  ['a generator', function* generate() {}],
  ['an async generator', async function* generate() {}],
  ['a promise', Promise.resolve(() => 1)],
];

/** What was thrown, by a name for the title; with the message that the failure has to have. */
const THROWN: readonly (readonly [what: string, thrown: unknown, message: string])[] = [
  ['null', null, 'null was thrown'],
  ['undefined', undefined, 'undefined was thrown'],
  ['a string', 'plain text', 'plain text'],
  ['a number', 7, '7 was thrown'],
  ['a bigint', 7n, 'a bigint was thrown'],
  ['a symbol', Symbol('s'), 'a symbol was thrown'],
  ['a function', () => 1, 'a function was thrown'],
  ['an object', { reason: 'odd' }, '{"reason":"odd"}'],
  ['a frozen error', Object.freeze(new RangeError('frozen')), 'frozen'],
  ['an error with a getter that throws', errorWithThrowingGetter(), '{}'],
  ['an object without a prototype', Object.create(null), '{}'],
  ['a proxy that throws', throwingProxy(), 'an unreadable object'],
  ['a late proxy', lateProxy(), 'an unreadable object'],
  ['a revoked proxy', revokedProxy(), 'an unreadable object'],
  ['a proxy of a function that throws', throwingProxy(() => 1), 'a function was thrown'],
];

function errorWithThrowingGetter(): Error {
  return Object.defineProperty(new Error('never seen'), 'message', {
    get() {
      throw new TypeError('a getter');
    },
  });
}

function cyclicError(): Error {
  const outer = new Error('outer');
  const inner = new Error('inner', { cause: outer });
  outer.cause = inner;
  return outer;
}

describe('bad handlers', () => {
  it('A11 a task without a handler is refused', () => {
    expectRefused(
      refusal(() => task('t', {})),
      'HANDLER_INVALID',
      'task "t"',
    );
    expectRefused(
      refusal(() => task('t', { run: undefined } as never)),
      'HANDLER_INVALID',
      'task "t"',
    );
  });

  it.each(NO_HANDLERS)('A11 a handler that is %s is refused', async (_what, value) => {
    expectRefused(
      refusal(() => task('t', { run: value as never })),
      'HANDLER_INVALID',
      'task "t"/run',
    );
    if (value !== 'run') {
      const error = await rejection(Orchestrator.open({ handlers: { job: value as Handler } }));
      expectRefused(error, 'HANDLER_INVALID', 'open/handlers/job');
    }
  });

  it('A11 a reference that is none is refused', () => {
    const references: readonly (readonly [unknown, string])[] = [
      ['', 'task "t"/handler'],
      ['x'.repeat(257), 'task "t"/handler'],
      [7, 'task "t"/handler'],
      [null, 'task "t"/handler'],
      [{}, 'task "t"/handler'],
      [{ kind: 'inline', name: 'x' }, 'task "t"/handler'],
      [{ kind: 'registered' }, 'task "t"/handler/name'],
      [{ kind: 'registered', name: '' }, 'task "t"/handler/name'],
    ];
    for (const [handler, at] of references) {
      expectRefused(
        refusal(() => task('t', { handler: handler as never })),
        'HANDLER_INVALID',
        at,
      );
    }
    expectRefused(
      refusal(() => task('t', { handler: { kind: 'registered', name: 'x', vresion: '1' } as never })),
      'OPTION_UNKNOWN',
      'task "t"/handler/vresion',
    );
    expect(refusal(() => task('t', { handler: throwingProxy() as never })).code).toBe('DEFINITION_INVALID');
  });

  it('A11 an unknown registered name is refused before anything starts, with the nearest', async () => {
    const { orchestrator } = await openVirtual({ handlers: { parse: () => 1 } });
    let started = 0;
    const first = task('first', { run: () => ++started });
    const second = task('second', { dependencies: { first }, handler: 'prase' });
    const error = await rejection(orchestrator.scheduleTask(second));
    expectRefused(error, 'HANDLER_UNKNOWN', 'workflow "second" task "second"/handler');
    expect(error.message).toContain('Did you mean "parse"?');
    const long = task('long', { handler: 'y'.repeat(256) });
    expectRefused(
      await rejection(orchestrator.scheduleTask(long)),
      'HANDLER_UNKNOWN',
      'workflow "long" task "long"/handler',
    );
    expect({ started, runs: orchestrator.runs() }).toEqual({ started: 0, runs: [] });
    const good = await orchestrator.scheduleTask(task('good', { handler: 'parse' }));
    await expect(good.result()).resolves.toMatchObject({ outputs: { good: 1 } });
  });

  it('A11 methods, bound, arrow and async functions are handlers', async () => {
    const { orchestrator } = await openVirtual();
    const job = new Job();
    for (const run of [job.run, job.run.bind(job), () => 1, async () => 1, new Proxy(() => 1, {})]) {
      const started = await orchestrator.scheduleTask(task('t', { run }));
      await expect(started.result()).resolves.toMatchObject({ outputs: { t: 1 } });
    }
  });

  it.each(THROWN)('A12 a handler that throws %s fails its attempt only', async (_what, thrown, message) => {
    const { orchestrator } = await openVirtual();
    const fail = (): never => {
      throw thrown;
    };
    const handlers: readonly (() => unknown)[] = [fail, () => Promise.reject(thrown), async () => fail()];
    for (const run of handlers) {
      const good = task('good', { run: () => 'good' });
      const bad = task('bad', { retry: { maxAttempts: 2, delay: 1 }, run });
      const started = await orchestrator.manageWorkflow(
        defineWorkflow('w', { tasks: [bad, good], failurePolicy: 'continue' }),
      );
      const { failures, outputs } = await started.settled();
      expect(failures).toMatchObject([{ path: 'bad', attempt: 2, failure: { message } }]);
      expect(outputs).toEqual({ good: 'good' });
      const error = await rejection(started.result());
      expect(error.code).toBe('RUN_FAILED');
      // Who waits in this process gets the very value that was thrown.
      expect(Object.is(error.cause, thrown)).toBe(true);
      started.release();
    }
  });

  it('A12 causes that run in a circle, or without end, are cut', async () => {
    const { orchestrator } = await openVirtual();
    let deep = new Error('bottom');
    for (let i = 0; i < 10_000; i++) deep = new Error(`level ${i}`, { cause: deep });
    for (const thrown of [cyclicError(), deep]) {
      const started = await orchestrator.scheduleTask(
        task('bad', {
          run: () => {
            throw thrown;
          },
        }),
      );
      const { failures } = await started.settled();
      expect(JSON.stringify(failures).length).toBeLessThan(1_000_000);
      expect(failures[0]?.failure.message).toBe(thrown.message);
    }
  });

  it('A12 what a thenable does wrong fails its attempt only', async () => {
    const { orchestrator } = await openVirtual();
    const then = (call: unknown): object => Object.fromEntries([['then', call]]);
    const odd: readonly (readonly [unknown, string])[] = [
      [
        then(() => {
          throw new Error('then throws');
        }),
        'failed',
      ],
      [withThrowingGetter('then'), 'failed'],
      [
        then((resolve: (value: number) => void, reject: (reason: unknown) => void) => {
          resolve(1);
          reject(new Error('too late'));
          resolve(2);
        }),
        'completed',
      ],
    ];
    for (const [value, status] of odd) {
      const started = await orchestrator.scheduleTask(task('t', { run: () => value }));
      const settled = await started.settled();
      expect(settled.status).toBe(status);
      if (status === 'completed') expect(settled.outputs).toEqual({ t: 1 });
    }
  });

  it('A12 a failure that says that trying again is of no use is not tried again', async () => {
    const { orchestrator } = await openVirtual();
    for (const thrown of [new NonRetryableError('no'), { retryable: false }]) {
      let attempts = 0;
      const started = await orchestrator.scheduleTask(
        task('t', {
          retry: { maxAttempts: 5, delay: 1 },
          run: () => {
            attempts++;
            throw thrown;
          },
        }),
      );
      expect((await started.settled()).status).toBe('failed');
      expect(attempts).toBe(1);
    }
  });
});
