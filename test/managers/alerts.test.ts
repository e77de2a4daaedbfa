import { type MonitoringOptions, MonitoringService } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
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

  it('AL3 goes back from pending to what it was', async () => {
    const made = stage({ for: '10s' });
    made.amiss = true;
    expect(made.state()).toBe('pending');
    made.amiss = false;
    expect(made.state()).toBe('inactive');
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
