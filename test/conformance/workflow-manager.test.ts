/** WorkflowManager, Workflow and Task of the public surface: each method by its effect on a real run, and by one refusal. */
import { defineWorkflow, ERROR_CODES, task } from '@taskmaster-ai/orchestrator';
import { WorkflowManager } from '@taskmaster-ai/orchestrator/managers';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { lateProxy, throwingProxy, withThrowingGetter } from '../support/refusals.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';

const echo = (id: string, options: object = {}) => task(id, { run: () => id, ...options });
const nap = (id: string) => task(id, { run: ({ clock }) => clock.sleep('1h') });

/** A manager that has one workflow `report` with the tasks `search` and `write`. */
function withReport(): WorkflowManager {
  const workflows = new WorkflowManager();
  workflows.createWorkflow('report', [echo('search'), echo('write', { dependencies: ['search'] })]);
  return workflows;
}

describe('WorkflowManager, alone', () => {
  it('createWorkflow registers version 1', () => {
    const workflows = withReport();
    expect(workflows.getWorkflow('report')).toMatchObject({ workflowId: 'report', version: 1 });
    expect(workflows.names()).toEqual(['report']);
  });

  it('createWorkflow takes what defineWorkflow has made, with its input, and plain data', () => {
    const workflows = new WorkflowManager();
    const input = {
      '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value }) },
    } as const;
    const defined = defineWorkflow('report', { input, tasks: [echo('search')] });
    expect(workflows.createWorkflow(defined)).toMatchObject({ workflowId: 'report', version: 1 });
    expect(
      workflows.createWorkflow({ name: 'nightly', tasks: [{ taskId: 'load', handler: 'load' }] }).version,
    ).toBe(1);
    expect(workflows.names()).toEqual(['report', 'nightly']);
    expect(refusal(() => workflows.createWorkflow(defined)).code).toBe('WORKFLOW_EXISTS');
    for (const odd of [undefined, null, 5, {}, [], { name: 'w' }])
      expect(refusal(() => workflows.createWorkflow(odd as never)).code).toMatch(/^(ID|DEFINITION)_INVALID$/);
  });

  it('has one version for each content, however often runs of them are started in turn', async () => {
    const { orchestrator } = await openVirtual();
    const version = (data: number) => defineWorkflow('w', { tasks: [echo('a', { inputData: data })] });
    const versions: number[] = [];
    for (let i = 0; i < 6; i++)
      versions.push((await orchestrator.manageWorkflow(version(i % 2))).workflowVersion);
    expect(versions).toEqual([1, 2, 1, 2, 1, 2]);
    // Whoever says that it is a version gets one.
    expect(orchestrator.workflows.updateWorkflow('w', version(0)).version).toBe(3);
    expect((await orchestrator.manageWorkflow(version(0))).workflowVersion).toBe(3);
    expect((await orchestrator.manageWorkflow(version(1))).workflowVersion).toBe(2);
  });

  it('createWorkflow refuses a name that exists', () => {
    const workflows = withReport();
    expect(refusal(() => workflows.createWorkflow('report', [])).code).toBe('WORKFLOW_EXISTS');
    expect(workflows.versions('report')).toHaveLength(1);
  });

  it('createWorkflow, when it refuses a definition, registers no part of it and leaves its tasks drafts', () => {
    const workflows = new WorkflowManager();
    const first = echo('a');
    const circle = [first, echo('b', { dependencies: ['c'] }), echo('c', { dependencies: ['b'] })];

    expect(refusal(() => workflows.createWorkflow('w', circle)).code).toBe('DEPENDENCY_CYCLE');

    expect(workflows.names()).toEqual([]);
    first.updatePriority(3);
    expect(first.priority).toBe(3);
  });

  it('getWorkflow gives the newest version, or the one that is asked for', () => {
    const workflows = withReport();
    workflows.updateWorkflow('report', [echo('search')]);
    expect(workflows.getWorkflow('report').version).toBe(2);
    expect(workflows.getWorkflow('report', 1).workflow.tasks).toHaveLength(2);
  });

  it('getWorkflow refuses an unknown name and an unknown version', () => {
    const workflows = withReport();
    for (const version of [0, 2, -1, 1.5, Number.NaN, '1' as never])
      expect(refusal(() => workflows.getWorkflow('report', version)).code).toBe('WORKFLOW_NOT_FOUND');
    for (const name of ['rapport', '__proto__', 5 as never, null as never])
      expect(refusal(() => workflows.getWorkflow(name)).code).toBe('WORKFLOW_NOT_FOUND');
  });

  it('updateWorkflow appends a version, gives the newest when nothing changed, and leaves the old one as it was', () => {
    const workflows = withReport();
    const second = workflows.updateWorkflow('report', (draft) => draft.addTask(echo('publish')));
    const third = workflows.updateWorkflow('report', [echo('search')]);
    const same = workflows.updateWorkflow('report', (draft) => draft.updateStatus('draft'));

    expect([second.version, third.version, same.version]).toEqual([2, 3, 3]);
    const tasksOf = (version: number) =>
      workflows.getWorkflow('report', version).workflow.tasks.map(({ taskId }) => taskId);
    expect([1, 2, 3].map(tasksOf)).toEqual([['search', 'write'], ['search', 'write', 'publish'], ['search']]);
  });

  it('updateWorkflow refuses another id, an edit that goes on later, and an unknown name', () => {
    const workflows = withReport();
    const update = (change: unknown) => refusal(() => workflows.updateWorkflow('report', change as never));

    expect(update(defineWorkflow('other', { tasks: [] })).code).toBe('OPTION_INVALID');
    expect(update(async () => {}).code).toBe('OPTION_INVALID');
    expect(refusal(() => workflows.updateWorkflow('rapport', [])).message).toContain(
      'Did you mean "report"?',
    );
    expect(workflows.versions('report')).toHaveLength(1);
  });

  it('versionWorkflow appends also when nothing changed', () => {
    const workflows = withReport();
    expect(workflows.versionWorkflow('report')).toMatchObject({ version: 2, rollbackOf: undefined });
    expect(workflows.diff('report', 1, 2).isSame).toBe(true);
    expect(workflows.versionWorkflow('report', [echo('search')]).version).toBe(3);
    expect(workflows.diff('report', 2, 3).removed).toEqual(['write']);
  });

  it('versionWorkflow refuses an unknown name', () => {
    expect(refusal(() => withReport().versionWorkflow('rapport')).code).toBe('WORKFLOW_NOT_FOUND');
  });

  it('rollbackWorkflow appends the content of an old version', () => {
    const workflows = withReport();
    workflows.updateWorkflow('report', [echo('search')]);
    expect(workflows.rollbackWorkflow('report', 1)).toMatchObject({ version: 3, rollbackOf: 1 });
    expect(workflows.diff('report', 1, 3).isSame).toBe(true);
    expect(workflows.diff('report', 2, 3)).toMatchObject({ added: ['write'], removed: [] });
  });

  it('rollbackWorkflow refuses a version that there is not', () => {
    const workflows = withReport();
    expect(refusal(() => workflows.rollbackWorkflow('report', 9)).code).toBe('WORKFLOW_NOT_FOUND');
    expect(workflows.versions('report')).toHaveLength(1);
  });

  it('deleteWorkflow forgets it, and its numbers are not used again', () => {
    const workflows = withReport();
    workflows.deleteWorkflow('report');

    expect(refusal(() => workflows.getWorkflow('report')).code).toBe('WORKFLOW_NOT_FOUND');
    expect(refusal(() => workflows.deleteWorkflow('report')).code).toBe('WORKFLOW_NOT_FOUND');
    expect(workflows.createWorkflow('report', [echo('search')]).version).toBe(2);
    expect(workflows.updateWorkflow('report', []).version).toBe(3);
    expect(workflows.has('report', 1)).toBe(false);
  });

  it('validateWorkflow names every fault at once that registering would refuse, and registers nothing', () => {
    const workflows = new WorkflowManager();
    const { isValid, findings } = workflows.validateWorkflow({
      name: 'report',
      failurePolicy: 'give-up',
      tasks: [
        { taskId: 'a', handler: 'h', priority: 'high', retry: { delay: -1 } },
        { taskId: 'a/b', handler: 'h' },
        { taskId: 'b', handler: 'h', dependencies: ['b', 'aa', 'c'] },
        { taskId: 'c', handler: 'h', dependencies: ['b'] },
        { taskId: 'c', handler: 'h' },
        7,
      ],
    });

    expect(isValid).toBe(false);
    expect(findings.map(({ code, at }) => [code, at])).toEqual([
      ['OPTION_INVALID', 'workflow "report"/tasks/0/priority'],
      ['OPTION_INVALID', 'workflow "report"/tasks/0/retry/delay'],
      ['ID_INVALID', 'workflow "report"/tasks/1/taskId'],
      ['DEFINITION_INVALID', 'workflow "report"/tasks/5'],
      ['OPTION_INVALID', 'workflow "report"/failurePolicy'],
      ['ID_DUPLICATE', 'workflow "report"/tasks/3'],
      ['DEPENDENCY_SELF', 'workflow "report" task "b"/dependencies'],
      ['DEPENDENCY_UNKNOWN', 'workflow "report" task "b"/dependencies'],
      ['DEPENDENCY_CYCLE', 'workflow "report"'],
    ]);
    for (const junk of [
      undefined,
      null,
      5,
      'x',
      [],
      () => {},
      { tasks: [] },
      { name: 'w' },
      new Proxy({}, {}),
    ])
      expect(workflows.validateWorkflow(junk).isValid, String(junk)).toBe(false);
    expect(workflows.names()).toEqual([]);
  });
});

describe('hostile and wrong input', () => {
  it('is refused with a code, never with an error of the engine', async () => {
    const workflows = withReport();
    const draft = defineWorkflow('w', { tasks: [echo('a')] });
    const junk = [
      null,
      5,
      'x',
      [5],
      () => 5,
      throwingProxy(),
      throwingProxy([]),
      lateProxy(),
      withThrowingGetter('taskId'),
    ];
    for (const value of junk as never[]) {
      for (const call of [
        () => new WorkflowManager(value),
        () => workflows.createWorkflow(value, [throwingProxy() as never]),
        () => workflows.createWorkflow('new', value),
        () => draft.addTask(value),
        () => draft.removeTask(value),
        () => draft.updateStatus(value),
        () => draft.tasks[0]?.addDependency(value),
        () => draft.tasks[0]?.removeDependency(value),
      ]) {
        // Texts and numbers are ids.
        if (['string', 'number'].includes(typeof value) && String(call).includes('addDependency')) continue;
        expect(Object.keys(ERROR_CODES), String(call)).toContain(refusal(call).code);
      }
      if (typeof value !== 'function')
        expect(Object.keys(ERROR_CODES)).toContain(
          refusal(() => workflows.updateWorkflow('report', value)).code,
        );
      expect(Object.keys(ERROR_CODES)).toContain((await rejection(draft.graph({ since: value }))).code);
    }
    expect([workflows.names(), draft.tasks.length]).toEqual([['report'], 1]);
  });
});

describe('WorkflowManager of an orchestrator', () => {
  it('validateWorkflow finds nothing wrong with what runs, and leaves it a draft', async () => {
    const { orchestrator } = await openVirtual();
    const draft = defineWorkflow('w', { tasks: [echo('a')] });
    expect(orchestrator.workflows.validateWorkflow(draft)).toEqual({ isValid: true, findings: [] });
    draft.addTask(echo('b'));
    expect((await (await orchestrator.manageWorkflow(draft)).result()).outputs).toEqual({ a: 'a', b: 'b' });
  });

  it('updateWorkflow leaves runs the version that they were started with: several are live at once', async () => {
    const { orchestrator } = await openVirtual();
    const { workflows } = orchestrator;
    const first = workflows.createWorkflow('report', [nap('wait'), echo('old', { dependencies: ['wait'] })]);
    const early = await orchestrator.manageWorkflow(first.workflow);

    const second = workflows.updateWorkflow('report', (draft) => {
      draft.removeTask('old');
      draft.addTask(echo('new', { dependencies: ['wait'] }));
    });
    const late = await orchestrator.manageWorkflow(second.workflow);
    const again = await orchestrator.manageWorkflow(first.workflow);

    expect([early, late, again].map((run) => run.workflowVersion)).toEqual([1, 2, 1]);
    const keys = async (run: typeof early) => Object.keys((await run.result()).outputs);
    expect(await Promise.all([early, late, again].map(keys))).toEqual([
      ['wait', 'old'],
      ['wait', 'new'],
      ['wait', 'old'],
    ]);
  });

  it('rollbackWorkflow makes a version that runs as the old one did, under its new number', async () => {
    const { orchestrator } = await openVirtual();
    const { workflows } = orchestrator;
    workflows.createWorkflow('report', [echo('a')]);
    workflows.updateWorkflow('report', [echo('b')]);

    const run = await orchestrator.manageWorkflow(workflows.rollbackWorkflow('report', 1).workflow);

    expect(run.workflowVersion).toBe(3);
    expect((await run.result()).outputs).toEqual({ a: 'a' });
  });

  it('manageWorkflow registers what is new or changed, and nothing twice', async () => {
    const { orchestrator } = await openVirtual();
    const start = async (...ids: string[]) => {
      const workflow = defineWorkflow('w', { tasks: ids.map((id) => echo(id)) });
      return (await orchestrator.manageWorkflow(workflow)).workflowVersion;
    };
    expect([await start('a'), await start('a'), await start('a', 'b'), await start('a', 'b')]).toEqual([
      1, 1, 2, 2,
    ]);
    expect(orchestrator.workflows.diff('w', 1, 2).added).toEqual(['b']);
  });

  it('createWorkflow refuses what could never run here, and validateWorkflow says so', async () => {
    const { orchestrator } = await openVirtual({ resources: { cpu: 1 } });
    const { workflows } = orchestrator;
    const big = echo('big', { resourceRequirements: { cpu: 2 } });
    const lost = task('lost', { handler: 'nobody' });

    expect(refusal(() => workflows.createWorkflow('w', [big])).code).toBe('RESOURCE_UNSCHEDULABLE');
    expect(refusal(() => workflows.createWorkflow('w', [lost])).code).toBe('HANDLER_UNKNOWN');
    const { findings } = workflows.validateWorkflow(defineWorkflow('w', { tasks: [lost] }));
    expect(findings.map(({ code }) => code)).toEqual(['HANDLER_UNKNOWN']);
    expect(workflows.names()).toEqual([]);
  });

  it('deleteWorkflow refuses while a run of any version has not ended', async () => {
    const { orchestrator } = await openVirtual();
    const { workflows } = orchestrator;
    const run = await orchestrator.manageWorkflow(workflows.createWorkflow('w', [nap('a')]).workflow);
    workflows.updateWorkflow('w', [echo('b')]);

    const error = refusal(() => workflows.deleteWorkflow('w'));
    expect(error).toMatchObject({ code: 'WORKFLOW_IN_USE', details: { runIds: [run.runId] } });

    await run.settled();
    workflows.deleteWorkflow('w');
    expect(workflows.names()).toEqual([]);
  });
});

describe('Workflow', () => {
  it('addTask of a draft decides what a run executes', async () => {
    const { orchestrator } = await openVirtual();
    const draft = defineWorkflow('w', { tasks: [echo('a')] });
    draft.addTask(echo('b', { dependencies: ['a'] }));
    expect((await (await orchestrator.manageWorkflow(draft)).result()).outputs).toEqual({ a: 'a', b: 'b' });
  });

  it('addTask refuses a second task of an id', () => {
    const draft = defineWorkflow('w', { tasks: [echo('first')] });
    expect(refusal(() => draft.addTask(echo('first'))).code).toBe('ID_DUPLICATE');
    expect(refusal(() => draft.addTask(5 as never)).code).toBe('DEFINITION_INVALID');
    expect(draft.tasks).toHaveLength(1);
  });

  it('removeTask of a draft decides what a run executes', async () => {
    const { orchestrator } = await openVirtual();
    const draft = defineWorkflow('w', { tasks: [echo('a'), echo('b')] });
    draft.removeTask('b');
    expect((await (await orchestrator.manageWorkflow(draft)).result()).outputs).toEqual({ a: 'a' });
  });

  it('removeTask refuses an unknown task and one that is needed', () => {
    const draft = defineWorkflow('w', { tasks: [echo('first'), echo('b', { dependencies: ['first'] })] });
    expect(refusal(() => draft.removeTask('frist')).message).toContain('Did you mean "first"?');
    expect(refusal(() => draft.removeTask('first')).code).toBe('DEPENDENCY_UNKNOWN');
    expect(draft.tasks.map(({ taskId }) => taskId)).toEqual(['first', 'b']);
  });

  it('incrementVersion makes a new version of what compares as equal', async () => {
    const { orchestrator } = await openVirtual();
    const define = (answer: number) => defineWorkflow('w', { tasks: [task('a', { run: () => answer })] });
    const changed = define(2);
    expect(changed.incrementVersion()).toBe(1);

    const first = await orchestrator.manageWorkflow(define(1));
    const second = await orchestrator.manageWorkflow(changed);

    expect([first.workflowVersion, second.workflowVersion]).toEqual([1, 2]);
    expect(orchestrator.workflows.diff('w', 1, 2).fields).toEqual([{ field: 'revision', from: 0, to: 1 }]);
  });

  it('incrementVersion refuses above its limit, and once registered', () => {
    const { workflow } = withReport().getWorkflow('report');
    expect(refusal(() => workflow.incrementVersion()).code).toBe('DEFINITION_SEALED');
    const highest = defineWorkflow('w', { tasks: [], revision: 1_000_000 });
    expect(refusal(() => highest.incrementVersion()).code).toBe('LIMIT_EXCEEDED');
  });

  it('updateStatus archives: no new run, those under way go on, and back again', async () => {
    const { orchestrator } = await openVirtual();
    const { workflow } = orchestrator.workflows.createWorkflow('w', [nap('a')]);
    const run = await orchestrator.manageWorkflow(workflow);

    workflow.updateStatus('archived');
    expect((await rejection(orchestrator.manageWorkflow(workflow))).code).toBe('WORKFLOW_ARCHIVED');
    const same = defineWorkflow('w', { tasks: [nap('a')] });
    expect((await rejection(orchestrator.manageWorkflow(same))).code).toBe('WORKFLOW_ARCHIVED');
    expect((await run.settled()).status).toBe('completed');

    workflow.updateStatus('registered');
    expect((await (await orchestrator.manageWorkflow(workflow)).settled()).status).toBe('completed');
  });

  it('updateStatus refuses to go back to a draft, to archive one, and what is no status', () => {
    const { workflow } = withReport().getWorkflow('report');
    expect(refusal(() => workflow.updateStatus('draft')).code).toBe('TRANSITION_ILLEGAL');
    const draft = defineWorkflow('w', { tasks: [] });
    expect(refusal(() => draft.updateStatus('archived')).code).toBe('TRANSITION_ILLEGAL');
    expect(refusal(() => draft.updateStatus('ready' as never)).code).toBe('OPTION_INVALID');
  });
});

describe('Task', () => {
  /** The order in which a run of these tasks starts them, one at a time. */
  async function orderOf(
    edit: (tasks: Record<'a' | 'b' | 'c', ReturnType<typeof echo>>) => void,
  ): Promise<string> {
    const { orchestrator } = await openVirtual({ concurrency: 1 });
    const started: string[] = [];
    const step = (id: string) => task(id, { run: () => void started.push(id) });
    const tasks = { a: step('a'), b: step('b'), c: step('c') };
    edit(tasks as never);
    await (await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: Object.values(tasks) }))).result();
    return started.join(' ');
  }

  it('updatePriority of a draft decides the order of a run', async () => {
    expect(await orderOf(() => {})).toBe('a b c');
    expect(await orderOf(({ c }) => c.updatePriority(5))).toBe('c a b');
  });

  it('addDependency of a draft decides the order of a run', async () => {
    const edit: Parameters<typeof orderOf>[0] = ({ a, c }) => {
      a.addDependency(c);
      a.addDependency({ taskId: 'b', on: 'settled' });
    };
    expect(await orderOf(edit)).toBe('b c a');
  });

  it('removeDependency of a draft decides the order of a run', async () => {
    const edit: Parameters<typeof orderOf>[0] = ({ a, b, c }) => {
      a.addDependency(b);
      a.addDependency(c);
      a.removeDependency('c');
    };
    expect(await orderOf(edit)).toBe('b a c');
  });

  it('an edit between two registrations counts, although the draft was compiled before it', async () => {
    const { orchestrator } = await openVirtual();
    const a = task('a', { run: () => 1, dependencies: ['nobody'] });
    const draft = defineWorkflow('w', { tasks: [a] });
    expect((await rejection(orchestrator.manageWorkflow(draft))).code).toBe('DEPENDENCY_UNKNOWN');

    a.removeDependency('nobody');

    expect((await (await orchestrator.manageWorkflow(draft)).result()).outputs).toEqual({ a: 1 });
  });

  it('updatePriority refuses what is no priority', () => {
    const a = echo('a');
    for (const priority of [Number.NaN, Number.POSITIVE_INFINITY, 1e10, '5' as never])
      expect(refusal(() => a.updatePriority(priority)).code).toBe('OPTION_INVALID');
    expect(a.priority).toBe(0);
  });

  it('addDependency refuses the task itself, a second one, and what is none', () => {
    const a = echo('a', { dependencies: ['b'] });
    expect(refusal(() => a.addDependency('a')).code).toBe('DEPENDENCY_SELF');
    for (const wrong of ['b', null as never, { settled: 'b' } as never, { taskId: 'c', as: 'b' }])
      expect(refusal(() => a.addDependency(wrong)).code).toBe('DEPENDENCY_INVALID');
    expect(a.dependencies).toEqual(['b']);
  });

  it('removeDependency refuses a task on which it does not depend', () => {
    const a = echo('a', { dependencies: ['before'] });
    expect(refusal(() => a.removeDependency('befroe')).message).toContain('Did you mean "before"?');
    expect(a.dependencies).toEqual(['before']);
  });

  it('a registered one refuses every edit and names updateWorkflow; its copy in a draft takes them', async () => {
    const { orchestrator } = await openVirtual();
    const joined = echo('joined');
    const a = echo('a', { dependencies: { joined } });
    const workflow = defineWorkflow('w', { tasks: [a] });
    await (await orchestrator.manageWorkflow(workflow)).result();

    const edits = [
      () => joined.updatePriority(1),
      () => a.addDependency('x'),
      () => a.removeDependency('joined'),
      () => workflow.addTask(echo('x')),
      () => workflow.removeTask('a'),
      () => workflow.incrementVersion(),
    ];
    for (const edit of edits) {
      const { code, message } = refusal(edit);
      expect({ code, message }).toEqual({
        code: 'DEFINITION_SEALED',
        message: expect.stringContaining('updateWorkflow'),
      });
    }
    const draft = workflow.draft();
    draft.tasks[0]?.updatePriority(7);
    expect([a.priority, draft.tasks[0]?.priority, draft.status]).toEqual([0, 7, 'draft']);
    expect((await (await orchestrator.manageWorkflow(draft)).result()).outputs).toEqual({ a: 'a' });
  });

  it('updateStatus is a matter of a run: its live task takes the status', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.scheduleTask(nap('a'));
    await orchestrator.monitorTask(run.runId, 'a').updateStatus('cancelled');
    await run.settled();
    expect(run.tasks().map(({ status }) => status)).toEqual(['cancelled']);
  });

  it('updateStatus refuses on a definition, which has none, and says where to ask', () => {
    expect(refusal(() => echo('a').updateStatus('completed'))).toMatchObject({
      code: 'TASK_NOT_LIVE',
      message: expect.stringContaining('monitorTask'),
    });
  });

  it('setOutputData is a matter of a run: each has the output that its handler returned', async () => {
    const { orchestrator } = await openVirtual();
    const a = echo('a');
    refusal(() => a.setOutputData(5));
    expect((await (await orchestrator.scheduleTask(a)).result()).outputs).toEqual({ a: 'a' });
  });

  it('setOutputData refuses on a definition, which has none', () => {
    expect(refusal(() => echo('a').setOutputData(5)).code).toBe('TASK_NOT_LIVE');
  });
});
