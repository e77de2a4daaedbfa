/**
 * Asks the host's tracer which trace an attempt belongs to.
 *
 * Owns: what it answered, for as long as the attempt is remembered. Who may call it: the contexts of attempts.
 *
 * TR1  The tracer is asked in the async context of the run, once an attempt, and only when somebody wants to know.
 * TR2  A tracer that throws, or answers what cannot be handed on, is reported; the attempt then has no trace.
 */
import { checkCarrier, NO_TRACE, type TraceCarrier, type TraceSource } from '../../model/trace.ts';

/** What is asked of an attempt. */
interface Traced {
  readonly runId: string;
  readonly path: string;
  readonly attempt: number;
  within<Result>(call: () => Result): Result;
}

/** Told what a tracer threw, or why its answer was refused. */
export type ReportFault = (thrown: unknown) => void;

/** Builds the function that knows the trace of each attempt. */
export function traceOfAttempts(
  source: TraceSource | undefined,
  report: ReportFault,
): (attempt: Traced) => TraceCarrier {
  if (source === undefined) return () => NO_TRACE;
  // Not a field of the attempt: nearly all attempts are never asked.
  const known = new WeakMap<Traced, TraceCarrier>();
  return (attempt) => {
    let carrier = known.get(attempt);
    if (carrier === undefined) {
      carrier = attempt.within(() => ask(source, attempt, report));
      known.set(attempt, carrier);
    }
    return carrier;
  };
}

function ask(source: TraceSource, { runId, path, attempt }: Traced, report: ReportFault): TraceCarrier {
  try {
    return checkCarrier(source({ runId, path, attempt }), 'open/trace()');
  } catch (thrown) {
    report(thrown);
    return NO_TRACE;
  }
}
