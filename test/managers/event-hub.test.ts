import { EventEmitter } from 'eventemitter3';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/machine/events.ts';
import { EventHub, type ListenerFailed } from '../../src/managers/monitoring/event-hub.ts';
import type { Logger } from '../../src/ports/logger.ts';
import { refusal } from '../support/errors.ts';
import { nextTurn } from '../support/gate.ts';

const started: RunEvent = { type: 'RunStarted', runId: 'r', seq: 2, at: 0 };
const paused: RunEvent = { type: 'RunPaused', runId: 'r', seq: 3, at: 0 };

function setUp(): { readonly hub: EventHub; readonly lines: unknown[] } {
  const lines: unknown[] = [];
  const nothing = (): void => {};
  const error: Logger['error'] = (fields) => lines.push(fields.during);
  return {
    hub: new EventHub({ debug: nothing, info: nothing, warn: nothing, error }, new EventEmitter()),
    lines,
  };
}

describe('EventHub', () => {
  it('tells listeners of their type and monitors of everything, in order', () => {
    const { hub } = setUp();
    const heard: string[] = [];
    hub.on('RunStarted', (event) => heard.push(`on ${event.seq}`));
    hub.watch({ observe: (event) => heard.push(`monitor ${event.type}`) });
    hub.publish(started);
    hub.publish(paused);
    expect(heard).toEqual(['monitor RunStarted', 'on 2', 'monitor RunPaused']);
  });

  it('knows whether anybody hears', () => {
    const { hub } = setUp();
    const listener = (): void => {};
    const monitor = { observe: listener };
    expect(hub.isListening).toBe(false);
    hub.on('RunStarted', listener);
    hub.on('RunStarted', listener);
    hub.watch(monitor);
    hub.watch(monitor);
    hub.off('RunStarted', listener);
    expect(hub.isListening).toBe(true);
    hub.unwatch(monitor);
    hub.unwatch(monitor);
    hub.off('RunStarted', listener);
    hub.off('RunPaused', listener);
    expect(hub.isListening).toBe(false);
    hub.on('RunPaused', listener);
    hub.clear();
    expect(hub.isListening).toBe(false);
  });

  it('counts the same listener once for each type', () => {
    const { hub } = setUp();
    let count = 0;
    const listener = (): void => {
      count++;
    };
    hub.on('RunStarted', listener);
    hub.on('RunStarted', listener);
    hub.on('RunPaused', listener);
    hub.publish(started);
    expect(count).toBe(1);
    hub.off('RunStarted', listener);
    hub.publish(started);
    hub.publish(paused);
    expect(count).toBe(2);
  });

  it('isolates a listener that throws, a monitor that throws, and promises that reject', async () => {
    const { hub, lines } = setUp();
    const failures: ListenerFailed[] = [];
    let heard = 0;
    hub.on('ListenerFailed', (event) => failures.push(event));
    hub.watch({
      observe: () => {
        throw new Error('monitor');
      },
    });
    hub.watch({ observe: (async () => Promise.reject(new Error('late monitor'))) as () => void });
    hub.on('RunStarted', () => {
      throw undefined;
    });
    hub.on('RunStarted', (async () => Promise.reject(new Error('late'))) as () => void);
    hub.on('RunStarted', () => {
      heard++;
    });
    hub.publish(started);
    await nextTurn();
    expect(heard).toBe(1);
    expect(failures.map(({ during }) => during)).toEqual(['monitor', 'RunStarted', 'monitor', 'RunStarted']);
    expect(lines).toHaveLength(4);
  });

  it('does not go round in circles when whoever hears of failures fails', () => {
    const { hub, lines } = setUp();
    hub.on('ListenerFailed', () => {
      throw new Error('again');
    });
    hub.on('RunStarted', () => {
      throw new Error('first');
    });
    hub.publish(started);
    expect(lines).toEqual(['RunStarted', 'ListenerFailed']);
  });

  it('survives a logger that throws', () => {
    const hub = new EventHub(
      {
        ...setUp(),
        debug: () => {},
        info: () => {},
        warn: () => {},
        error: () => {
          throw new Error('no disk left');
        },
      },
      new EventEmitter(),
    );
    hub.on('RunStarted', () => {
      throw new Error('first');
    });
    expect(() => hub.publish(started)).not.toThrow();
  });

  it('lets a listener leave, and others come, while it hears', () => {
    const { hub } = setUp();
    const heard: string[] = [];
    const once = (): void => {
      heard.push('once');
      hub.off('RunStarted', once);
      hub.on('RunStarted', () => heard.push('new'));
    };
    hub.on('RunStarted', once);
    hub.on('RunStarted', () => heard.push('stays'));
    hub.publish(started);
    hub.publish(started);
    expect(heard.filter((name) => name === 'once')).toHaveLength(1);
    expect(heard.filter((name) => name === 'stays')).toHaveLength(2);
  });

  it('refuses a type that does not exist', () => {
    const { hub } = setUp();
    expect(refusal(() => hub.on('RunStrated' as 'RunStarted', () => {})).code).toBe('OPTION_INVALID');
  });
});
