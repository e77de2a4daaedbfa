/** The clock for tests: time passes timer by timer, stands still while something real is under way, and goes on after a fault. */
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';

/** The next error that nobody catches; the listeners of the test runner are set aside meanwhile. */
async function uncaught(cause: () => void): Promise<unknown> {
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  try {
    return await new Promise((resolve) => {
      process.once('uncaughtException', resolve);
      cause();
    });
  } finally {
    for (const other of others) process.on('uncaughtException', other);
  }
}

describe('a virtual clock', () => {
  it('rings its timers in the order of their times, and those of one time in the order in which they were set', async () => {
    const clock = new VirtualClock({ startAt: 1_000, auto: false });
    const rung: [string, number][] = [];
    const ring = (name: string) => () => rung.push([name, clock.now()]);
    clock.setTimer(20, ring('late'));
    clock.setTimer(10, ring('first'));
    clock.setTimer(10, ring('second'));
    clock.setTimer(15, ring('stopped'))();
    await clock.advance(19);
    expect(rung).toEqual([
      ['first', 1_010],
      ['second', 1_010],
    ]);
    expect([clock.now(), clock.monotonic(), clock.pending]).toEqual([1_019, 19, 1]);
    await clock.advance('1s');
    expect(rung[2]).toEqual(['late', 1_020]);
  });

  it('lets no time pass by itself while it is held', async () => {
    const clock = new VirtualClock();
    const letGo = clock.hold();
    let isRung = false;
    const rung = new Promise<void>((resolve) => {
      clock.setTimer(5, () => {
        isRung = true;
        resolve();
      });
    });
    await clock.real(new Promise((resolve) => setImmediate(resolve)));
    expect(isRung).toBe(false);
    letGo();
    letGo();
    await rung;
    expect(clock.monotonic()).toBe(5);
  });

  it('goes on after a timer that throws, and the error is one that nobody caught', async () => {
    const clock = new VirtualClock();
    let rung: Promise<void> | undefined;
    const error = await uncaught(() => {
      clock.setTimer(1, () => {
        throw new Error('at one');
      });
      rung = new Promise((resolve) => clock.setTimer(2, resolve));
    });
    expect(error).toMatchObject({ message: 'at one' });
    await rung;
    expect(clock.monotonic()).toBe(2);
  });

  it('tells whoever advances it what a timer threw, and keeps the timers behind it', async () => {
    const clock = new VirtualClock({ auto: false });
    clock.setTimer(1, () => {
      throw new Error('at one');
    });
    const rung: number[] = [];
    clock.setTimer(2, () => rung.push(clock.monotonic()));
    await expect(clock.advance(5)).rejects.toThrow('at one');
    expect([clock.monotonic(), clock.pending]).toEqual([1, 1]);
    await clock.advance(1);
    expect(rung).toEqual([2]);
  });
});
