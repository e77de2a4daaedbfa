/**
 * The log lines of a call in a thread.
 *
 * Owns: how many were said. Who may call it: the context of the call.
 *
 * TG1  A line that cannot be sent as it is comes without what is odd in it.
 * TG2  A call that logs without end does not fill the memory of its host: what it says beyond a limit is dropped, and one
 *      line tells how much.
 */
import { guardValue } from '../../../base/values.ts';
import type { HandlerLog } from '../../../model/handler.ts';
import { errorsIn } from '../carried-errors.ts';
import type { CallMessage, ToHost } from '../protocol.ts';

/** How many lines one attempt may log. */
export const LOG_LINES_MAX = 10_000;

export class ThreadLog {
  readonly #id: number;
  readonly #say: (message: ToHost) => void;
  #lines = 0;
  #isOver = false;

  constructor({ id }: CallMessage, say: (message: ToHost) => void) {
    this.#id = id;
    this.#say = say;
  }

  get methods(): HandlerLog {
    const line =
      (level: keyof HandlerLog) =>
      (message: string, fields?: Readonly<Record<string, unknown>>): void => {
        if (this.#isOver || ++this.#lines > LOG_LINES_MAX) return;
        this.#send(level, String(message), carried(fields));
      };
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }

  /** The call is about to be over: nothing that it says counts any more. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const dropped = this.#lines - LOG_LINES_MAX;
    if (dropped > 0)
      this.#send(
        'warn',
        `${dropped} log lines were dropped: an attempt may log ${LOG_LINES_MAX} in a thread`,
        {
          dropped,
        },
      );
  }

  #send(level: keyof HandlerLog, message: string, fields: Record<string, unknown> | undefined): void {
    this.#say({ type: 'log', id: this.#id, level, message, fields, errors: errorsIn(fields) });
  }
}

/** The fields of a log line as far as they can be sent: an odd one must not cost the line. */
function carried(fields: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> | undefined {
  if (typeof fields !== 'object' || fields === null) return undefined;
  const guarded = guardValue(fields);
  if (guarded.ok) return guarded.value as Record<string, unknown>;
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    const one = guardValue(value);
    Object.defineProperty(kept, key, { value: one.ok ? one.value : `(${one.found})`, enumerable: true });
  }
  return kept;
}
