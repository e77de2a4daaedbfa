import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Timer, Timers } from '../../src/managers/scheduling/timers.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const DAY = 86_400_000;

function setUp(): {
  clock: VirtualClock;
  timers: Timers;
  rung: string[];
  set: (name: string, ms: number) => Timer;
} {
  const clock = new VirtualClock({ auto: false });
  const timers = new Timers(clock);
  const rung: string[] = [];
  const set = (name: string, ms: number): Timer =>
    timers.set(ms, () => rung.push(`${name} ${clock.monotonic()}`));
  return { clock, timers, rung, set };
}

describe('Timers', () => {
  it('ring in the order of their times, then of their setting', async () => {
    const { clock, rung, set } = setUp();
    set('b', 20);
    set('a', 10);
    set('c', 20);
    set('now', 0);
    await clock.advance(9);
    expect(rung).toEqual(['now 0']);
    await clock.advance(11);
    expect(rung).toEqual(['now 0', 'a 10', 'b 20', 'c 20']);
  });

  it('can be stopped, also twice, also too late, also by another one', async () => {
    const { clock, timers, rung, set } = setUp();
    const a = set('a', 10);
    const b = set('b', 20);
    const late = set('late', 15);
    timers.set(12, () => timers.stop(late));
    timers.stop(b);
    timers.stop(b);
    timers.stop(undefined);
    await clock.advance(30);
    timers.stop(a);
    expect(rung).toEqual(['a 10']);
    expect([timers.size, clock.pending]).toEqual([0, 0]);
  });

  it('leave nothing with the clock when none is pending', () => {
    const { clock, timers, set } = setUp();
    const all = Array.from({ length: 100 }, (_, i) => set(`t${i}`, 1_000 - i));
    expect(timers.size).toBe(100);
    expect(clock.pending).toBe(1);
    for (const timer of all) timers.stop(timer);
    expect([timers.size, clock.pending]).toEqual([0, 0]);
    set('again', 5);
    timers.clear();
    expect([timers.size, clock.pending]).toEqual([0, 0]);
  });

  it('may be set by others that ring, and those due at once ring in the same moment', async () => {
    const { clock, timers, rung, set } = setUp();
    timers.set(10, () => {
      set('at once', 0);
      set('later', 5);
    });
    await clock.advance(10);
    expect(rung).toEqual(['at once 10']);
    await clock.advance(5);
    expect(rung).toEqual(['at once 10', 'later 15']);
  });

  it('ring although another one throws, also at the same time, and its error is not swallowed', async () => {
    const { clock, timers, rung, set } = setUp();
    const fault = new Error('a callback at fault');
    timers.set(10, () => {
      throw fault;
    });
    set('b', 10);
    set('c', 20);
    await expect(clock.advance(30)).rejects.toBe(fault);
    await clock.advance(30);
    expect(rung).toEqual(['b 10', 'c 20']);
    expect([timers.size, clock.pending]).toEqual([0, 0]);
  });

  it('wait longer than a clock can', async () => {
    const delays: number[] = [];
    const clock = new VirtualClock({ auto: false });
    const spy = Object.assign(Object.create(clock) as VirtualClock, {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (delayMs: number, callback: () => void) => {
        delays.push(delayMs);
        return clock.setTimer(delayMs, callback);
      },
    });
    const timers = new Timers(spy);
    let rungAt = 0;
    timers.set(100 * DAY, () => {
      rungAt = clock.monotonic();
    });
    await clock.advance(100 * DAY - 1);
    expect(rungAt).toBe(0);
    await clock.advance(1);
    expect(rungAt).toBe(100 * DAY);
    expect(delays.length).toBeGreaterThan(4);
    expect(Math.max(...delays)).toBeLessThanOrEqual(2 ** 31 - 1);
  });

  it('never ring early on a clock of fractions', async () => {
    const { clock, timers } = setUp();
    await clock.advance(0.4);
    const rung: number[] = [];
    for (const ms of [0.1, 0.5, 1.25, 3.999]) {
      const due = clock.monotonic() + ms;
      timers.set(ms, () => rung.push(clock.monotonic() - due));
    }
    await clock.advance(10);
    expect(rung).toHaveLength(4);
    for (const late of rung) {
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThanOrEqual(1);
    }
  });

  it('do what a sorted list does, whatever is set and stopped', async () => {
    const step = fc.oneof(
      fc.record({ op: fc.constant('set' as const), n: fc.nat(50) }),
      fc.record({ op: fc.constant('stop' as const), n: fc.nat(50) }),
      fc.record({ op: fc.constant('pass' as const), n: fc.nat(15) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { clock, timers, rung, set } = setUp();
        const made: { name: string; due: number; timer: Timer }[] = [];
        let open: { name: string; due: number }[] = [];
        const wanted: string[] = [];
        for (const [i, { op, n }] of steps.entries()) {
          if (op === 'set') {
            const entry = { name: `${i}`, due: clock.monotonic() + n, timer: set(`${i}`, n) };
            made.push(entry);
            open.push(entry);
          } else if (op === 'stop') {
            const gone = made[n % Math.max(1, made.length)];
            timers.stop(gone?.timer);
            open = open.filter((entry) => entry !== gone);
          } else {
            await clock.advance(n);
            const due = open.filter((entry) => entry.due <= clock.monotonic());
            for (const entry of due.sort((a, b) => a.due - b.due)) wanted.push(`${entry.name} ${entry.due}`);
            open = open.filter((entry) => !due.includes(entry));
          }
        }
        expect(rung).toEqual(wanted);
        expect(timers.size).toBe(open.length);
        expect(clock.pending).toBe(open.length > 0 ? 1 : 0);
      }),
      { numRuns: 150, seed: 3 },
    );
  });
});
