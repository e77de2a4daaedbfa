/** Fresh ids. */
export interface IdSource {
  /** An id for a run that no other run has or had: unique over processes and time. */
  nextRunId(): string;
}
