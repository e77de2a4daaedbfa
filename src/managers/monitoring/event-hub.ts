/**
 * Tells everybody who listens what has happened.
 *
 * Owns: listeners and monitors. Who may call it: the run loop publishes; the facade subscribes.
 *
 * H1  Only durable events are published, in the order of `seq` within a run.
 * H2  A listener that throws is reported and does not keep any other from hearing.
 * H3  Nobody waits for a listener, and with no listener publishing costs nothing.
 */
import type { EventEmitter } from 'eventemitter3';
import { EVENT_SCHEMA_VERSIONS, type RunEvent, type RunEventType } from '../../machine/events.ts';
import { checkChoice, invalidOption, reading } from '../../model/checks.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Monitor } from '../../ports/monitor.ts';

/** What can be listened to: every event of a run by its type, and faults of listeners themselves. */
export type EventMap = {
  [Type in RunEventType]: Extract<RunEvent, { readonly type: Type }>;
} & {
  /** A listener or monitor threw. */
  ListenerFailed: ListenerFailed;
};

/** A report about a listener, not an event of a run: it is in no log. */
export interface ListenerFailed {
  readonly type: 'ListenerFailed';
  /** The event that was being told, or `monitor`; `trace` for the function given as `open({ trace })`. */
  readonly during: string;
  readonly thrown: unknown;
}

/** Hears one type of event. */
export type Listener<Type extends keyof EventMap> = (event: EventMap[Type]) => void;

type AnyListener = (event: never) => void;

const EVENT_TYPES: readonly string[] = [...Object.keys(EVENT_SCHEMA_VERSIONS), 'ListenerFailed'];
const MONITOR = 'an object with observe(event)';

export class EventHub {
  readonly #emitter: EventEmitter;
  readonly #wrapped = new Map<string, Map<AnyListener, (event: unknown) => void>>();
  readonly #monitors = new Set<Monitor>();
  readonly #logger: Logger;
  #listening = 0;

  /** @param emitter - given, and not imported here, so that importing the package does not load it */
  constructor(logger: Logger, emitter: EventEmitter) {
    this.#logger = logger;
    this.#emitter = emitter;
  }

  /** Whether anybody hears. */
  get isListening(): boolean {
    return this.#listening > 0;
  }

  /**
   * Adds a listener; the same one twice for one type counts once.
   * @throws OrchestratorError `OPTION_INVALID`
   */
  on<Type extends keyof EventMap>(type: Type, listener: Listener<Type>): void {
    checkChoice(type, 'on', EVENT_TYPES);
    const byListener = this.#wrapped.get(type) ?? new Map<AnyListener, (event: unknown) => void>();
    this.#wrapped.set(type, byListener);
    if (byListener.has(listener)) return;
    const wrapped = this.#isolate(type, listener as (event: unknown) => unknown);
    byListener.set(listener, wrapped);
    this.#emitter.on(type, wrapped);
    this.#listening++;
  }

  /** Takes a listener away; an unknown one is passed over. */
  off<Type extends keyof EventMap>(type: Type, listener: Listener<Type>): void {
    const wrapped = this.#wrapped.get(type)?.get(listener);
    if (wrapped === undefined) return;
    this.#wrapped.get(type)?.delete(listener);
    this.#emitter.off(type, wrapped);
    this.#listening--;
  }

  /**
   * Adds a monitor, which hears every event of every run.
   * @throws OrchestratorError `OPTION_INVALID`
   */
  watch(monitor: Monitor): void {
    const isMonitor = (): boolean => typeof (monitor as Monitor | undefined)?.observe === 'function';
    if (!reading('observe', MONITOR, isMonitor)) throw invalidOption('observe', monitor, MONITOR);
    if (this.#monitors.has(monitor)) return;
    this.#monitors.add(monitor);
    this.#listening++;
  }

  /** Takes a monitor away. */
  unwatch(monitor: Monitor): void {
    if (this.#monitors.delete(monitor)) this.#listening--;
  }

  publish(event: RunEvent): void {
    if (this.#monitors.size > 0) for (const monitor of this.#monitors) this.#tell(monitor, event);
    this.#emitter.emit(event.type, event);
  }

  /** Takes everybody away. */
  clear(): void {
    this.#emitter.removeAllListeners();
    this.#wrapped.clear();
    this.#monitors.clear();
    this.#listening = 0;
  }

  #tell(monitor: Monitor, event: RunEvent): void {
    try {
      const returned: unknown = monitor.observe(Object.freeze(event));
      this.#watchPromise('monitor', returned);
    } catch (thrown) {
      this.report('monitor', thrown);
    }
  }

  /** The emitter calls listeners one after the other, so one that throws would silence those behind it. */
  #isolate(type: string, listener: (event: unknown) => unknown): (event: unknown) => void {
    return (event) => {
      try {
        // The log may keep this very object.
        this.#watchPromise(type, listener(Object.freeze(event)));
      } catch (thrown) {
        this.report(type, thrown);
      }
    };
  }

  /** An async listener that rejects would otherwise end the process as an unhandled rejection. */
  #watchPromise(during: string, returned: unknown): void {
    if (returned instanceof Promise) returned.catch((thrown: unknown) => this.report(during, thrown));
  }

  /** Tells of a function of the host that threw. */
  report(during: string, thrown: unknown): void {
    try {
      this.#logger.error({ during, thrown }, 'a listener failed');
      // A failing listener of this very report must not be reported for ever.
      if (during !== 'ListenerFailed')
        this.#emitter.emit('ListenerFailed', { type: 'ListenerFailed', during, thrown });
    } catch {
      // The logger itself failed: there is nobody left to tell.
    }
  }
}
