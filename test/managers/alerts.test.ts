import { type MonitoringOptions, MonitoringService } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

interface Stage {
  readonly clock: VirtualClock;
  readonly service: MonitoringService;
  /** What listeners were told: `fired 30000`. */
  readonly told: string[];
  amiss: boolean | 'throws';
  state(): string | undefined;
}

function stage(rule: object, options: MonitoringOptions = {}): Stage {
  const clock = new VirtualClock({ auto: false });
  const told: string[] = [];
  const made = { clock, told, amiss: false } as Stage & { service: MonitoringService };
  const when = (): boolean => {
    if (made.amiss === 'throws') throw new Error('no such gauge');
    return made.amiss;
  };
  const service = new MonitoringService({ clock, ...options, alerts: [{ name: 'load', when, ...rule }] });
  service.on('AlertFired', ({ at, alert }) => told.push(`fired ${at} ${alert.state}`));
  service.on('AlertCleared', ({ at }) => told.push(`cleared ${at}`));
  made.service = service;
  made.state = () => service.generateAlerts()[0]?.state;
  return made;
}

describe('an alert rule', () => {
  it('AL1 fires after it has been amiss for its whole `for`, by the clock alone', async () => {
    const made = stage({ for: '30s' });
    expect(made.state()).toBe('inactive');
    made.amiss = true;
    made.service.generateAlerts();
    expect(made.state()).toBe('pending');
    await made.clock.advance('29s');
    expect(made.told).toEqual([]);
    await made.clock.advance('1s');
    expect(made.told).toEqual(['fired 30000 firing']);
    expect(made.clock.pending).toBe(0);
  });

  it('AL1 raises one alert for a condition that flickers', async () => {
    const made = stage({ for: '10s', clearAfter: '20s' });
    const tick = async (amiss: boolean): Promise<void> => {
      made.amiss = amiss;
      made.service.generateAlerts();
      await made.clock.advance('5s');
    };
    for (const amiss of [true, false, true, true, true, false, true, false, false, true]) await tick(amiss);
    expect(made.told).toEqual(['fired 20000 firing']);
    for (const amiss of [false, false, false, false, false]) await tick(amiss);
    expect(made.told).toEqual(['fired 20000 firing', 'cleared 70000']);
    expect(made.service.generateAlerts()[0]).toMatchObject({
      state: 'cleared',
      firedAt: 20_000,
      clearedAt: 70_000,
    });
  });

  it('AL1 fires and clears when looking every second would say so, however it flickers', async () => {
    const flicker = fc.array(fc.tuple(fc.nat(12), fc.boolean()), { maxLength: 25 });
    let changes = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(10), fc.nat(10), flicker, async (forS, clearS, steps) => {
        const made = stage({ for: forS * 1_000, clearAfter: clearS * 1_000 }, { every: 1 });
        const expected: string[] = [];
        let amiss = false;
        let now = 0;
        let same = 0; // since when it is amiss, or well, without a break
        let isFiring = false;
        const look = (): void => {
          if (amiss === isFiring || now - same < (amiss ? forS : clearS)) return;
          isFiring = amiss;
          expected.push(amiss ? `fired ${now * 1_000} firing` : `cleared ${now * 1_000}`);
        };
        for (const [wait, next] of [...steps, [30, false] as const]) {
          await made.clock.advance(wait * 1_000);
          for (const end = now + wait; now < end; ) {
            now += 1;
            look();
          }
          if (next !== amiss) same = now;
          amiss = next;
          made.amiss = next;
          made.service.generateAlerts();
          look();
        }
        expect(made.told).toEqual(expected);
        expect(made.service.generateAlerts()[0]?.state).not.toBe(isFiring ? 'inactive' : 'firing');
        changes += expected.length;
      }),
    );
    expect(changes).toBeGreaterThan(50);
  });

  it('AL2 stays where it is while its condition throws, and shows what was thrown', () => {
    const made = stage({});
    made.amiss = true;
    expect(made.state()).toBe('firing');
    made.amiss = 'throws';
    const [alert] = made.service.generateAlerts();
    expect(alert).toMatchObject({ state: 'firing', fault: { message: 'no such gauge' } });
    made.amiss = false;
    expect(made.service.generateAlerts()[0]).toMatchObject({ state: 'cleared', fault: undefined });
    expect(made.told).toEqual(['fired 0 firing', 'cleared 0']);
  });

  it('AL2 shows a condition that answers neither true nor false, and lets no promise go unhandled', async () => {
    const service = new MonitoringService({
      alerts: [
        { name: 'later', when: (async () => Promise.reject(new Error('no'))) as never },
        { name: 'count', when: (() => 1) as never },
      ],
    });
    const [later, count] = service.generateAlerts();
    await new Promise(setImmediate); // an unhandled rejection would fail the run of the tests
    expect(later).toMatchObject({ state: 'inactive', fault: { code: 'OPTION_INVALID' } });
    expect(later?.fault?.message).toBe(
      'alert rule "later"/when: found a promise; allowed: true or false, at once. Look at the metrics that it is given.',
    );
    expect(count?.fault?.message).toContain('found the number 1');
  });

  it('AL3 goes back from pending to what it was', async () => {
    const made = stage({ for: '10s' });
    made.amiss = true;
    expect(made.state()).toBe('pending');
    made.amiss = false;
    await made.clock.advance('4s');
    expect(made.service.generateAlerts()[0]).toMatchObject({ state: 'inactive', since: 4_000 });
    await made.clock.advance('1m');
    expect(made.told).toEqual([]);
  });

  it('looks at most once in `every` because of events, and not at all without any', async () => {
    let looks = 0;
    const clock = new VirtualClock({ auto: false });
    const when = (): boolean => {
      looks++;
      return false;
    };
    const service = new MonitoringService({ clock, every: '1s', alerts: [{ name: 'quiet', when }] });
    for (let i = 0; i < 100; i++) service.logEvent({ type: 'Tick' });
    expect(looks).toBe(1);
    await clock.advance('1s');
    expect(looks).toBe(2);
    await clock.advance('1h');
    expect({ looks, timers: clock.pending }).toEqual({ looks: 2, timers: 0 });
  });

  it('MS4 clears an alert about the window when nothing happens any more, and then has no timer', async () => {
    const clock = new VirtualClock({ auto: false });
    const told: string[] = [];
    const service = new MonitoringService({
      clock,
      window: '1m',
      alerts: [{ name: 'failures', when: ({ rates }) => rates.tasksFailed > 0 }],
    });
    service.on('AlertFired', () => told.push('fired'));
    service.on('AlertCleared', () => told.push('cleared'));
    const failure = { name: 'Error', message: 'no' };
    service.observe({ type: 'TaskFailed', runId: 'r', seq: 3, at: 0, path: 'a', attempt: 1, failure });
    expect(told).toEqual(['fired']);
    await clock.advance('2m');
    expect({ told, timers: clock.pending }).toEqual({ told: ['fired', 'cleared'], timers: 0 });
  });

  it('MS3 isolates listeners, and rules that ask the service', () => {
    const clock = new VirtualClock({ auto: false });
    const service: MonitoringService = new MonitoringService({
      clock,
      alerts: [
        {
          name: 'curious',
          when: () => {
            service.logEvent({ type: 'Asked' });
            return service.generateAlerts().length > 0;
          },
        },
      ],
    });
    const told: string[] = [];
    service.on('AlertFired', () => {
      throw new Error('no');
    });
    const stop = service.on('AlertFired', () => told.push('fired'));
    expect(service.generateAlerts()[0]?.state).toBe('firing');
    expect(told).toEqual(['fired']);
    stop();
  });
});
