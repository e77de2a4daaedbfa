/**
 * Bare promises: what a programmer writes without a library. Every task is `Promise.all(its parents).then(task)`,
 * all of them hung on one gate while defining, and `run` opens the gate. No ids, states, events or priorities; a
 * limit is a first-come-first-served queue of resolvers.
 */
import type { Adapter } from '../adapter.ts';
import type { Graph, TaskBody } from '../workloads.ts';

interface Definition {
  readonly openGate: () => void;
  readonly all: Promise<unknown>;
}

export const barePromises: Adapter<Definition> = {
  name: 'bare',
  startsFrom: 'integers',
  // A promise settles once: a second run needs a second graph of promises.
  reusable: false,
  define,
  async run(definition) {
    definition.openGate();
    await definition.all;
  },
};

function define(graph: Graph): Definition {
  const { size, parentStart, parents } = graph;
  let openGate!: () => void;
  const gate = new Promise<void>((resolve) => {
    openGate = resolve;
  });
  const slots = graph.limit === undefined ? undefined : new Slots(graph.limit);
  const promises: Promise<void>[] = [];
  const leaves: Promise<void>[] = [];
  for (let task = 0; task < size; task++) {
    const first = parentStart[task]!;
    const end = parentStart[task + 1]!;
    const before: Promise<unknown>[] = [];
    for (let edge = first; edge < end; edge++) before.push(promises[parents[edge]!]!);
    const done = afterAll(gate, before).then(
      slots === undefined ? graph.tasks[task] : slots.limited(graph.tasks[task]!),
    );
    promises.push(done);
    if (graph.childStart[task] === graph.childStart[task + 1]) leaves.push(done);
  }
  return { openGate, all: Promise.all(leaves) };
}

function afterAll(gate: Promise<void>, before: Promise<unknown>[]): Promise<unknown> {
  if (before.length === 0) return gate;
  // Promise.all over one promise would only make the chain slower than anybody writes it.
  return before.length === 1 ? before[0]! : Promise.all(before);
}

class Slots {
  private free: number;
  private readonly waiting: (() => void)[] = [];
  private next = 0;

  constructor(most: number) {
    this.free = most;
  }

  limited(task: TaskBody): TaskBody {
    return async () => {
      if (this.free === 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
      else this.free--;
      await task();
      // The slot is handed on, never freed in between, so nobody can slip past the queue.
      const wake = this.waiting[this.next];
      if (wake === undefined) {
        this.free++;
      } else {
        this.next++;
        wake();
      }
    };
  }
}
