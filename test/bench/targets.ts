/**
 * What this package has to reach, and the judgement. A target is a ratio of two peers of one session, never a time:
 * times move by a factor of two with the machine and its other guests.
 */
import type { PeerName } from './adapter.ts';
import type { Samples, Verifications } from './rounds.ts';
import { ratio } from './summary.ts';
import type { WorkloadName } from './workloads.ts';

export interface Verdict {
  /** What was measured: the name of a workload, mostly. */
  readonly workload: string;
  readonly text: string;
  readonly result: 'pass' | 'fail' | 'not judged';
  /** Goals are shown, only targets decide the exit code. */
  readonly kind: 'target' | 'goal';
}

const OURS: PeerName = 'orchestrator';

/** The most times the limit, define and run together. */
const TIMES_LIMIT_MAX: Readonly<Record<WorkloadName, number>> = {
  W1: 14,
  W2: 18,
  W3: 20,
  W3L: 32,
  W4: 7,
  W5: 11,
};

/** The most times the probe, which does the same work with no layers around it. */
const TIMES_PROBE_MAX: Readonly<Record<WorkloadName, number>> = {
  W1: 2,
  W2: 2,
  W3: 2,
  W3L: 1.8,
  W4: 2,
  W5: 2,
};

export function judge(
  workloads: readonly WorkloadName[],
  samples: Samples,
  verifications: Verifications,
): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const workload of workloads) {
    const compare = (against: PeerName, most: number, kind: Verdict['kind']): void => {
      verdicts.push(compareWith(samples, workload, against, most, kind));
    };
    compare('limit', TIMES_LIMIT_MAX[workload], 'target');
    compare('p-graph', 1, 'target');
    compare('probe', TIMES_PROBE_MAX[workload], 'goal');
  }
  if (workloads.includes('W5')) verdicts.push(judgeOrder(verifications));
  return verdicts;
}

function compareWith(
  samples: Samples,
  workload: WorkloadName,
  against: PeerName,
  most: number,
  kind: Verdict['kind'],
): Verdict {
  const found = ratio(samples, workload, OURS, against);
  const allowed = against === 'p-graph' ? 'below 1' : `at most ${most}`;
  if (found === undefined) {
    return {
      workload,
      kind,
      result: 'not judged',
      text: `${OURS} or ${against} was not measured; ${allowed}`,
    };
  }
  const passed = against === 'p-graph' ? found.median < most : found.median <= most;
  const text = `${found.median.toFixed(found.median < 10 ? 2 : 1)} times ${against}, ${allowed}`;
  return { workload, kind, result: passed ? 'pass' : 'fail', text };
}

function judgeOrder(verifications: Verifications): Verdict {
  const proof = verifications.get(OURS)?.get('W5');
  const base = { workload: 'W5', kind: 'target' } as const;
  if (proof === undefined)
    return { ...base, result: 'not judged', text: `${OURS} was not verified; 0 inversions` };
  const text = `${proof.inversions} priority inversions, must be 0; ${proof.mostAtOnce} at once, at most 16`;
  return { ...base, text, result: proof.inversions === 0 && proof.mostAtOnce <= 16 ? 'pass' : 'fail' };
}
