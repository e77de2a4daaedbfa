/** Where log lines go. pino and console fit. */
export interface Logger {
  /** For whoever looks for a fault. */
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  /** What happened. */
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  /** What may need somebody. */
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  /** What needs somebody. */
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
