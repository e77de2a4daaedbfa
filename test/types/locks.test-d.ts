/** What a user's editor infers of locks: those that a handler takes, and functions that run while they hold some. */
import {
  type HandlerContext,
  type LockGrant,
  type NestedLock,
  type Orchestrator,
  task,
} from '@taskmaster-ai/orchestrator';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const isTrue = <const Claim extends true>(): Claim | undefined => undefined;

const print = task('print', {
  locks: ['page', { name: 'index', mode: 'shared' }],
  run: async ({ locks }) => {
    isTrue<Same<HandlerContext['locks'], typeof locks>>();
    const page = await locks.acquire('page');
    isTrue<Same<typeof page, NestedLock>>();
    const both = await locks.acquire(['x', 'y'], {
      mode: 'shared',
      timeout: '5s',
      lease: 1_000,
      heartbeat: '300ms',
    });
    // @ts-expect-error: there is no such mode
    await locks.acquire('z', { mode: 'write' });
    // @ts-expect-error: an unknown option
    await locks.acquire('z', { wait: '5s' });
    // @ts-expect-error: a name is needed
    await locks.acquire();
    // @ts-expect-error: a handler asks in the name of its attempt
    await locks.acquire('z', { owner: 'ann' });
    isTrue<Same<typeof both.names, readonly string[]>>();
    isTrue<Same<typeof both.signal, AbortSignal>>();
    // @ts-expect-error: who holds locks is told by the signal, and cannot abort it
    both.signal.abort();
    // @ts-expect-error: whether they are held is for the orchestrator to say
    both.isHeld = false;
    using held = page;
    isTrue<Same<ReturnType<typeof held.release>, void>>();
    return locks.token('page');
  },
});

export async function functions({ concurrency }: Orchestrator): Promise<void> {
  const grant = await concurrency.acquireLock([{ name: 'page', mode: 'shared' }], {
    owner: 'ann',
    lease: '1m',
  });
  isTrue<Same<typeof grant, LockGrant>>();
  isTrue<Same<typeof grant.signal, AbortSignal>>();
  const text = await concurrency.executeTask(({ token, signal }) => `${token} ${signal.aborted}`, {
    locks: 'page',
  });
  isTrue<Same<typeof text, string>>();
  const length = await concurrency.executeTask(print, async ({ token }) => token, {
    priority: 1,
    timeout: '5s',
  });
  isTrue<Same<typeof length, number>>();
  isTrue<Same<Awaited<ReturnType<typeof counted>>, 1>>();
  // @ts-expect-error: locks are needed
  await concurrency.executeTask(() => 1, { timeout: '5s' });
  // @ts-expect-error: a function is needed
  await concurrency.executeTask(print);
  // @ts-expect-error: the locks of a task have their modes
  await concurrency.executeTask(print, () => 1, { mode: 'shared' });
  // @ts-expect-error: the function gets what it holds, not a handler's context
  await concurrency.executeTask(print, ({ dependencies }) => dependencies);

  function counted() {
    return concurrency.executeTask<1>(print, () => 1);
  }
}
