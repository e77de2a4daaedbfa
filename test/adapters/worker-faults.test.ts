/** Whatever a handler does in a thread or a child process, its neighbour finishes and the host lives (F12 to F15). */
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/ports/executor.ts';
import {
  codeOf,
  ISOLATIONS,
  type Isolation,
  needsThreads,
  noThreads,
  outputOf,
  thrownOf,
  withBench,
} from '../support/workers.ts';

interface Fault {
  readonly name: string;
  readonly data?: unknown;
  readonly only?: Isolation;
  readonly memoryMb?: number;
  /** What its own outcome has to be: a code, an output in a box, or a check of what was thrown. */
  readonly ends: string | { readonly output: unknown } | ((thrown: unknown) => void);
}

const message =
  (text: string | RegExp) =>
  (thrown: unknown): void => {
    expect(thrown).toBeInstanceOf(Error);
    expect((thrown as Error).message).toMatch(text);
  };

const thrownAs =
  (value: unknown) =>
  (thrown: unknown): void =>
    expect(thrown).toEqual(value);

/** What no session says: only code that cannot be trusted does. */
const IMPOSSIBLE: readonly unknown[] = [
  null,
  7,
  { batch: [] },
  [{ type: 'ended' }],
  'ring',
  'bomb',
  'flood',
  [null],
  [{ type: 'ready', names: 7 }],
  [{ type: 'failed', id: 1, error: null }],
  [{ type: 'failed', id: 1, error: { kind: 'error', base: 'Error', name: 'E', message: 'm', fields: null } }],
  [{ type: 'log', id: 1, level: 'constructor', message: 'm' }],
  [{ type: 'ask', id: 1, ask: 1, about: null }],
  [{ type: 'ask', id: 1, ask: 1, about: { what: 'acquire', names: 7, options: {} } }],
];

/** Bytes that are no message: no value, no version, cut off, empty, of a length beyond all limits. */
const GARBAGE: readonly Uint8Array[] = [
  [0, 0, 0, 60, ...Array.from({ length: 60 }, () => 0xfe)],
  [0, 0, 0, 2, 0xff, 0xee],
  [0, 0, 0, 2, 0xff, 0x0f],
  [0, 0, 0, 0],
  [0xff, 0xff, 0xff, 0xff, 1],
  [0x7f, 0, 0, 0],
].map((bytes) => Uint8Array.from(bytes));

const FAULTS: readonly Fault[] = [
  { name: 'exitZero', ends: 'WORKER_CRASHED' },
  { name: 'exitSeven', ends: 'WORKER_CRASHED' },
  { name: 'exitLater', ends: 'WORKER_CRASHED' },
  { name: 'exitInTimer', ends: 'WORKER_CRASHED' },
  { name: 'exitCode', ends: { output: 'set' } },
  { name: 'reallyExit', ends: 'WORKER_CRASHED' },
  { name: 'saysAndExits', ends: 'WORKER_CRASHED' },
  { name: 'abort', only: 'process', ends: 'WORKER_CRASHED' },
  { name: 'killItself', data: 'SIGSEGV', only: 'process', ends: 'WORKER_CRASHED' },
  { name: 'killItself', data: 'SIGTERM', only: 'process', ends: 'WORKER_CRASHED' },
  ...[[3], [4], [3, 4]].map((data): Fault => {
    return { name: 'disconnects', data, only: 'process', ends: 'WORKER_CRASHED' };
  }),
  { name: 'throwsNull', ends: thrownAs(null) },
  { name: 'rejectsUndefined', ends: thrownAs(undefined) },
  { name: 'throwsText', ends: thrownAs('a text') },
  { name: 'throwsObject', ends: thrownAs({ code: 'E_PLAIN', list: [1] }) },
  { name: 'throwsFunction', ends: message('function') },
  { name: 'throwsOdd', ends: message('odd') },
  { name: 'throwsProxy', ends: message('cannot be read') },
  { name: 'throwsGetter', ends: message('cannot be read') },
  { name: 'returnsFunction', ends: 'VALUE_UNSERIALISABLE' },
  { name: 'returnsSymbol', ends: 'VALUE_UNSERIALISABLE' },
  { name: 'returnsProxy', ends: 'VALUE_UNSERIALISABLE' },
  { name: 'returnsUrl', ends: 'VALUE_UNSERIALISABLE' },
  { name: 'returnsPort', ends: 'VALUE_UNSERIALISABLE' },
  { name: 'returnsNothing', ends: { output: undefined } },
  { name: 'answersTwice', ends: { output: 'first' } },
  { name: 'throwsInThen', ends: message('no promise after all') },
  { name: 'talksAfterwards', ends: { output: 'early' } },
  { name: 'deepRecursion', ends: (thrown) => expect(thrown).toBeInstanceOf(RangeError) },
  { name: 'unhandledRejection', ends: 'WORKER_CRASHED' },
  { name: 'throwsInTimer', ends: 'WORKER_CRASHED' },
  { name: 'removesListeners', ends: { output: 'removed' } },
  { name: 'removesAndThrows', ends: 'WORKER_CRASHED' },
  { name: 'closesParentPort', ends: { output: 'closed' } },
  { name: 'survives', ends: { output: 'alive' } },
  { name: 'posts', only: 'thread', ends: 'WORKER_CRASHED' },
  ...IMPOSSIBLE.map((one): Fault => {
    return { name: 'forges', data: [one], only: 'process', ends: 'WORKER_CRASHED' };
  }),
  // A class of errors by a name that every object has, which is no class.
  ...['toString', '__proto__', 'constructor'].map((base): Fault => {
    const error = { kind: 'error', base, name: 'E', message: 'm', fields: {} };
    return {
      name: 'forges',
      data: [[{ type: 'failed', id: 1, error }]],
      only: 'process',
      ends: message('m'),
    };
  }),
  ...GARBAGE.map((bytes): Fault => {
    return { name: 'garbage', data: { fd: 4, bytes }, only: 'process', ends: 'WORKER_CRASHED' };
  }),
  // Nobody listens there.
  {
    name: 'garbage',
    data: { fd: 3, bytes: new Uint8Array(1_000) },
    only: 'process',
    ends: { output: 'written' },
  },
  { name: 'startsThread', ends: { output: 'started' } },
  { name: 'ecko', ends: message('Did you mean "echo"?') },
  { name: 'oomSmall', memoryMb: 32, ends: 'WORKER_OUT_OF_MEMORY' },
  { name: 'oomRows', memoryMb: 32, ends: 'WORKER_OUT_OF_MEMORY' },
  // One allocation that is far larger than what is left ends a whole process, whoever asks for it.
  { name: 'oomPush', only: 'process', memoryMb: 32, ends: 'WORKER_OUT_OF_MEMORY' },
  { name: 'oomPresized', only: 'process', memoryMb: 32, ends: 'WORKER_OUT_OF_MEMORY' },
];

function check(fault: Fault, outcome: Outcome): void {
  const { ends } = fault;
  if (typeof ends === 'object') expect(outputOf(outcome)).toEqual(ends.output);
  else if (typeof ends === 'string') expect(codeOf(thrownOf(outcome))).toBe(ends);
  else ends(thrownOf(outcome));
}

describe.skipIf(noThreads !== undefined)(needsThreads('faults of handlers'), () => {
  for (const isolation of ISOLATIONS) {
    const faults = FAULTS.filter(({ only }) => only === undefined || only === isolation);
    it.each(faults)(`${isolation}: $name $data`, async (fault) => {
      await withBench({ isolation, memoryMb: fault.memoryMb, idleMs: 100 }, async (bench) => {
        // Given calls that wait behind it in the one thread that there is.
        const own = bench.call(fault.name, fault.data);
        const neighbours = [0, 1, 2].map((i) => bench.call('echo', { neighbour: i }));
        // Then it fails as it has to, they succeed, and so does whoever comes later.
        check(fault, await own.outcome);
        for (const [i, { outcome }] of neighbours.entries())
          expect(outputOf(await outcome)).toEqual({ neighbour: i });
        expect(await bench.output('echo', 'later')).toBe('later');
        expect([own, ...neighbours].map((call) => call.reports())).toEqual([1, 1, 1, 1]);
        expect(bench.stats).toMatchObject({ queued: 0, sent: 0 });
      });
    });
  }
});
