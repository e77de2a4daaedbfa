import {
  defineWorkflow,
  type TaskData,
  task,
  Workflow,
  type WorkflowData,
  type WorkflowOptions,
} from '@taskmaster-ai/orchestrator';
import { WorkflowManager } from '@taskmaster-ai/orchestrator/managers';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { refusal } from '../support/errors.ts';
import { expectRefused, throwingProxy, untyped } from '../support/refusals.ts';

/** Two values of every option of a task; a new option has no place here until somebody says how it differs. */
const TASK: { readonly [Option in keyof Required<Omit<TaskData, 'taskId'>>]: readonly [unknown, unknown] } = {
  agentAssigned: ['ann', 'bob'],
  dependencies: [['x'], [{ taskId: 'x', on: 'settled' }]],
  description: ['one', 'two'],
  estimatedDuration: [1, 2],
  handler: ['h', { kind: 'registered', name: 'h', version: '2' }],
  heartbeatTimeout: [1, 2],
  inputData: [{ a: [1] }, { a: [2] }],
  locks: [['l'], [{ name: 'l', mode: 'shared' }]],
  maxRestarts: [0, 1],
  metadata: [{ a: { b: 1 } }, { a: { b: 2 } }],
  priority: [1, 2],
  resourceRequirements: [{ cpu: 1 }, { cpu: 2 }],
  retry: [{ maxAttempts: 2 }, { maxAttempts: 2, jitter: 0.5 }],
  runOn: ['inline', 'worker'],
  tags: [['one'], ['one', 'two']],
  timeout: [1, 2],
  totalTimeout: [1, 2],
  transfer: [false, true],
  when: [undefined, () => true],
};

/** The same for a workflow. */
const WORKFLOW: {
  readonly [Option in keyof Required<Omit<WorkflowOptions<never, never>, 'tasks' | 'workflowId'>>]: readonly [
    unknown,
    unknown,
  ];
} = {
  concurrency: [1, 2],
  description: ['one', 'two'],
  failurePolicy: ['fail-fast', 'continue'],
  input: [undefined, z.object({})],
  metadata: [{ a: 1 }, { a: 2 }],
  revision: [1, 2],
  tags: [['one'], ['two']],
};

function withTask(option: string, value: unknown): WorkflowData {
  const one = { taskId: 'a', handler: 'h', [option]: value } as TaskData;
  return { name: 'w', tasks: [one, { taskId: 'x', handler: 'h' }] };
}

describe('a version', () => {
  it.each(Object.keys(TASK))(
    'is another one when the option %s of a task is, and the difference names it',
    (option) => {
      const [from, to] = TASK[option as keyof typeof TASK];
      const workflows = new WorkflowManager();
      workflows.createWorkflow('w', withTask(option, from).tasks);
      expect(workflows.updateWorkflow('w', withTask(option, structuredCloneOf(from))).version).toBe(1);
      expect(workflows.updateWorkflow('w', withTask(option, to)).version).toBe(2);
      const [change, ...others] = workflows.diff('w', 1, 2).changed;
      expect(others).toEqual([]);
      expect(change?.taskId).toBe('a');
      if (option === 'dependencies')
        expect(change?.dependencies).toMatchObject({
          added: [{ on: 'settled' }],
          removed: [{ on: 'completed' }],
        });
      else expect(change?.fields.map(({ field }) => field)).toEqual([option]);
      expect(workflows.rollbackWorkflow('w', 1).version).toBe(3);
      expect(workflows.diff('w', 1, 3).isSame).toBe(true);
    },
  );

  it.each(Object.keys(WORKFLOW))('is another one when the option %s of a workflow is', (option) => {
    const [from, to] = WORKFLOW[option as keyof typeof WORKFLOW];
    const made = (value: unknown) =>
      defineWorkflow('w', { tasks: [task('a', { handler: 'h' })], [option]: value } as never);
    const workflows = new WorkflowManager();
    workflows.createWorkflow('w', []);
    workflows.updateWorkflow('w', made(from));
    expect(workflows.updateWorkflow('w', made(structuredCloneOf(from))).version).toBe(2);
    expect(workflows.updateWorkflow('w', made(to)).version).toBe(3);
    const { fields, isSame } = workflows.diff('w', 2, 3);
    expect({ isSame, fields: fields.map(({ field }) => field) }).toEqual({ isSame: false, fields: [option] });
    const old = workflows.getWorkflow('w', 2).workflow;
    expect(old[(option === 'input' ? 'inputSchema' : option) as 'tags']).toEqual(from);
  });

  it('WM1 cannot be changed by plain JavaScript either', () => {
    const workflows = new WorkflowManager();
    const { workflow } = workflows.createWorkflow(
      'w',
      [{ taskId: 'a', handler: 'h', inputData: { x: [1] } }],
      {
        description: 'one',
        metadata: { team: { lead: 'ann' } },
        tags: ['t'],
      },
    );
    const before = JSON.stringify(workflow);
    const edits: readonly ((open: never) => unknown)[] = [
      ({ tasks }: { tasks: unknown[] }) => tasks.push(task('b', { handler: 'h' })),
      ({ tasks }: { tasks: unknown[] }) => tasks.splice(0),
      ({ tags }: { tags: string[] }) => tags.push('u'),
      ({ metadata }: { metadata: { team: { lead: string } } }) =>
        Object.assign(metadata.team, { lead: 'bob' }),
      (open: object) => Object.assign(open, { description: 'two' }),
      ({ tasks: [a] }: { tasks: [{ inputData: { x: number[] } }] }) => a.inputData.x.push(2),
    ];
    for (const edit of edits) expect(() => edit(workflow as never)).toThrow(TypeError);
    expect(JSON.stringify(workflows.getWorkflow('w', 1).workflow)).toBe(before);
    workflow.updateStatus('archived'); // what may change still does
    expect(workflow.status).toBe('archived');
    expect(workflow.draft().addTask({ taskId: 'b', handler: 'h' })).toBe(undefined);
  });

  it('is refused with its place when a change of it cannot be read', () => {
    const workflows = new WorkflowManager();
    workflows.createWorkflow('w', []);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const change of untyped([proxy, throwingProxy(), null, 5, 'x']))
      for (const method of ['updateWorkflow', 'versionWorkflow'] as const)
        expect(refusal(() => workflows[method]('w', change)).code).toMatch(/^(OPTION|DEFINITION)_INVALID$/);
    expectRefused(
      refusal(() => workflows.updateWorkflow('w', proxy as never)),
      'OPTION_INVALID',
      'updateWorkflow("w")',
    );
    expect(workflows.versions('w')).toHaveLength(1);
  });

  it('$schema is text, as the published schema says', () => {
    const error = refusal(() => Workflow.fromJSON({ $schema: 5, name: 'w', tasks: [] } as never));
    expectRefused(error, 'OPTION_INVALID', 'workflow "w"/$schema');
  });
});

function structuredCloneOf(value: unknown): unknown {
  return typeof value === 'function' || value === undefined ? value : structuredClone(value);
}
