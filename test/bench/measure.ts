/**
 * The clock side of the bench, inside a peer's process. A sample is the mean over at least `minimumMs` of repeated
 * define + run; both parts are timed together and apart. Every repetition proves that each task was run once, and
 * that the peer's subscriber, if it has one, was told of each completion.
 */
import { performance } from 'node:perf_hooks';
import type { Adapter } from './adapter.ts';
import { type Graph, type TaskBody, type Workload, workloadGraph } from './workloads.ts';

export interface Sample {
  readonly repetitions: number;
  /** Microseconds per task. */
  readonly total: number;
  readonly define: number;
  readonly run: number;
  /** Letting go of the results, for peers that keep any; not part of the total. */
  readonly release: number;
}

export interface Subject {
  readonly adapter: Adapter;
  readonly graph: Graph;
  readonly copies: number;
  readonly ran: () => number;
}

interface Lap {
  readonly defineMs: number;
  readonly runMs: number;
  readonly releaseMs: number;
}

/** The task of all timed runs: `async () => { n++ }`. */
export function countingTask(): { readonly task: TaskBody; readonly count: () => number } {
  let n = 0;
  return {
    task: async () => {
      n++;
    },
    count: () => n,
  };
}

export async function openSubject(adapter: Adapter, workload: Workload): Promise<Subject> {
  const counter = countingTask();
  const graph = workloadGraph(workload, counter.task);
  await adapter.open?.(graph);
  return { adapter, graph, copies: workload.copies, ran: counter.count };
}

/** At least one repetition, also when nothing is asked for. */
export async function takeSample(subject: Subject, minimumMs: number): Promise<Sample> {
  let repetitions = 0;
  let defineMs = 0;
  let runMs = 0;
  let releaseMs = 0;
  do {
    const lap = await takeLap(subject);
    repetitions++;
    defineMs += lap.defineMs;
    runMs += lap.runMs;
    releaseMs += lap.releaseMs;
  } while (defineMs + runMs < minimumMs);
  const tasks = repetitions * subject.copies * subject.graph.size;
  const perTask = (ms: number): number => (ms * 1_000) / tasks;
  return {
    repetitions,
    total: perTask(defineMs + runMs),
    define: perTask(defineMs),
    run: perTask(runMs),
    release: perTask(releaseMs),
  };
}

/** One define + run. The results are let go of after it, so that no repetition pays for those before it. */
async function takeLap(subject: Subject): Promise<Lap> {
  const { adapter, graph, copies } = subject;
  const ranBefore = subject.ran();
  const seenBefore = adapter.completionsSeen?.() ?? 0;
  const startedAt = performance.now();
  const definitions = defineCopies(adapter, graph, copies);
  const definedAt = performance.now();
  await runCopies(adapter, definitions, copies);
  const ranAt = performance.now();
  assertAllWork(subject, ranBefore, seenBefore);
  const checkedAt = performance.now();
  await adapter.release?.();
  const releasedAt = performance.now();
  return { defineMs: definedAt - startedAt, runMs: ranAt - definedAt, releaseMs: releasedAt - checkedAt };
}

/** A definition that can be run many times is made once, as its users would. */
function defineCopies(adapter: Adapter, graph: Graph, copies: number): unknown[] {
  const count = adapter.reusable ? 1 : copies;
  const definitions: unknown[] = [];
  for (let copy = 0; copy < count; copy++) definitions.push(adapter.define(graph));
  return definitions;
}

export async function runCopies(
  adapter: Adapter,
  definitions: readonly unknown[],
  copies: number,
): Promise<void> {
  if (copies === 1) return adapter.run(definitions[0]);
  const runs: Promise<void>[] = [];
  for (let copy = 0; copy < copies; copy++) runs.push(adapter.run(definitions[copy] ?? definitions[0]));
  await Promise.all(runs);
}

function assertAllWork(subject: Subject, ranBefore: number, seenBefore: number): void {
  const expected = subject.copies * subject.graph.size;
  const ran = subject.ran() - ranBefore;
  if (ran !== expected) throw new Error(`${subject.adapter.name} ran ${ran} of ${expected} tasks`);
  if (subject.adapter.completionsSeen === undefined) return;
  const seen = subject.adapter.completionsSeen() - seenBefore;
  if (seen !== expected)
    throw new Error(`${subject.adapter.name} told of ${seen} completions of ${expected}`);
}
