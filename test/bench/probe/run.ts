/**
 * The run half of the probe: one run of a plan, with the books that an orchestrator has to keep. A state per task,
 * moved only along a table of transitions; an event object with sequence number and time stamp for every move; ready
 * tasks in a priority heap, first come first served among equals; a counted resource and a concurrency limit, taken
 * together; a context with a signal for every attempt; the result or error of every task kept; retry until the
 * attempts are used up.
 *
 * What makes it fast is allowed to the library too: the clock is read once per batch of transitions, the signal is
 * the run's own, and an event is built only if somebody listens.
 */
import { performance } from 'node:perf_hooks';
import type { Plan, TaskContext } from './plan.ts';
import { ReadyHeap } from './ready-heap.ts';

export type ProbeEventType = 'TaskReady' | 'TaskStarted' | 'TaskRetrying' | 'TaskCompleted' | 'TaskFailed';

export interface ProbeEvent {
  readonly seq: number;
  readonly at: number;
  readonly type: ProbeEventType;
  readonly runId: string;
  readonly taskId: string;
  readonly attempt: number;
}

export type ProbeListener = (event: ProbeEvent) => void;

const CREATED = 0;
const READY = 1;
const IN_PROGRESS = 2;
const RETRYING = 3;
const COMPLETED = 4;
const FAILED = 5;
const STATE_COUNT = 6;

/** `LEGAL[from * STATE_COUNT + to]` is 1 for a transition that may be made. */
const LEGAL = new Uint8Array(STATE_COUNT * STATE_COUNT);
const TRANSITIONS: readonly (readonly [number, number])[] = [
  [CREATED, READY],
  [READY, IN_PROGRESS],
  [IN_PROGRESS, COMPLETED],
  [IN_PROGRESS, RETRYING],
  [IN_PROGRESS, FAILED],
  [RETRYING, IN_PROGRESS],
];
for (const [from, to] of TRANSITIONS) LEGAL[from * STATE_COUNT + to] = 1;

class AttemptContext implements TaskContext {
  readonly taskId: string;
  readonly attempt: number;
  private readonly run: ProbeRun;

  constructor(run: ProbeRun, taskId: string, attempt: number) {
    this.run = run;
    this.taskId = taskId;
    this.attempt = attempt;
  }

  get runId(): string {
    return this.run.runId;
  }

  get signal(): AbortSignal {
    return this.run.signal;
  }
}

export class ProbeRun {
  readonly result: Promise<readonly unknown[]>;
  readonly runId: string;
  private readonly plan: Plan;
  private readonly listeners: readonly ProbeListener[];
  private readonly states: Uint8Array;
  private readonly attempts: Uint8Array;
  private readonly missing: Int32Array;
  private readonly results: unknown[];
  private readonly ready: ReadyHeap;
  private controller: AbortController | undefined;
  private freeCpu = 2 ** 30;
  private running = 0;
  private open: number;
  private seq = 0;
  private now = 0;
  private resolve!: (results: readonly unknown[]) => void;
  private reject!: (reason: unknown) => void;

  constructor(plan: Plan, runId: string, listeners: readonly ProbeListener[]) {
    const size = plan.specs.length;
    this.plan = plan;
    this.runId = runId;
    this.listeners = listeners;
    this.states = new Uint8Array(size);
    this.attempts = new Uint8Array(size);
    this.missing = plan.inDegrees.slice();
    this.results = new Array(size);
    this.ready = new ReadyHeap();
    this.open = size;
    this.result = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** One for the whole run, made when the first task asks: most tasks never look at it. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    return this.controller.signal;
  }

  start(): void {
    this.now = performance.now();
    const { inDegrees } = this.plan;
    for (let task = 0; task < inDegrees.length; task++) if (inDegrees[task] === 0) this.enqueue(task);
    this.admit();
  }

  private enqueue(task: number): void {
    this.move(task, READY, 'TaskReady');
    this.ready.push(this.plan.priorities[task]!, task);
  }

  /** Starts ready tasks, best first, while their needs can be taken together. */
  private admit(): void {
    const { concurrency, cpu } = this.plan;
    while (this.ready.length > 0 && this.running < concurrency) {
      const task = this.ready.peek();
      if (cpu[task]! > this.freeCpu) return;
      this.ready.pop();
      this.running++;
      this.freeCpu -= cpu[task]!;
      void this.attempt(task);
    }
  }

  private async attempt(task: number): Promise<void> {
    const spec = this.plan.specs[task]!;
    const attempt = ++this.attempts[task]!;
    this.move(task, IN_PROGRESS, 'TaskStarted');
    try {
      this.succeed(task, await spec.run(new AttemptContext(this, spec.taskId, attempt)));
    } catch (error) {
      this.fail(task, error);
    }
  }

  private succeed(task: number, value: unknown): void {
    this.giveBack(task);
    this.results[task] = value;
    this.move(task, COMPLETED, 'TaskCompleted');
    const { childStart, children } = this.plan;
    const end = childStart[task + 1]!;
    for (let edge = childStart[task]!; edge < end; edge++) {
      const child = children[edge]!;
      if (--this.missing[child]! === 0) this.enqueue(child);
    }
    this.open--;
    if (this.open === 0) this.resolve(this.results);
    else this.admit();
  }

  private fail(task: number, error: unknown): void {
    this.giveBack(task);
    if (this.attempts[task]! < this.plan.specs[task]!.maxAttempts) {
      this.move(task, RETRYING, 'TaskRetrying');
      this.ready.push(this.plan.priorities[task]!, task);
      this.admit();
      return;
    }
    this.results[task] = error;
    this.move(task, FAILED, 'TaskFailed');
    this.controller?.abort(error);
    this.reject(error);
  }

  private giveBack(task: number): void {
    this.now = performance.now();
    this.running--;
    this.freeCpu += this.plan.cpu[task]!;
  }

  private move(task: number, to: number, type: ProbeEventType): void {
    const from = this.states[task]!;
    if (LEGAL[from * STATE_COUNT + to] === 0)
      throw new Error(`task ${task} may not go from ${from} to ${to}`);
    this.states[task] = to;
    this.seq++;
    if (this.listeners.length === 0) return;
    const { taskId } = this.plan.specs[task]!;
    const event = {
      seq: this.seq,
      at: this.now,
      type,
      runId: this.runId,
      taskId,
      attempt: this.attempts[task]!,
    };
    for (const listener of this.listeners) listener(event);
  }
}
