/** What is durable comes first: appends are shared, and nothing of them is seen before they are written. */
import {
  defineWorkflow,
  MemoryStore,
  Orchestrator,
  type RunEvent,
  type StreamAppend,
  task,
} from '@taskmaster-ai/orchestrator';
import { ScriptedStore, VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createGate, nextTurn } from '../support/gate.ts';
import { storedLog, Witness } from '../support/witness.ts';

/** Notes what each append is made of. */
class NotingStore extends MemoryStore {
  readonly batches: string[][] = [];

  override append(batch: readonly StreamAppend[]): void {
    super.append(batch);
    this.batches.push(batch.flatMap(({ events }) => events.map((event) => nameOf(event as RunEvent))));
  }
}

function nameOf(event: RunEvent): string {
  return 'path' in event ? `${event.type} ${event.path}` : event.type;
}

async function open(options: Parameters<typeof Orchestrator.open>[0]): Promise<Orchestrator> {
  const orchestrator = await Orchestrator.open({ clock: new VirtualClock(), ...options });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return orchestrator;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

describe('group commit', () => {
  it('writes the end of one task and the start of the next together', async () => {
    const store = new NotingStore();
    const orchestrator = await open({ store });
    const a = task('a', { run: () => 1 });
    const b = task('b', { dependencies: { a }, run: () => 2 });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [b] }));
    await run.result();
    expect(store.batches).toEqual([
      ['RunCreated', 'RunStarted', 'TaskStarted a'],
      ['TaskCompleted a', 'TaskStarted b'],
      ['TaskCompleted b', 'RunCompleted'],
    ]);
  });

  it('does so on an asynchronous store too', async () => {
    const inner = new NotingStore();
    const orchestrator = await open({ store: new ScriptedStore(inner, { appendDelay: 3 }) });
    const a = task('a', { run: async () => 1 });
    const b = task('b', { dependencies: { a }, run: async () => 2 });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [b] }));
    await run.result();
    expect(inner.batches.slice(1)).toEqual([
      ['TaskCompleted a', 'TaskStarted b'],
      ['TaskCompleted b', 'RunCompleted'],
    ]);
  });

  it('gathers what is decided during an append for the next one', async () => {
    const inner = new MemoryStore();
    const store = new ScriptedStore(inner, { appendDelay: 10 });
    const orchestrator = await open({ store });
    // Two hundred tasks that end in two hundred different turns of the event loop.
    const tasks = Array.from({ length: 200 }, (_, i) => task(`t${i}`, { run: () => turns(i) }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks }));
    await run.result();
    expect(store.appendCount).toBeLessThanOrEqual(25);
    expect(storedLog(inner, run.runId)).toHaveLength(403);
  });

  it('shares appends between runs', async () => {
    const store = new ScriptedStore(new MemoryStore(), { appendDelay: 5 });
    const orchestrator = await open({ store });
    const workflow = defineWorkflow('w', { tasks: [task('a', { run: async () => 1 })] });
    const runs = await Promise.all(Array.from({ length: 100 }, () => orchestrator.manageWorkflow(workflow)));
    await Promise.all(runs.map((run) => run.result()));
    expect(store.appendCount).toBeLessThanOrEqual(4);
  });

  it('has one append under way at most', async () => {
    const store = new ScriptedStore(new MemoryStore(), {
      appendDelay: ({ number }) => {
        expect(store.appendsUnderWay).toBe(1);
        return number % 4;
      },
    });
    const orchestrator = await open({ store });
    const tasks = Array.from({ length: 60 }, (_, i) => task(`t${i}`, { run: () => turns(i % 17) }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks, concurrency: 7 }));
    await run.result();
  });
});

describe('the durable gate', () => {
  it('lets nothing be seen before its append: no body, no listener, no acknowledgement, no status', async () => {
    const inner = new MemoryStore();
    const witness = new Witness(inner);
    // Appends take 10 ms on a clock that only the test moves.
    const disk = new VirtualClock({ auto: false });
    const store = new ScriptedStore(inner, { appendDelay: 10, clock: disk });
    const orchestrator = await open({ store, monitors: [witness.monitor] });
    const gate = createGate();
    const a = task('a', { run: witness.handler(() => gate.promise) });
    const b = task('b', { dependencies: { a }, run: witness.handler(() => 'b', ['a']) });
    const seen: string[] = [];
    const starting = orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [a, b] }));
    void starting.then(() => seen.push('acknowledged'));

    await turns(20);
    expect({ seen, heard: witness.heard, entries: witness.entries }).toEqual({
      seen: [],
      heard: [],
      entries: [],
    });
    await disk.advance(10);
    expect(seen).toEqual(['acknowledged']);
    expect(witness.heard.map(nameOf)).toEqual(['RunCreated', 'RunStarted', 'TaskStarted a']);
    expect(witness.startsOf('a')).toBe(1);

    const run = await starting;
    void run.settled().then(() => seen.push('settled'));
    gate.open();
    await turns(20);
    expect(witness.startsOf('b')).toBe(0);
    expect(witness.heard).toHaveLength(3);
    expect(run.tasks().map((view) => view.status)).toEqual(['in_progress', 'created']);
    await disk.advance(10);
    await turns(20);
    expect(witness.startsOf('b')).toBe(1);
    expect(run.tasks().map((view) => view.status)).toEqual(['completed', 'in_progress']);
    expect(run.status).toBe('in_progress');
    expect(seen).toEqual(['acknowledged']);
    await disk.advance(10);
    expect(run.status).toBe('completed');
    expect(seen).toEqual(['acknowledged', 'settled']);
    witness.judge(run.runId);
  });

  it('acknowledges a cancellation, a pause and a refusal only when they are durable', async () => {
    const disk = new VirtualClock({ auto: false });
    const inner = new MemoryStore();
    const orchestrator = await open({
      store: new ScriptedStore(inner, { appendDelay: 10, clock: disk }),
    });
    const gate = createGate();
    const starting = orchestrator.manageWorkflow(
      defineWorkflow('w', { tasks: [task('a', { run: () => gate.promise })] }),
    );
    await disk.advance(10);
    const run = await starting;
    const answers: string[] = [];
    void run.pause().then((answer) => answers.push(`pause ${answer}`));
    await turns(10);
    expect({ answers, status: run.status }).toEqual({ answers: [], status: 'in_progress' });
    await disk.advance(10);
    expect({ answers, status: run.status }).toEqual({ answers: ['pause true'], status: 'paused' });
    gate.open();
    await turns(10);
    // The end is decided and not durable yet, so nobody may be told that it is too late to cancel.
    void run.cancel().then((answer) => answers.push(`cancel ${answer}`));
    void run.cancelTask('a').then((answer) => answers.push(`cancelTask ${answer}`));
    await turns(10);
    expect({ answers, status: run.status }).toEqual({ answers: ['pause true'], status: 'paused' });
    await disk.advance(10);
    await turns(10);
    expect(answers).toEqual(['pause true', 'cancel false', 'cancelTask false']);
    expect(run.status).toBe('completed');
  });

  it('shows a reader of events nothing before it is durable', async () => {
    const inner = new MemoryStore();
    const store = new ScriptedStore(inner, { appendDelay: 2, readDelay: 1 });
    const orchestrator = await open({ store });
    const tasks = Array.from({ length: 20 }, (_, i) => task(`t${i}`, { run: () => turns(i) }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks, concurrency: 3 }));
    const read: RunEvent[] = [];
    for await (const event of run.events()) {
      expect(storedLog(inner, run.runId).length).toBeGreaterThanOrEqual(event.seq);
      read.push(event);
    }
    expect(read).toEqual(storedLog(inner, run.runId));
  });
});
