import { describe, expect, it } from 'vitest';
import { Evidence } from './evidence.ts';
import type { LedgerLine, Line } from './protocol.ts';

type State = Extract<Line, { readonly type: 'state' }>;

const OUTPUT = { n: 1 };
const ACKNOWLEDGED: readonly Line[] = [
  { type: 'key', run: 'r', key: 'k' },
  { type: 'task', run: 'r', path: 'a', output: OUTPUT },
  { type: 'run', run: 'r', status: 'completed' },
];
const STATE: State = {
  type: 'state',
  run: 'r',
  status: 'completed',
  key: 'k',
  tasks: [{ path: 'a', status: 'completed', output: OUTPUT }],
};
const LEDGER: readonly LedgerLine[] = [
  { what: 'start', process: 1, run: 'r', path: 'a', attempt: 1 },
  { what: 'end', process: 1, run: 'r', path: 'a', attempt: 1, output: OUTPUT },
];
const AGAIN: LedgerLine = { what: 'start', process: 2, run: 'r', path: 'a', attempt: 1 };

function violationsOf(states: readonly State[], ledger: readonly LedgerLine[]): readonly string[] {
  const evidence = new Evidence();
  for (const line of ACKNOWLEDGED) evidence.hear(line, 1);
  evidence.judge(states, ledger);
  return evidence.violations;
}

describe('the evidence of the campaign of deaths', () => {
  it('finds nothing wrong with what is as it was acknowledged', () => {
    expect(violationsOf([STATE], LEDGER)).toEqual([]);
  });

  it.each([
    ['a run that is gone', [], LEDGER, /was acknowledged/],
    [
      'another output',
      [{ ...STATE, tasks: [{ path: 'a', status: 'completed', output: 2 }] }],
      LEDGER,
      /there is/,
    ],
    ['a run that has lost its key', [{ ...STATE, key: undefined }], LEDGER, /was started under k/],
    ['a run that does not end', [{ ...STATE, status: 'in_progress' }], LEDGER, /ends as in_progress/],
    ['a task that begins again', [STATE], [...LEDGER, AGAIN], /begins in process 2/],
    ['a result that no body has returned', [STATE], LEDGER.slice(0, 1), /no body has returned/],
  ] as const)('finds %s', (_what, states, ledger, message) => {
    expect(violationsOf(states as readonly State[], ledger).join('\n')).toMatch(message);
  });
});
