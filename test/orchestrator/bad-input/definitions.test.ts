import { defineWorkflow, type Orchestrator, task, type WorkflowData } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { refusal, rejection } from '../../support/errors.ts';
import {
  expectRefused,
  lateProxy,
  NO_OBJECTS,
  revokedProxy,
  throwingProxy,
  withThrowingGetter,
} from '../../support/refusals.ts';
import { logOf, ofType } from '../../support/run-log.ts';
import { openVirtual } from '../../support/virtual-orchestrator.ts';

const run = (): number => 1;

/** Plain data whose tasks all have a registered handler. */
function data(tasks: unknown): WorkflowData {
  return { name: 'w', tasks } as WorkflowData;
}

function node(taskId: string, ...dependencies: readonly string[]): object {
  return { taskId, dependencies, handler: 'run' };
}

async function open(): Promise<Orchestrator> {
  return (await openVirtual({ handlers: { run } })).orchestrator;
}

/** Nothing was started, and what is right still works. */
async function expectUntouched(orchestrator: Orchestrator): Promise<void> {
  expect(orchestrator.runs()).toEqual([]);
  const good = await orchestrator.manageWorkflow(data([node('a'), node('b', 'a')]));
  await expect(good.result()).resolves.toMatchObject({ outputs: { a: 1, b: 1 } });
  good.release();
}

describe('bad definitions', () => {
  it('A1 what is no definition at all', async () => {
    const orchestrator = await open();
    for (const [what, value] of [...NO_OBJECTS, ['undefined', undefined] as const]) {
      for (const error of [
        await rejection(orchestrator.manageWorkflow(value as WorkflowData)),
        refusal(() => defineWorkflow(value as WorkflowData)),
      ]) {
        if (what === 'a string') {
          // A name without options is half of a call.
          if (error.details.at === 'workflow "x"') continue;
        }
        expectRefused(error, 'DEFINITION_INVALID', 'workflow');
      }
      expectRefused(
        await rejection(orchestrator.scheduleTask(value as never)),
        'DEFINITION_INVALID',
        'scheduleTask',
      );
      if (value === undefined) continue;
      expectRefused(
        refusal(() => defineWorkflow('w', value as never)),
        'DEFINITION_INVALID',
        'workflow "w"',
      );
      expectRefused(
        refusal(() => task('t', value as never)),
        'DEFINITION_INVALID',
        'task "t"',
      );
    }
    await expectUntouched(orchestrator);
  });

  it('A1 a promise or a thenable is named, with the hint to await it', async () => {
    const orchestrator = await open();
    const thenable = Object.fromEntries([['then', (resolve: (value: unknown) => void) => resolve(data([]))]]);
    for (const value of [Promise.resolve(data([])), thenable]) {
      const error = await rejection(orchestrator.manageWorkflow(value as never));
      expectRefused(error, 'DEFINITION_INVALID', 'workflow');
      expect(error.message).toContain('a promise');
      expect(error.message).toContain('Await it first.');
    }
    await expectUntouched(orchestrator);
  });

  it('A1 proxies, getters that throw and look-alikes', async () => {
    const orchestrator = await open();
    const genuine = task('a', { run });
    const workflow = defineWorkflow('w', { tasks: [genuine] });
    const odd: readonly unknown[] = [
      lateProxy(),
      withThrowingGetter('name'),
      withThrowingGetter('tasks', { name: 'w' }),
      withThrowingGetter('failurePolicy', { name: 'w', tasks: [] }),
      { name: 'w', tasks: throwingProxy([]) },
      { name: 'w', tasks: [throwingProxy()] },
      { name: 'w', tasks: [lateProxy({ taskId: 'a' })] },
      { name: 'w', tasks: [lateProxy(genuine)] },
      { name: 'w', tasks: [revokedProxy()] },
      { name: 'w', tasks: [withThrowingGetter('priority', { taskId: 'a', handler: 'run' })] },
      { name: 'w', tasks: [Object.create(Object.getPrototypeOf(genuine) as object)] },
      lateProxy(workflow),
      new Proxy(workflow, {}),
      Object.create(Object.getPrototypeOf(workflow) as object),
    ];
    for (const value of odd) {
      const error = await rejection(orchestrator.manageWorkflow(value as WorkflowData));
      expectRefused(error, 'DEFINITION_INVALID', String(error.details.at));
      expect(error.details.at).toMatch(/^workflow/);
    }
    for (const options of [
      withThrowingGetter('run'),
      withThrowingGetter('dependencies'),
      lateProxy({ run }),
    ]) {
      const error = refusal(() => task('t', options as never));
      expectRefused(error, 'DEFINITION_INVALID', 'task "t"');
      expect(error.cause).toBeInstanceOf(TypeError);
      expect(error.message).toContain('Give plain data without getters.');
    }
    await expectUntouched(orchestrator);
  });

  it('A1 an object without a prototype, or frozen, is as good as any', async () => {
    const orchestrator = await open();
    const bare = Object.assign(Object.create(null) as object, Object.freeze(data([node('a')])));
    const started = await orchestrator.manageWorkflow(bare as WorkflowData);
    await expect(started.result()).resolves.toMatchObject({ outputs: { a: 1 } });
  });

  it('A2 an empty workflow completes at once; one without a list of tasks is refused', async () => {
    const orchestrator = await open();
    for (const empty of [data([]), defineWorkflow('empty', { tasks: [] })]) {
      const started = await orchestrator.manageWorkflow(empty);
      await expect(started.result()).resolves.toMatchObject({ status: 'completed', outputs: {} });
      expect((await logOf(started)).map(({ type }) => type)).toEqual([
        'RunCreated',
        'RunStarted',
        'RunCompleted',
      ]);
      started.release();
    }
    for (const tasks of [undefined, null, {}, 'a', new Set()]) {
      expectRefused(
        await rejection(orchestrator.manageWorkflow(data(tasks))),
        'DEFINITION_INVALID',
        'workflow "w"/tasks',
      );
    }
    await expectUntouched(orchestrator);
  });

  it('A2 a list of tasks with holes, or with anything but tasks, is refused at the index', async () => {
    const orchestrator = await open();
    const sparse = [node('a'), node('c')];
    sparse.length = 3;
    expectRefused(
      await rejection(orchestrator.manageWorkflow(data(sparse))),
      'DEFINITION_INVALID',
      'workflow "w"/tasks/2',
    );
    for (const item of [undefined, null, 'a', 7, [], () => 1, { taskId: 'x', dependencySpecs: [] }]) {
      const tasks = [task('a', { run }), item] as never;
      expectRefused(
        refusal(() => defineWorkflow('w', { tasks })),
        'DEFINITION_INVALID',
        'workflow "w"/tasks/1',
      );
    }
    expectRefused(
      refusal(() => defineWorkflow('w', { tasks: new Array(1_000_001) as never })),
      'LIMIT_EXCEEDED',
      'workflow "w"/tasks',
    );
    await expectUntouched(orchestrator);
  });

  const badIds: readonly (readonly [string, unknown])[] = [
    ['missing', undefined],
    ['null', null],
    ['empty', ''],
    ['a blank', ' '],
    ['an edge space', 'a '],
    ['a slash', 'a/b'],
    ['a way up', '../x'],
    ['brackets', 'a[0]'],
    ['a hash', 'a#1'],
    ['129 characters', 'x'.repeat(129)],
    ['a megabyte', 'x'.repeat(1_000_000)],
    ['a lone surrogate', '\ud800'],
    ['a newline', 'a\nb'],
    ['a NUL', 'a\0b'],
    ['not in NFC', 'e\u0301'],
    ['a direction mark', 'a\u202eb'],
    ['negative', -1],
    ['a fraction', 1.5],
    ['NaN', Number.NaN],
    ['an object', {}],
    ['an array', ['a']],
    ['a symbol', Symbol('a')],
    ['a proxy', throwingProxy()],
  ];
  it.each(badIds)('A3 an id that is %s is refused', async (_what, id) => {
    const orchestrator = await open();
    expectRefused(
      refusal(() => task(id as string, { run })),
      'ID_INVALID',
      'task',
    );
    expectRefused(
      await rejection(orchestrator.manageWorkflow(data([{ taskId: id, handler: 'run' }]))),
      'ID_INVALID',
      'workflow "w"/tasks/0/taskId',
    );
    expectRefused(
      refusal(() => defineWorkflow(id as string, { tasks: [] })),
      'ID_INVALID',
      'workflow/name',
    );
    if (id !== undefined) {
      expectRefused(
        refusal(() => defineWorkflow('w', { tasks: [], workflowId: id as string })),
        'ID_INVALID',
        'workflow "w"/workflowId',
      );
    }
    expect(orchestrator.runs()).toEqual([]);
  });

  it('A3 an id that is not in NFC comes with the hint to normalise it', () => {
    expect(refusal(() => task('e\u0301', { run })).message).toContain('.normalize("NFC")');
  });

  it('A3 blanks inside, emoji and 128 characters are fine; a number means its decimal string', async () => {
    const orchestrator = await open();
    const ids = ['a b', '🚀', 'é', '任务', '-', '..', 'x'.repeat(128)];
    const started = await orchestrator.manageWorkflow(
      data([...ids.map((id) => node(id)), { taskId: 7, handler: 'run' }]),
    );
    await expect(started.result()).resolves.toMatchObject({
      outputs: Object.fromEntries([...ids, '7'].map((id) => [id, 1])),
    });
  });

  it('A4 names of builtins are ids like any other', async () => {
    const orchestrator = await open();
    const ids = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'then', 'length'];
    const tasks = ids.map((id, i) =>
      task(id, { dependencies: ids.slice(0, i), run: ({ dependencies }) => [id, Object.keys(dependencies)] }),
    );
    const started = await orchestrator.manageWorkflow(defineWorkflow('constructor', { tasks }));
    const { outputs } = await started.result();
    expect(Object.entries(outputs)).toEqual(ids.map((id, i) => [id, [id, ids.slice(0, i)]]));
    // A dependency on one that is not there finds nothing built in.
    for (const id of ['__proto__', 'constructor', 'toString']) {
      expect((await rejection(orchestrator.manageWorkflow(data([node('a', id)])))).code).toBe(
        'DEPENDENCY_UNKNOWN',
      );
      expect((await rejection(orchestrator.manageWorkflow(data([{ taskId: 'a', handler: id }])))).code).toBe(
        'HANDLER_UNKNOWN',
      );
      expect(refusal(() => orchestrator.getRun(id)).code).toBe('RUN_NOT_FOUND');
    }
  });

  it('A4 an own __proto__ key of parsed JSON changes nothing and is named', async () => {
    const orchestrator = await open();
    const json = '{"name":"w","tasks":[{"taskId":"a","handler":"run","__proto__":{"priority":9}}]}';
    expectRefused(
      await rejection(orchestrator.manageWorkflow(JSON.parse(json) as WorkflowData)),
      'OPTION_UNKNOWN',
      'workflow "w"/tasks/0/__proto__',
    );
    await expectUntouched(orchestrator);
  });

  it('A5 ids that look like numbers keep their order', async () => {
    const orchestrator = await open();
    const ids = ['10', '2', '1e3', 'a', '1'];
    const started = await orchestrator.manageWorkflow(data(ids.map((id) => node(id))));
    await started.result();
    expect(started.tasks().map(({ taskId }) => taskId)).toEqual(ids);
    expect(ofType(await logOf(started), 'TaskStarted').map(({ path }) => path)).toEqual(ids);
    const joined = task('last', { dependencies: ids, run: ({ path }) => path });
    expect(joined.dependencies).toEqual(ids);
  });

  it('A6 a doubled id is refused; ids that differ in case are two', async () => {
    const orchestrator = await open();
    const error = await rejection(orchestrator.manageWorkflow(data([node('a'), node('b'), node('a')])));
    expectRefused(error, 'ID_DUPLICATE', 'workflow "w"/tasks/2');
    expect(error.message).toContain('"a"');
    expect(
      (await rejection(orchestrator.manageWorkflow(data([node('1'), { taskId: 1, handler: 'run' }])))).code,
    ).toBe('ID_DUPLICATE');
    // Two tasks of one id also clash when one of them joins as a dependency.
    const other = task('a', { run });
    const clash = defineWorkflow('w', {
      tasks: [task('a', { run }), task('b', { dependencies: { other }, run })],
    });
    expectRefused(await rejection(orchestrator.manageWorkflow(clash)), 'ID_DUPLICATE', 'workflow "w"/tasks');
    const cases = await orchestrator.manageWorkflow(data([node('a'), node('A')]));
    await expect(cases.result()).resolves.toMatchObject({ outputs: { a: 1, A: 1 } });
    cases.release();
    await expectUntouched(orchestrator);
  });

  it('A7 a dependency on an unknown task names the task, the missing one and the nearest', async () => {
    const orchestrator = await open();
    const error = await rejection(
      orchestrator.manageWorkflow(data([node('search'), node('write', 'serach')])),
    );
    expectRefused(error, 'DEPENDENCY_UNKNOWN', 'workflow "w" task "write"/dependencies');
    expect(error.message).toContain('"serach"');
    expect(error.message).toContain('Did you mean "search"?');
    expect(error.details).toMatchObject({ taskId: 'write', dependency: 'serach', nearest: 'search' });
    const long = 'y'.repeat(128);
    expectRefused(
      await rejection(orchestrator.manageWorkflow(data([node('a', long)]))),
      'DEPENDENCY_UNKNOWN',
      'workflow "w" task "a"/dependencies',
    );
    await expectUntouched(orchestrator);
  });

  it('A7 a dependency on itself is refused', async () => {
    const orchestrator = await open();
    const error = await rejection(orchestrator.manageWorkflow(data([node('a', 'a')])));
    expectRefused(error, 'DEPENDENCY_SELF', 'workflow "w" task "a"/dependencies');
    expect(error.message).toContain('Remove the dependency.');
    await expectUntouched(orchestrator);
  });

  it('A7 a doubled dependency counts once', async () => {
    const orchestrator = await open();
    const started = await orchestrator.manageWorkflow(data([node('a'), node('b', 'a', 'a', 'a')]));
    await expect(started.result()).resolves.toMatchObject({ outputs: { a: 1, b: 1 } });
    expect(ofType(await logOf(started), 'TaskStarted').map(({ path }) => path)).toEqual(['a', 'b']);
  });

  it('A8 cycles of two and three are printed with their path, every one of them once', async () => {
    const orchestrator = await open();
    const error = await rejection(
      orchestrator.manageWorkflow(
        data([node('a', 'b'), node('b', 'a'), node('x', 'z'), node('y', 'x'), node('z', 'y'), node('free')]),
      ),
    );
    expect(error.code).toBe('DEPENDENCY_CYCLE');
    expect(error.details).toMatchObject({
      at: 'workflow "w"',
      cycles: [expect.anything(), expect.anything()],
    });
    expect(error.message).toContain('2 cycles: a > b > a; x > y > z > x');
    await expectUntouched(orchestrator);
  });

  it('A8 a cycle of 10,000 is found without a search from each of them, and printed in short', async () => {
    const orchestrator = await open();
    const ring = Array.from({ length: 10_000 }, (_, i) => node(`t${i}`, `t${(i + 9_999) % 10_000}`));
    const error = await rejection(orchestrator.manageWorkflow(data(ring)));
    expect(error.code).toBe('DEPENDENCY_CYCLE');
    expect((error.details.cycles as readonly string[][])[0]).toHaveLength(10_001);
    expect(error.message.length).toBeLessThan(1_000);
    expect(error.message).toContain('… 9977 more …');
    await expectUntouched(orchestrator);
  });

  it('A9 a chain of 100,000 tasks runs', async () => {
    const orchestrator = await open();
    const chain = Array.from({ length: 100_000 }, (_, i) =>
      i === 0 ? node('t0') : node(`t${i}`, `t${i - 1}`),
    );
    const started = await orchestrator.manageWorkflow(data(chain));
    const { status, failures } = await started.settled();
    expect({ status, failures }).toEqual({ status: 'completed', failures: [] });
    expect(started.tasks().every((view) => view.status === 'completed')).toBe(true);
  });

  it('A9 a task with 100,000 dependencies runs', async () => {
    const orchestrator = await open();
    const ids = Array.from({ length: 100_000 }, (_, i) => `t${i}`);
    const sum = task('sum', {
      dependencies: ids,
      run: ({ dependencies }) =>
        Object.values(dependencies).reduce<number>((all, one) => all + (one as number), 0),
    });
    const started = await orchestrator.manageWorkflow({
      name: 'fan',
      tasks: [...ids.map((id) => node(id)), sum],
    } as unknown as WorkflowData);
    expect((await started.result()).outputs.sum).toBe(100_000);
  });

  it('A10 dependencies of the wrong shape are refused at their place', async () => {
    const orchestrator = await open();
    const sparse: unknown[] = ['a'];
    sparse[3] = 'b';
    const cases: readonly (readonly [unknown, string])[] = [
      ['a', '/dependencies'],
      [7, '/dependencies'],
      [null, '/dependencies'],
      [new Set(['a']), '/dependencies'],
      [task('x', { run }), '/dependencies'],
      [throwingProxy(), '/dependencies'],
      [[null], '/dependencies/0'],
      [[{}], '/dependencies/0'],
      [['a', undefined], '/dependencies/1'],
      [[['a']], '/dependencies/0'],
      [sparse, '/dependencies/1'],
      [{ a: 'a' }, '/dependencies/a'],
      [{ a: { taskId: 'a', dependencySpecs: [] } }, '/dependencies/a'],
      [{ a: { settled: { taskId: 'a', dependencySpecs: [] } } }, '/dependencies/a'],
    ];
    for (const [dependencies, place] of cases) {
      expectRefused(
        refusal(() => task('t', { dependencies: dependencies as never, run })),
        'DEPENDENCY_INVALID',
        `task "t"${place}`,
      );
    }
    expectRefused(
      refusal(() => task('t', { dependencies: ['a', ''], run })),
      'ID_INVALID',
      'task "t"/dependencies/1',
    );
    expectRefused(
      refusal(() => task('t', { dependencies: [Number.NaN], run })),
      'ID_INVALID',
      'task "t"/dependencies/0',
    );
    expectRefused(
      refusal(() => task('t', { dependencies: [{ taskId: 'a', on: 'complete' as never }], run })),
      'OPTION_INVALID',
      'task "t"/dependencies/0/on',
    );
    await expectUntouched(orchestrator);
  });

  it('A10 a million dependencies, or an array that claims to be endless, are above the limit', () => {
    const million = Array.from({ length: 1_000_000 }, (_, i) => `t${i}`);
    for (const dependencies of [million, new Array(4_294_967_295)]) {
      expectRefused(
        refusal(() => task('t', { dependencies: dependencies as never, run })),
        'LIMIT_EXCEEDED',
        'task "t"/dependencies',
      );
    }
    const byName = Object.fromEntries(Array.from({ length: 200_001 }, (_, i) => [`t${i}`, null]));
    expectRefused(
      refusal(() => task('t', { dependencies: byName as never, run })),
      'LIMIT_EXCEEDED',
      'task "t"/dependencies',
    );
  });
});
