/** The faults F12 to F15, each with what has to come of the task that has it. */

export type Isolation = 'thread' | 'process';
export const ISOLATIONS: readonly Isolation[] = ['thread', 'process'];

/** What has to come of the faulty task: it completes with an output, or fails with what these fields say. */
export type Ends = { readonly output: unknown } | { readonly failure: Readonly<Record<string, unknown>> };

export interface Fault {
  readonly id: 'F12' | 'F13' | 'F14' | 'F15';
  /** A shape of `handlers.mjs`. */
  readonly shape: string;
  readonly data?: unknown;
  /** Told in place of the shape when that does not say enough. */
  readonly name?: string;
  readonly only?: Isolation;
  /** Another module than that of the neighbours. */
  readonly module?: 'broken-throws.mjs' | 'broken-exits.mjs' | 'broken-once.mjs';
  readonly memory?: number;
  /** The time limit of the task; it and the grace are all that a spinning handler may take. */
  readonly timeoutMs?: number;
  /** Whether the shape writes the file that it is given when it has begun. */
  readonly tellsBegin?: true;
  /** A limit of the handler in place of that of the task. */
  readonly limitMs?: number;
  /** Done by the host when the handler has begun: it cancels the task, or kills the process. */
  readonly act?: 'cancelTask' | NodeJS.Signals;
  readonly ends: Ends;
}

const code = (code: string): Ends => ({ failure: { code } });
const message = (text: string): Ends => ({ failure: { message: text } });
const output = (value: unknown): Ends => ({ output: value });

const MEMORY_MB = 32;
const TIMEOUT_MS = 100;
const timedOut = { timeoutMs: TIMEOUT_MS, tellsBegin: true, ends: code('TASK_TIMEOUT') } as const;
const outOfMemory = { memory: MEMORY_MB, ends: code('WORKER_OUT_OF_MEMORY') };
const crashed = code('WORKER_CRASHED');
const ofProcess: { readonly only: Isolation; readonly ends: Ends } = { only: 'process', ends: crashed };

const SPINNING = ['spin', 'spinMicrotasks', 'spinRegExp', 'loopOfTenSeconds', 'atomicsWait'] as const;

const F12: readonly Fault[] = [
  { id: 'F12', shape: 'slow', data: 'late', ends: output('late') },
  ...SPINNING.map((shape): Fault => ({ id: 'F12', shape, ...timedOut })),
  ...['neverSettles', 'ignoresAbort', 'heedsAbort', 'returnsOnAbort'].map(
    (shape): Fault => ({ id: 'F12', shape, ...timedOut }),
  ),
  {
    id: 'F12',
    shape: 'spin',
    name: 'spin, limit of the handler',
    limitMs: TIMEOUT_MS,
    ends: code('WORKER_TERMINATED'),
  },
  { id: 'F12', shape: 'spin', name: 'spin, cancelled', act: 'cancelTask', ends: code('TASK_CANCELLED') },
];

const F13: readonly Fault[] = [
  ...['oomSmall', 'oomRows', 'oomText', 'oomViews'].map(
    (shape): Fault => ({ id: 'F13', shape, ...outOfMemory }),
  ),
  // One allocation that is far larger than what is left ends a whole process, whoever asks for it: also the growing of a Map.
  ...['oomMap', 'oomPush', 'oomPresized'].map(
    (shape): Fault => ({ id: 'F13', shape, only: 'process', ...outOfMemory }),
  ),
  // Bytes lie outside of the heap, and no limit counts them.
  { id: 'F13', shape: 'buffers', data: 128, memory: MEMORY_MB, ends: output(128) },
  { id: 'F13', shape: 'oneHugeBuffer', ends: message('Array buffer allocation failed') },
  { id: 'F13', shape: 'oneHugeText', ends: message('Invalid string length') },
  { id: 'F13', shape: 'deepRecursion', ends: { failure: { name: 'RangeError' } } },
];

const EXITS = ['exitZero', 'exitSeven', 'exitLater', 'exitInTimer', 'reallyExit', 'saysAndExits'] as const;
const UNCAUGHT = ['unhandledRejection', 'throwsInTimer', 'removesAndThrows'] as const;
const UNCLONABLE = ['returnsFunction', 'returnsSymbol', 'returnsProxy', 'returnsUrl', 'returnsPort'] as const;

const F14: readonly Fault[] = [
  ...EXITS.map((shape): Fault => ({ id: 'F14', shape, ends: crashed })),
  { id: 'F14', shape: 'exitCode', ends: output('set') },
  { id: 'F14', shape: 'abort', only: 'thread', ends: code('ERR_WORKER_UNSUPPORTED_OPERATION') },
  { id: 'F14', shape: 'abort', ...ofProcess },
  { id: 'F14', shape: 'throwsNull', ends: { failure: { name: 'ThrownValue', thrown: null } } },
  { id: 'F14', shape: 'rejectsUndefined', ends: message('undefined was thrown') },
  { id: 'F14', shape: 'throwsText', ends: { failure: { thrown: 'a text' } } },
  { id: 'F14', shape: 'throwsObject', ends: code('E_PLAIN') },
  { id: 'F14', shape: 'throwsFunction', ends: message('a function was thrown') },
  { id: 'F14', shape: 'throwsOdd', ends: message('odd') },
  { id: 'F14', shape: 'throwsProxy', ends: { failure: { name: 'Error' } } },
  { id: 'F14', shape: 'throwsGetter', ends: { failure: { name: 'Error' } } },
  { id: 'F14', shape: 'throwsInThen', ends: message('no promise after all') },
  ...UNCLONABLE.map((shape): Fault => ({ id: 'F14', shape, ends: code('VALUE_UNSERIALISABLE') })),
  { id: 'F14', shape: 'returnsNothing', ends: output(undefined) },
  { id: 'F14', shape: 'answersTwice', ends: output('first') },
  { id: 'F14', shape: 'talksAfterwards', ends: output('early') },
  // Its error comes when its thread executes a neighbour, which is then the one to blame, or when it executes none.
  ...UNCAUGHT.map((shape): Fault => ({ id: 'F14', shape, ends: crashed })),
  { id: 'F14', shape: 'removesListeners', ends: output('removed') },
  { id: 'F14', shape: 'closesParentPort', ends: output('closed') },
  { id: 'F14', shape: 'startsThread', ends: output('started') },
  { id: 'F14', shape: 'missing', name: 'no such shape', ends: { failure: { name: 'TypeError' } } },
  {
    id: 'F14',
    shape: 'echo',
    name: 'import throws',
    module: 'broken-throws.mjs',
    ends: code('HANDLER_LOAD_FAILED'),
  },
  {
    id: 'F14',
    shape: 'echo',
    name: 'import ends the thread',
    module: 'broken-exits.mjs',
    ends: code('HANDLER_LOAD_FAILED'),
  },
  {
    id: 'F14',
    shape: 'echo',
    name: 'import ends it once',
    module: 'broken-once.mjs',
    ends: output('at the second time'),
  },
];

const SIGNALS: readonly NodeJS.Signals[] = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGKILL', 'SIGTERM'];

const F15: readonly Fault[] = [
  ...SIGNALS.map((signal): Fault => {
    return { id: 'F15', shape: 'tellsPid', name: `${signal} from outside`, act: signal, ...ofProcess };
  }),
  { id: 'F15', shape: 'killItself', data: 'SIGSEGV', name: 'SIGSEGV by itself', ...ofProcess },
  { id: 'F15', shape: 'nativeTrap', ...ofProcess },
  { id: 'F15', shape: 'engineAbort', ...ofProcess },
  { id: 'F15', shape: 'closesDescriptors', ...ofProcess },
  { id: 'F15', shape: 'disconnects', data: [3, 4], ...ofProcess },
  { id: 'F15', shape: 'garbage', data: { fd: 4, bytes: Uint8Array.of(0x7f, 0, 0, 0) }, ...ofProcess },
];

export const FAULTS: readonly Fault[] = [...F12, ...F13, ...F14, ...F15];

/** What a fault is called in the table. */
export function titleOf({ name, shape }: Fault): string {
  return name ?? shape;
}

/** Where a fault is tried. */
export function isolationsOf({ only }: Fault): readonly Isolation[] {
  return only === undefined ? ISOLATIONS : [only];
}
