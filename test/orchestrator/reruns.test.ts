/** Ended runs that are run again, as new runs that keep what was done. */
import { defineWorkflow, MemoryStore, Orchestrator, settled, task } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { rejection } from '../support/errors.ts';
import { logOf, ofType, startsOf } from '../support/run-log.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';

/** A workflow whose task `bad` fails for as long as `isBroken` says so, and what ran of it. */
function mendable() {
  const ran: string[] = [];
  const mood = { isBroken: true };
  const does =
    <Out>(give: (context: { readonly input: unknown; readonly attempt: number }) => Out) =>
    (context: { readonly path: string; readonly input: unknown; readonly attempt: number }): Out => {
      ran.push(context.path);
      return give(context);
    };
  const load = task('load', { run: does(({ input }) => `loaded ${String(input)}`) });
  const bad = task('bad', {
    dependencies: { load },
    run: does(({ input, attempt }) => {
      if (mood.isBroken) throw new Error('broken');
      return `mended ${String(input)} at attempt ${attempt}`;
    }),
  });
  const aside = task('aside', { dependencies: { load }, run: does(() => 'aside') });
  const note = task('note', { dependencies: { bad: settled(bad) }, run: does(() => 'noted') });
  const end = task('end', {
    dependencies: { bad, aside },
    run: ({ path, dependencies }) => {
      ran.push(path);
      return Object.values(dependencies).join(' + ');
    },
  });
  const workflow = defineWorkflow('mendable', {
    failurePolicy: 'continue',
    tasks: [load, bad, aside, note, end],
  });
  return { workflow, ran, mood };
}

describe('run.retry()', () => {
  it('given a failed run, does what failed and was skipped, and keeps the rest', async () => {
    const { workflow, ran, mood } = mendable();
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(workflow, { input: 'tides', key: 'once' });
    expect((await run.settled()).status).toBe('failed');
    const before = await logOf(run);
    mood.isBroken = false;
    ran.length = 0;

    const again = await run.retry();
    expect((await again.result()).outputs).toEqual({
      load: 'loaded tides',
      bad: 'mended tides at attempt 1',
      aside: 'aside',
      note: 'noted',
      end: 'mended tides at attempt 1 + aside',
    });
    expect(ran.sort()).toEqual(['bad', 'end', 'note']);
    // The run that it was made from stands as it stood.
    expect(await logOf(run)).toEqual(before);
    expect(run.status).toBe('failed');
    const [created] = await logOf(again);
    expect(created).toMatchObject({ forkedFrom: { runId: run.runId, seq: before.length, kept: 6 } });
    expect(created).not.toHaveProperty('key');
    expect(startsOf((await logOf(again)).slice(6)).toSorted()).toEqual(['bad', 'end', 'note']);
  });

  it('given another input, keeps what was made with the old one', async () => {
    const { workflow, mood } = mendable();
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(workflow, { input: 'tides' });
    await run.settled();
    mood.isBroken = false;
    const again = await run.retry({ input: 'moon' });
    expect((await again.result()).outputs).toMatchObject({
      load: 'loaded tides',
      bad: 'mended moon at attempt 1',
    });
  });

  it('can be retried itself, and fails as its workflow does', async () => {
    const { workflow, ran, mood } = mendable();
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(workflow, { input: 1 });
    await run.settled();
    const second = await run.retry();
    expect((await second.settled()).failures.map(({ path }) => path)).toEqual(['bad']);
    mood.isBroken = false;
    ran.length = 0;
    const third = await second.retry();
    expect((await third.settled()).status).toBe('completed');
    expect(ran.sort()).toEqual(['bad', 'end', 'note']);
    // A fork of what was retried, from behind any event, comes to the same end.
    for (const { seq } of await logOf(third))
      expect((await (await third.fork({ at: seq })).settled()).outputs).toEqual(
        (await third.settled()).outputs,
      );
  });

  it('given a cancelled run, goes on with it', async () => {
    const { orchestrator } = await openVirtual();
    const gate: Promise<string> = new Promise(() => {});
    let isFirst = true;
    const quick = task('quick', { run: () => 'quick' });
    const slow = task('slow', { dependencies: { quick }, run: () => (isFirst ? gate : 'slow') });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [quick, slow] }));
    await run.cancel('enough');
    expect((await run.settled()).status).toBe('cancelled');
    isFirst = false;
    const again = await run.retry();
    expect((await again.result()).outputs).toEqual({ quick: 'quick', slow: 'slow' });
    expect(ofType(await logOf(again), 'RunCancelRequested')).toEqual([]);
  });

  it('is refused for a run that goes on, or completed; its options are checked', async () => {
    const { orchestrator } = await openVirtual();
    const hang = task('hang', { run: () => new Promise<never>(() => {}) });
    const open = await orchestrator.manageWorkflow(defineWorkflow('open', { tasks: [hang] }));
    expect(await rejection(open.retry())).toMatchObject({
      code: 'TRANSITION_ILLEGAL',
      message: expect.stringContaining('is in_progress, so it cannot be retried; allowed: failed, cancelled'),
    });
    expect((await rejection(open.rerunFrom('hang'))).code).toBe('TRANSITION_ILLEGAL');
    const done = await orchestrator.manageWorkflow(
      defineWorkflow('done', { input: z.number(), tasks: [task('one', { run: () => 1 })] }),
      { input: 1 },
    );
    await done.result();
    expect((await rejection(done.retry())).message).toContain('rerunFrom does a task again');
    expect((await rejection(done.rerunFrom('two'))).code).toBe('TASK_NOT_FOUND');
    expect((await rejection(done.rerunFrom('one[doc-17]/x'))).code).toBe('TASK_NOT_FOUND');
    expect((await rejection(orchestrator.persistence.rerunFrom(done.runId, 'one#1'))).code).toBe(
      'OPTION_INVALID',
    );
    expect((await rejection(done.rerunFrom('one', { input: 'x' as never }))).code).toBe('INPUT_INVALID');
    expect((await rejection(done.rerunFrom('one', { inputs: 1 } as never))).code).toBe('OPTION_UNKNOWN');
    expect((await rejection(done.rerunFrom(7 as never))).code).toBe('TASK_NOT_FOUND');
    expect((await rejection(orchestrator.persistence.retry('nobody'))).code).toBe('RUN_NOT_FOUND');
    expect(orchestrator.runs()).toHaveLength(2);
    await open.cancel();
  });
});

describe('run.rerunFrom(path)', () => {
  it('given a completed run, does that task and what depends on it again, with an edited input', async () => {
    const { workflow, ran, mood } = mendable();
    const { orchestrator } = await openVirtual();
    mood.isBroken = false;
    const run = await orchestrator.manageWorkflow(workflow, { input: 'tides' });
    await run.result();
    ran.length = 0;
    const again = await run.rerunFrom('bad', { input: 'moon' });
    expect((await again.result()).outputs).toMatchObject({
      load: 'loaded tides',
      bad: 'mended moon at attempt 1',
      end: 'mended moon at attempt 1 + aside',
    });
    expect(ran.sort()).toEqual(['bad', 'end', 'note']);
  });

  it('survives a death of the process right after it was made', async () => {
    const { workflow, ran, mood } = mendable();
    const store = new MemoryStore();
    const first = await Orchestrator.open({ store, clock: new VirtualClock(), workflows: [workflow] });
    const run = await first.manageWorkflow(workflow, { input: 'tides' });
    await run.settled();
    mood.isBroken = false;
    ran.length = 0;
    first.pause();
    const { runId } = await run.retry();
    await first.close({ grace: 0 });
    const second = await Orchestrator.open({ store, clock: new VirtualClock(), workflows: [workflow] });
    onTestFinished(() => second.close());
    expect((await second.getRun(runId).result()).outputs).toMatchObject({ bad: 'mended tides at attempt 1' });
    expect(ran.filter((path) => path === 'load')).toEqual([]);
  });
});
