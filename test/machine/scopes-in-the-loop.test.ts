/**
 * Child scopes through the real run loop. No method of the facade opens one yet, so this test joins the parts by
 * itself and lets handlers give the command.
 */
import { defineWorkflow, type HandlerContext, task } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { outputsOf } from '../../src/machine/decide-scope.ts';
import { replay } from '../../src/machine/replay.ts';
import { LiveRun } from '../../src/managers/workflows/live-run.ts';
import { compile } from '../../src/model/compile.ts';
import type { CompiledPlan } from '../../src/model/plan.ts';
import { type Composition, compose } from '../../src/orchestrator/compose.ts';
import { checkOptions } from '../../src/orchestrator/options.ts';
import { dumpState } from '../support/dump-state.ts';
import { refusal } from '../support/errors.ts';
import { withChildren } from '../support/plan-spec.ts';

interface Stage {
  readonly parts: Composition;
  /** Opens a child scope of the only run. */
  readonly open: (path: string) => void;
  readonly runToEnd: (plan: CompiledPlan) => Promise<LiveRun>;
}

async function setStage(): Promise<Stage> {
  const options = {
    clock: new VirtualClock(),
    resources: { cpu: 2 },
    agents: { reader: { concurrency: 2 } },
  };
  const parts = await compose(checkOptions(options));
  let run: LiveRun | undefined;
  const open = (path: string): void => {
    if (run !== undefined) parts.loop.submit(run, { type: 'OpenScope', at: 0, path });
  };
  const runToEnd = async (plan: CompiledPlan): Promise<LiveRun> => {
    const live = new LiveRun({
      runId: 'run-1',
      plan,
      bound: parts.scheduler.bind(plan),
      submission: parts.directory.nextSubmission(),
    });
    run = live;
    parts.directory.add(live);
    parts.loop.submit(live, { type: 'StartRun', at: 0, workflowVersion: 1, input: { by: 7 }, priority: 0 });
    await new Promise<void>((resolve) => live.onOver(resolve));
    return live;
  };
  return { parts, open, runToEnd };
}

describe('child scopes in the run loop', () => {
  it('run by the needs of their own tasks, see what they should, and fold to outputs', async () => {
    const { parts, open, runToEnd } = await setStage();
    const seen: string[] = [];
    let working = 0;
    let most = 0;
    const work = async ({ path, idempotencyKey, attempt, clock }: HandlerContext): Promise<string> => {
      seen.push(`${idempotencyKey} ${attempt}`);
      most = Math.max(most, ++working);
      await clock.sleep(10);
      working--;
      if (attempt === 1 && path.startsWith('pages[doc-4]')) throw new Error('now and then');
      return path;
    };
    const fetch = task('fetch', { agentAssigned: 'reader', retry: { delay: 5 }, run: work });
    const parse = task('parse', {
      dependencies: { fetch },
      resourceRequirements: { cpu: 2 },
      run: ({ dependencies, path }) => `${path} of ${dependencies.fetch}`,
    });
    const page = compile(defineWorkflow('page', { tasks: [fetch, parse] }));
    const write = task('write', {
      locks: ['report'],
      run: ({ path, locks }) => `${path} ${locks.names.join()}`,
    });
    const draft = compile(defineWorkflow('draft', { tasks: [write] }));
    const inner = task('review', { run: ({ path }) => open(`${path}#3`) });
    const round = withChildren(
      compile(defineWorkflow('round', { tasks: [inner] })),
      new Map([['review', draft]]),
    );

    const pages = task('pages', {
      run: () => {
        for (const doc of ['doc-17', 'doc-4', 'doc-9']) open(`pages[${doc}]`);
      },
    });
    const deep = task('deep', { dependencies: { pages }, run: () => open('deep') });
    const end = task('end', {
      dependencies: { deep },
      run: ({ dependencies }) => dependencies.deep as unknown,
    });
    const root = compile(defineWorkflow('root', { tasks: [pages, deep, end] }));
    const plan = withChildren(
      root,
      new Map([
        ['pages', page],
        ['deep', round],
      ]),
    );
    const run = await runToEnd(plan);

    const doc = (name: string) => {
      const fetched = `pages[${name}]/fetch`;
      return { fetch: fetched, parse: `pages[${name}]/parse of ${fetched}` };
    };
    const folded = { review: { 3: { write: 'deep/review#3/write report' } } };
    expect(run.state.status).toBe('completed');
    expect(outputsOf(run.state.scopes[0] as (typeof run.state.scopes)[number])).toEqual({
      pages: { 'doc-17': doc('doc-17'), 'doc-4': doc('doc-4'), 'doc-9': doc('doc-9') },
      deep: folded,
      end: folded,
    });
    expect(most, 'the slots of the agent hold over scopes').toBe(2);
    expect(seen.sort()).toEqual([
      ...['run-1/pages[doc-17]/fetch 1', 'run-1/pages[doc-4]/fetch 1'],
      ...['run-1/pages[doc-4]/fetch 2', 'run-1/pages[doc-9]/fetch 1'],
    ]);
    const records = await parts.persistence.readAll('run-1');
    expect(dumpState(replay('run-1', plan, records))).toEqual(dumpState(run.state));
  });

  it('fail their run as root tasks do, and leave nothing behind', async () => {
    const { parts, open, runToEnd } = await setStage();
    const broken = task('broken', {
      run: ({ path }) => {
        if (path === 'pages[b]/broken') throw new Error('bad page');
      },
    });
    const late = task('late', { dependencies: { broken }, resourceRequirements: { cpu: 1 }, run: () => 1 });
    const page = compile(defineWorkflow('page', { tasks: [broken, late] }));
    const pages = task('pages', {
      run: () => {
        open('pages[a]');
        open('pages[b]');
      },
    });
    const run = await runToEnd(
      withChildren(compile(defineWorkflow('root', { tasks: [pages] })), new Map([['pages', page]])),
    );
    expect(run.state).toMatchObject({ status: 'failed', failedPath: 'pages[b]/broken' });
    expect([...run.tickets()]).toEqual([]);
    expect(parts.attempts.running).toBe(0);
    expect(parts.loop.isQuiet).toBe(true);
  });

  it('are refused before their run starts when their needs can never be met', async () => {
    const { parts } = await setStage();
    const greedy = task('greedy', { resourceRequirements: { gpu: 1 }, run: () => 1 });
    const child = compile(defineWorkflow('child', { tasks: [greedy] }));
    const root = compile(defineWorkflow('root', { tasks: [task('a', { run: () => 1 })] }));
    const error = refusal(() => parts.scheduler.bind(withChildren(root, new Map([['a', child]]))));
    expect(error.code).toBe('RESOURCE_UNKNOWN');
  });
});
