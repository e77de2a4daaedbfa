import type { Logger } from '../ports/logger.ts';

/** A logger of the host that can neither throw into the loop nor end the process by a rejected promise. */
export function guardLogger(logger: Logger): Logger {
  const guarded =
    (level: keyof Logger) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void => {
      try {
        const answer: unknown = logger[level](fields, message);
        if (answer instanceof Promise) answer.catch(() => {});
      } catch {
        // There is nobody left to tell.
      }
    };
  return { debug: guarded('debug'), info: guarded('info'), warn: guarded('warn'), error: guarded('error') };
}
