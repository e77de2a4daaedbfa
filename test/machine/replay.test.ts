import { describe, expect, it } from 'vitest';
import { EVENT_SCHEMA_VERSIONS, type RunEvent } from '../../src/machine/events.ts';
import { evolve } from '../../src/machine/evolve.ts';
import { checkInvariants } from '../../src/machine/invariants.ts';
import { resume } from '../../src/machine/react.ts';
import { replay, upcast } from '../../src/machine/replay.ts';
import { initialState, type RunState } from '../../src/machine/state.ts';
import { cancelTask, condition, fail, pauseRun, start, startRun, stop, succeed } from '../support/ask.ts';
import { printState } from '../support/dump-state.ts';
import { given, printInstruction } from '../support/given.ts';
import { plan, t } from '../support/plan-spec.ts';
import { recordsOf } from '../support/world.ts';

const graph = plan([t('a'), t('b', 'a'), { ...t('c'), retry: { maxAttempts: 2, delay: 100 } }]);
const lead = given(graph, startRun, start('a'), succeed('a'), start('b'));

describe('a replay', () => {
  it('of a prefix, and then the tail, is the replay of the whole (I15)', () => {
    const records = recordsOf(lead.log);
    for (let cut = 0; cut <= records.length; cut++) {
      const state = replay('run-1', graph, records.slice(0, cut));
      for (const record of records.slice(cut)) evolve(state, upcast(record));
      expect(printState(state)).toBe(printState(lead.state));
    }
  });

  it('twice gives two states that share nothing that changes (I16)', () => {
    const one = replay('run-1', graph, recordsOf(lead.log));
    const other = replay('run-1', graph, recordsOf(lead.log));
    const before = printState(other);
    evolve(one, { type: 'RunPaused', runId: 'run-1', seq: one.seq + 1, at: 1 });
    evolve(one, {
      type: 'TaskCompleted',
      runId: 'run-1',
      seq: one.seq + 1,
      at: 1,
      path: 'b',
      attempt: 1,
      output: 1,
    });
    expect(printState(other)).toBe(before);
  });

  it.each([
    ['of a type that nobody knows', { type: 'TaskTeleported', schemaVersion: 1 }, /no such event type/],
    [
      'named like a property of every object',
      { type: 'constructor', schemaVersion: 1 },
      /no such event type/,
    ],
    ['of a later version', { type: 'RunPaused', schemaVersion: 2 }, /versions 1 to 1/],
    ['of version 0', { type: 'RunPaused', schemaVersion: 0 }, /versions 1 to 1/],
    ['without a version', { type: 'RunPaused', schemaVersion: Number.NaN }, /versions 1 to 1/],
  ])('refuses an event %s', (_what, head, message) => {
    const record = { ...head, seq: 3, payload: {} };
    const error = expect.objectContaining({ code: 'EVENT_UNKNOWN', message: expect.stringMatching(message) });
    expect(() => replay('run-1', graph, [record])).toThrow(error);
  });

  it('lifts older events through every version in between', () => {
    const versions = EVENT_SCHEMA_VERSIONS as Record<string, number>;
    versions.RunPaused = 3;
    try {
      const append = (mark: string) => (payload: unknown) => ({ ...(payload as object), [mark]: true });
      const upcasters = new Map([
        [
          'RunPaused',
          new Map([
            [1, append('one')],
            [2, append('two')],
          ]),
        ],
      ]);
      const record = { type: 'RunPaused', seq: 3, schemaVersion: 1, payload: { seq: 3 } };
      expect(upcast(record, upcasters)).toEqual({ seq: 3, one: true, two: true });
      expect(upcast({ ...record, schemaVersion: 2 }, upcasters)).toEqual({ seq: 3, two: true });
      expect(upcast({ ...record, schemaVersion: 3 }, upcasters)).toEqual({ seq: 3 });
      expect(() => upcast(record, new Map())).toThrow(expect.objectContaining({ code: 'EVENT_UNKNOWN' }));
    } finally {
      versions.RunPaused = 1;
    }
  });
});

describe('a log that cannot be', () => {
  const head = { runId: 'run-1', at: 9 };
  const next = lead.state.seq + 1;
  const bad: readonly (readonly [string, RunEvent])[] = [
    ['a gap', { type: 'RunPaused', ...head, seq: next + 1 }],
    ['a repetition', { type: 'RunPaused', ...head, seq: next - 1 }],
    ['a second creation', { ...(lead.log[0] as RunEvent), seq: next }],
    ['an unknown task', { type: 'TaskStarted', ...head, seq: next, path: 'x', attempt: 1 }],
    ['an unknown scope', { type: 'TaskStarted', ...head, seq: next, path: 'a/x', attempt: 1 }],
    ['a start before its dependencies', { type: 'TaskStarted', ...head, seq: 3, path: 'b', attempt: 1 }],
    ['an attempt that was left out', { type: 'TaskStarted', ...head, seq: next, path: 'c', attempt: 2 }],
    ['a second end', { type: 'TaskCompleted', ...head, seq: next, path: 'a', attempt: 1, output: 1 }],
    ['an end of the run with open tasks', { type: 'RunCompleted', ...head, seq: next }],
    ['a scope without a plan', { type: 'ScopeOpened', ...head, seq: next, path: 'b' }],
    [
      'the end of a scope that is not open',
      { type: 'ScopeClosed', ...head, seq: next, path: 'b', outputs: {} },
    ],
  ];

  it.each(bad)('is refused by name and leaves the state as it was: %s', (_what, event) => {
    const state = replay('run-1', graph, recordsOf(lead.log.slice(0, event.seq === 3 ? 2 : undefined)));
    const before = printState(state);
    const error = expect.objectContaining({
      code: 'HISTORY_INVALID',
      message: expect.stringContaining(`event ${event.seq} ${event.type}`),
    });
    expect(() => evolve(state, event)).toThrow(error);
    expect(printState(state)).toBe(before);
  });

  it('is refused when it does not begin with the creation', () => {
    const state = initialState('run-1', graph);
    const first: RunEvent = { type: 'TaskStarted', ...head, seq: 1, path: 'a', attempt: 1 };
    expect(() => evolve(state, first)).toThrow(expect.objectContaining({ code: 'HISTORY_INVALID' }));
    expect(state.scopes[0]?.status[0]).toBe(0);
  });

  it('is refused when it goes on after the end of the run', () => {
    const ended = given(plan([]), startRun);
    const event: RunEvent = { type: 'RunPaused', ...head, seq: ended.state.seq + 1 };
    expect(() => evolve(ended.state, event)).toThrow(/the run is completed/);
  });
});

describe('resume', () => {
  const left = (state: RunState): readonly string[] => resume(state).map(printInstruction);

  it('says nothing for a run that has not started or has ended', () => {
    expect(left(initialState('run-1', graph))).toEqual([]);
    expect(left(given(plan([]), startRun).state)).toEqual([]);
  });

  it('gives for each open task what is to be done, in order of position', () => {
    const many = plan([
      ...[t('done'), t('ready'), t('waits', 'ready'), t('runs'), t('stops')],
      { ...t('retries'), retry: { maxAttempts: 2, delay: 100 } },
      ...[{ ...t('asks'), when: true }, { ...t('asked'), when: true }, t('gone')],
    ]);
    const { state } = given(
      many,
      startRun,
      ...[start('done'), succeed('done'), start('runs'), start('stops'), stop('stops', 'heartbeat')],
      ...[
        start('retries'),
        { ...fail('retries'), at: 5_000 },
        condition('asked', true),
        cancelTask('gone'),
        pauseRun,
      ],
    );
    expect(left(state)).toEqual([
      ...['Hold', 'Schedule ready', 'Dispatch runs 1', 'Dispatch stops 1', 'Abort stops heartbeat'],
      ...['RetryAt retries 5100', 'EvaluateCondition asks', 'Schedule asked'],
    ]);
  });

  it('keeps the end of the whole time of a task', () => {
    const limited = plan([{ ...t('a'), totalTimeout: 1_000, retry: { maxAttempts: 2, delay: 100 } }]);
    const { state } = given(limited, startRun, { ...start('a'), at: 5_000 });
    expect(resume(state)).toEqual([expect.objectContaining({ type: 'Dispatch', attempt: 1 })]);
    expect(state.scopes[0]?.details.get(0)?.deadlineAt).toBe(6_000);
    const later = given(limited, startRun, { ...start('a'), at: 5_000 }, fail('a')).state;
    expect(resume(later)).toEqual([expect.objectContaining({ type: 'RetryAt', deadlineAt: 6_000 })]);
  });
});

describe('checkInvariants', () => {
  const fresh = () => given(graph, startRun, start('a'), succeed('a'), start('b')).state;

  it('finds a sound state sound', () => {
    expect(checkInvariants(fresh())).toEqual([]);
    expect(checkInvariants(initialState('run-1', graph))).toEqual([]);
  });

  it.each<readonly [string, (state: RunState) => void]>([
    ['N1', (state) => void Object.assign(state.scopes[0] ?? {}, { open: 7 })],
    ['N1', (state) => void state.scopes[0]?.unmet.fill(3, 2)],
    ['I1', (state) => void state.scopes[0]?.status.fill(0, 0, 1)],
    ['I4', (state) => void state.scopes[0]?.attempts.fill(0)],
    ['I10', (state) => void state.scopes[0]?.status.fill(2)],
    ['I11', (state) => void Object.assign(state, { status: 'completed' })],
  ])('names %s when it is broken', (name, damage) => {
    const state = fresh();
    damage(state);
    expect(checkInvariants(state).join('\n')).toContain(`${name}:`);
  });

  it('finds a run in which nothing can happen any more (I10)', () => {
    const state = given(plan([t('a'), t('b', 'a')]), startRun).state;
    // As if the only task that can start had ended, and nobody had told its dependent.
    const [root] = state.scopes;
    if (root === undefined) throw new Error('a run has a root scope');
    root.status[0] = 3;
    root.attempts[0] = 1;
    root.open = 1;
    expect(checkInvariants(state)).toEqual(expect.arrayContaining([expect.stringContaining('I10:')]));
  });
});
