/**
 * What a child process says is looked at before it is believed: code that is not trusted can write to the same channel.
 *
 * Owns: nothing. Who may call it: the process link.
 *
 * HE1  Nothing that a process says can throw in the host, whatever it is.
 */

import { isCarriedErrors } from './carried-errors.ts';
import { ENVELOPES_MAX, type EnvelopeBudget } from './error-envelope.ts';
import type { ToHost } from './protocol.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Whether this is what a session of ours can say. */
export function isBatch(value: unknown): value is readonly ToHost[] {
  return Array.isArray(value) && value.every((one: unknown) => isObject(one) && isMessage(one));
}

const LEVELS: ReadonlySet<unknown> = new Set(['debug', 'info', 'warn', 'error']);

function isMessage(message: Fields): boolean {
  switch (message.type) {
    case 'ready':
      return isTexts(message.names);
    case 'unloadable':
    case 'dying':
      return isEnvelope(message.error);
    case 'failed':
      return isNumber(message.id) && isEnvelope(message.error);
    case 'begun':
    case 'heartbeat':
      return isNumber(message.id);
    case 'ended':
    case 'progress':
      return isNumber(message.id) && isCarriedErrors(message.errors);
    case 'log':
      return (
        isNumber(message.id) &&
        LEVELS.has(message.level) &&
        typeof message.message === 'string' &&
        (message.fields === undefined || isObject(message.fields)) &&
        isCarriedErrors(message.errors)
      );
    case 'ask':
      return isNumber(message.id) && isNumber(message.ask) && isObject(message.about) && isAsk(message.about);
    case 'unask':
      return isNumber(message.id) && isNumber(message.ask);
    default:
      return false;
  }
}

function isAsk(about: Fields): boolean {
  switch (about.what) {
    case 'sleep':
      return isNumber(about.durationMs);
    case 'acquire':
      // What is asked for is checked where it is asked for, as for any handler.
      return Array.isArray(about.locks) && isObject(about.options);
    case 'release':
    case 'renew':
    case 'rest':
      return isNumber(about.grant);
    case 'real':
      return typeof about.isOn === 'boolean';
    default:
      return false;
  }
}

/** A ring, or a value that unfolds to far more than it has bytes, would keep the host busy for ever. */
function isEnvelope(value: unknown, budget: EnvelopeBudget = { left: ENVELOPES_MAX }): boolean {
  if (!isObject(value) || --budget.left < 0) return false;
  if (value.kind === 'value') return true;
  const { base, name, message, stack, fields, cause, errors } = value;
  return (
    value.kind === 'error' &&
    [base, name, message].every((text) => typeof text === 'string') &&
    (stack === undefined || typeof stack === 'string') &&
    isObject(fields) &&
    (cause === undefined || isEnvelope(cause, budget)) &&
    (errors === undefined || (Array.isArray(errors) && errors.every((one) => isEnvelope(one, budget))))
  );
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function isNumber(value: unknown): boolean {
  return Number.isFinite(value);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
