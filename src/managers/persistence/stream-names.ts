/**
 * The names of the streams of runs.
 *
 * Owns: nothing. Who may call it: whoever reads or writes the log of a run.
 */

/** Streams of runs begin with this. */
export const RUN_STREAM_PREFIX = 'run:';

/** The name of the stream of a run. */
export function streamOf(runId: string): string {
  return RUN_STREAM_PREFIX + runId;
}
