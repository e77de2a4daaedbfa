/** What a simulated life leaves behind, as plain data: all that the checker is given. */

/** A record of the log, as the store has it at the end. */
export interface LoggedFact {
  readonly type: string;
  readonly runId: string;
  readonly seq: number;
  readonly path?: string;
  readonly attempt?: number;
}

/** A line that a handler wrote, or a mark that the driver made between them. */
export interface LedgerLine {
  readonly what: 'start' | 'end' | 'crash' | 'ack';
  readonly process: number;
  readonly runId: string;
  readonly path: string;
  readonly attempt: number;
  /** How many records of the run were durable at that moment. */
  readonly durable: number;
}

/** A task as it was planned. */
export interface PlannedTask {
  readonly id: string;
  readonly dependencies: readonly string[];
  readonly lock: string | undefined;
  readonly maxAttempts: number;
}

export interface History {
  readonly logs: ReadonlyMap<string, readonly LoggedFact[]>;
  readonly ledger: readonly LedgerLine[];
  readonly tasks: readonly PlannedTask[];
}

/** The first place that offends an invariant. */
export interface Violation {
  readonly invariant: string;
  readonly at: string;
}
