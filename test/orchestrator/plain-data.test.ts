import {
  defineWorkflow,
  type HandlerContext,
  Orchestrator,
  type WorkflowData,
} from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../support/errors.ts';
import { logOf, startsOf, timesOf } from '../support/run-log.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';

/** A definition as it would stand in a file. */
const REPORT = `{
  "name": "report",
  "failurePolicy": "continue",
  "tags": ["nightly"],
  "tasks": [
    { "taskId": "search", "handler": "search", "inputData": { "pages": 2 }, "priority": 5, "timeout": "2m" },
    { "taskId": "parse", "handler": "parse", "dependencies": ["search"], "retry": { "maxAttempts": 2, "delay": "1s" } },
    {
      "taskId": "write",
      "handler": "write",
      "dependencies": [{ "taskId": "parse", "as": "parsed" }, { "taskId": "flaky", "on": "settled" }],
      "locks": ["report"],
      "resourceRequirements": { "cpu": 1 },
      "agentAssigned": "writer",
      "estimatedDuration": "PT5S"
    },
    { "taskId": "flaky", "handler": "flaky" }
  ]
}`;

type Context = HandlerContext<{ readonly topic: string }>;

const handlers = {
  search: ({ input, inputData, clock }: Context) =>
    clock.sleep(10).then(() => `${input.topic} on ${(inputData as { pages: number }).pages} pages`),
  parse: ({ dependencies, attempt }: Context) => {
    if (attempt === 1) throw new Error('not yet');
    return `parsed ${dependencies.search}`;
  },
  write: ({ dependencies }: Context) => dependencies,
  flaky: () => Promise.reject(new Error('flaky')),
};

const options = { handlers, resources: { cpu: 1 } };

describe('a workflow in plain data', () => {
  it('runs with the handlers that were registered by name', async () => {
    const { orchestrator } = await openVirtual(options);

    const data = JSON.parse(REPORT) as WorkflowData;
    const run = await orchestrator.manageWorkflow(data, { input: { topic: 'tides' } });
    const { outputs } = await run.result();

    const parsed = 'parsed tides on 2 pages';
    expect(outputs).toEqual({
      search: 'tides on 2 pages',
      parse: parsed,
      write: { parsed, flaky: { status: 'failed', failure: expect.objectContaining({ message: 'flaky' }) } },
    });
    expect(timesOf(await logOf(run)).write).toEqual([1_010, 1_010]);
  });

  it('is the same model: defineWorkflow takes it, open takes it, and it is one version of one workflow', async () => {
    const data = JSON.parse(REPORT) as WorkflowData;
    const { orchestrator } = await openVirtual({ ...options, workflows: [data] });
    const input = { topic: 'tides' };

    const fromData = await orchestrator.manageWorkflow(JSON.parse(REPORT) as WorkflowData, { input });
    const defined = defineWorkflow(data);
    const fromDefined = await orchestrator.manageWorkflow(defined, { input });
    const changed = await orchestrator.manageWorkflow({ ...data, failurePolicy: 'fail-fast' }, { input });

    expect(defined.tags).toEqual(['nightly']);
    expect(defined.tasks.find(({ taskId }) => taskId === 'write')).toMatchObject({
      estimatedDuration: 5_000,
      agentAssigned: 'writer',
      dependencies: ['parse', 'flaky'],
      resourceRequirements: { cpu: 1 },
      locks: [{ name: 'report', mode: 'exclusive' }],
    });
    const versions = [fromData, fromDefined, changed].map((run) => run.workflowVersion);
    expect(versions).toEqual([1, 1, 2]);
    await Promise.all([fromData.settled(), fromDefined.settled(), changed.settled()]);
  });

  it('takes numbers as ids, and they mean their decimal text', async () => {
    const { orchestrator } = await openVirtual({ handlers: { seven: () => 7, echo: handlers.write } });

    const run = await orchestrator.manageWorkflow({
      name: 'numbers',
      tasks: [
        { taskId: 1, handler: 'seven' },
        { taskId: 2, handler: 'echo', dependencies: [1] },
      ],
    });

    expect((await run.result()).outputs).toEqual({ 1: 7, 2: { 1: 7 } });
  });

  it('is not changed by what the host does to its data afterwards', async () => {
    const { orchestrator } = await openVirtual({ handlers: { echo: ({ inputData }: Context) => inputData } });
    const inputData = { list: [1] };
    const data: WorkflowData = { name: 'mine', tasks: [{ taskId: 'a', handler: 'echo', inputData }] };
    const workflow = defineWorkflow(data);
    inputData.list.push(2);

    const run = await orchestrator.manageWorkflow(workflow);

    expect((await run.result()).outputs.a).toEqual({ list: [1] });
  });

  it('that names an unknown handler is refused before anything runs, with the nearest name', async () => {
    const { orchestrator } = await openVirtual(options);
    const data = {
      name: 'typo',
      tasks: [
        { taskId: 'a', handler: 'search' },
        { taskId: 'b', handler: 'serach' },
      ],
    };

    const error = await rejection(orchestrator.manageWorkflow(data));

    expect(error.code).toBe('HANDLER_UNKNOWN');
    expect(error.message).toContain('task "b"');
    expect(error.message).toContain('Did you mean "search"?');
    expect(orchestrator.runs()).toEqual([]);
    // At the opening too.
    expect((await rejection(Orchestrator.open({ workflows: [data] }))).code).toBe('HANDLER_UNKNOWN');
  });

  it.each(['constructor', 'toString', '__proto__'])(
    'finds nothing built in under the name %s',
    async (name) => {
      const { orchestrator } = await openVirtual(options);
      const data = { name: 'built-in', tasks: [{ taskId: 'a', handler: name }] };
      expect((await rejection(orchestrator.manageWorkflow(data))).code).toBe('HANDLER_UNKNOWN');
    },
  );

  const wrong: readonly (readonly [string, unknown, string, string])[] = [
    ['no object', null, 'DEFINITION_INVALID', 'workflow'],
    ['no name', { tasks: [] }, 'DEFINITION_INVALID', 'name'],
    ['a wrong name', { name: 'a/b', tasks: [] }, 'ID_INVALID', 'workflow/name'],
    ['no tasks', { name: 'w' }, 'DEFINITION_INVALID', '/tasks'],
    ['tasks that are no array', { name: 'w', tasks: {} }, 'DEFINITION_INVALID', '/tasks'],
    [
      'an unknown option',
      { name: 'w', tasks: [], failurepolicy: 'continue' },
      'OPTION_UNKNOWN',
      'failurePolicy',
    ],
    ['a task that is no object', { name: 'w', tasks: ['a'] }, 'DEFINITION_INVALID', '/tasks/0'],
    ['a task without id', { name: 'w', tasks: [{ handler: 'search' }] }, 'ID_INVALID', '/tasks/0/taskId'],
    ['a task without handler', { name: 'w', tasks: [{ taskId: 'a' }] }, 'HANDLER_INVALID', '/tasks/0'],
    [
      'a wrong option of a task',
      { name: 'w', tasks: [{ taskId: 'a', handler: 'search', timeout: '5' }] },
      'OPTION_INVALID',
      '/tasks/0/timeout',
    ],
    [
      'an unknown option of a task',
      { name: 'w', tasks: [{ taskId: 'a', handler: 'search', dependson: [] }] },
      'OPTION_UNKNOWN',
      '/tasks/0/dependson',
    ],
    [
      'a wrong dependency',
      { name: 'w', tasks: [{ taskId: 'a', handler: 'search', dependencies: [{ id: 'b' }] }] },
      'DEPENDENCY_INVALID',
      '/tasks/0/dependencies/0',
    ],
    [
      'a wrong kind of dependency',
      {
        name: 'w',
        tasks: [{ taskId: 'a', handler: 'search', dependencies: [{ taskId: 'b', on: 'ended' }] }],
      },
      'OPTION_INVALID',
      '/tasks/0/dependencies/0/on',
    ],
  ];
  it.each(wrong)('with %s is refused at its place', (_, data, code, place) => {
    const error = refusal(() => defineWorkflow(data as WorkflowData));
    expect(error.code).toBe(code);
    expect(error.message).toContain(place);
  });

  it('refuses what is no handler, when it is registered', async () => {
    for (const handler of [undefined, null, 'search', {}]) {
      const error = await rejection(Orchestrator.open({ handlers: { search: handler as never } }));
      expect(error).toMatchObject({ code: 'HANDLER_INVALID', details: { at: 'open/handlers/search' } });
    }
  });

  it('runs its tasks in the order of their dependencies, however they are listed', async () => {
    const { orchestrator } = await openVirtual({ handlers: { echo: handlers.write } });

    const run = await orchestrator.manageWorkflow({
      name: 'order',
      tasks: [
        { taskId: 'c', handler: 'echo', dependencies: ['b'] },
        { taskId: 'b', handler: 'echo', dependencies: ['a'] },
        { taskId: 'a', handler: 'echo' },
      ],
    });
    await run.result();

    expect(startsOf(await logOf(run))).toEqual(['a', 'b', 'c']);
  });
});
