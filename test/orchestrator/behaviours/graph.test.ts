import { defineWorkflow, type Task, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../../support/errors.ts';
import { logOf, ofType, startsOf, timesOf, typesOf } from '../../support/run-log.ts';
import { openVirtual } from '../../support/virtual-orchestrator.ts';

type AnyListed = Task<string, unknown, unknown>;

describe('graph and ordering', () => {
  it('G01 diamond: B and C overlap, D starts after both', async () => {
    const { orchestrator } = await openVirtual();
    const a = task('a', { run: ({ clock }) => clock.sleep(10) });
    const b = task('b', { dependencies: { a }, run: ({ clock }) => clock.sleep(20) });
    const c = task('c', { dependencies: { a }, run: ({ clock }) => clock.sleep(30) });
    const d = task('d', { dependencies: { b, c }, run: ({ clock }) => clock.sleep(5) });

    const run = await orchestrator.manageWorkflow(defineWorkflow('diamond', { tasks: [a, b, c, d] }));
    await run.result();

    expect(timesOf(await logOf(run))).toEqual({ a: [0, 10], b: [10, 30], c: [10, 40], d: [40, 45] });
  });

  it('G02 an empty workflow completes at once, with no outputs and one event of each kind', async () => {
    const { orchestrator, clock } = await openVirtual();

    const run = await orchestrator.manageWorkflow(defineWorkflow('empty', { tasks: [] }));

    expect(run.status).toBe('completed');
    expect(await run.result()).toEqual({ runId: run.runId, status: 'completed', outputs: {} });
    expect((await logOf(run)).map((event) => event.type)).toEqual([
      'RunCreated',
      'RunStarted',
      'RunCompleted',
    ]);
    expect(clock.now()).toBe(0);
  });

  it('G03 an unknown dependency is refused before anything runs, naming the task and the missing one', async () => {
    const { orchestrator } = await openVirtual();
    let ran = 0;
    const count = () => {
      ran++;
    };
    const collect = task('collect', { run: count });
    const report = task('report', { dependencies: ['colect'], run: count });

    const error = await rejection(
      orchestrator.manageWorkflow(defineWorkflow('typo', { tasks: [collect, report] })),
    );

    expect(error.code).toBe('DEPENDENCY_UNKNOWN');
    expect(error.message).toContain('"report"');
    expect(error.message).toContain('"colect"');
    expect(error.message).toContain('Did you mean "collect"?');
    expect(ran).toBe(0);
    expect(orchestrator.runs()).toEqual([]);
  });

  it('G04 a cycle is refused before anything runs, and its path is printed', async () => {
    const { orchestrator } = await openVirtual();
    let ran = 0;
    const run = () => {
      ran++;
    };
    // The message prints tasks in the order in which they would have to run: a, then b, then c, then a again.
    const tasks = [
      task('first', { run }),
      task('a', { dependencies: ['c'], run }),
      task('b', { dependencies: ['a'], run }),
      task('c', { dependencies: ['b'], run }),
    ];

    const error = await rejection(orchestrator.manageWorkflow(defineWorkflow('ring', { tasks })));

    expect(error.code).toBe('DEPENDENCY_CYCLE');
    expect(error.message).toContain('a > b > c > a');
    expect(error.details.cycles).toEqual([['a', 'b', 'c', 'a']]);
    expect(ran).toBe(0);
    expect(orchestrator.runs()).toEqual([]);
  });

  it('G05 two overlapping cycles give one error, the same one every time', async () => {
    const { orchestrator } = await openVirtual();
    // a > b > a and b > c > d > b share b.
    const define = () =>
      defineWorkflow('overlap', {
        tasks: [
          task('a', { dependencies: ['b'], run: () => 0 }),
          task('b', { dependencies: ['a', 'd'], run: () => 0 }),
          task('c', { dependencies: ['b'], run: () => 0 }),
          task('d', { dependencies: ['c'], run: () => 0 }),
        ],
      });

    const messages = new Set<string>();
    for (let i = 0; i < 5; i++)
      messages.add((await rejection(orchestrator.manageWorkflow(define()))).message);

    expect(messages.size).toBe(1);
    const [message] = messages;
    // The shorter one stands for both.
    expect(message).toContain('a > b > a');
    expect(message).not.toContain('c > d');
  });

  it('G06 a component that has no root is found beside one that could run', async () => {
    const { orchestrator } = await openVirtual();
    const tasks = [
      task('healthy', { run: () => 1 }),
      task('after', { dependencies: ['healthy'], run: () => 2 }),
      task('x', { dependencies: ['y'], run: () => 3 }),
      task('y', { dependencies: ['x'], run: () => 4 }),
    ];

    const error = await rejection(orchestrator.manageWorkflow(defineWorkflow('rootless', { tasks })));

    expect(error.code).toBe('DEPENDENCY_CYCLE');
    expect(error.details.cycles).toEqual([['x', 'y', 'x']]);
  });

  it('G07 components that are not connected all run in one submission', async () => {
    const { orchestrator } = await openVirtual();
    const tasks = ['left', 'middle', 'right'].flatMap((name) => [
      task(name, { run: ({ clock }) => clock.sleep(10).then(() => name) }),
      task(`${name}-after`, { dependencies: [name], run: ({ dependencies }) => dependencies[name] }),
    ]);

    const run = await orchestrator.manageWorkflow(defineWorkflow('islands', { tasks }));
    const { outputs } = await run.result();

    expect(outputs).toEqual({
      left: 'left',
      'left-after': 'left',
      middle: 'middle',
      'middle-after': 'middle',
      right: 'right',
      'right-after': 'right',
    });
    // All roots started together.
    expect(startsOf(await logOf(run)).slice(0, 3)).toEqual(['left', 'middle', 'right']);
  });

  it.each(['constructor', '__proto__', 'prototype', 'toString', 'hasOwnProperty', 'concat', 'then'])(
    'G08 %s is an id like any other',
    async (id) => {
      const { orchestrator } = await openVirtual();
      const tasks = [
        task(id, { run: () => `output of ${id}` }),
        task('reader', { dependencies: [id], run: ({ dependencies }) => Object.entries(dependencies) }),
      ];

      const run = await orchestrator.manageWorkflow(defineWorkflow(id, { tasks }));
      const { outputs } = await run.result();

      expect(Object.entries(outputs)).toEqual([
        [id, `output of ${id}`],
        ['reader', [[id, `output of ${id}`]]],
      ]);
      expect(typesOf(await logOf(run), id)).toEqual(['TaskStarted', 'TaskCompleted']);
    },
  );

  it('G09 a task with three predecessors starts once, when the last one has ended', async () => {
    const { orchestrator } = await openVirtual();
    const quick = task('quick', { run: ({ clock }) => clock.sleep(5) });
    const middle = task('middle', { run: ({ clock }) => clock.sleep(50) });
    const slow = task('slow', { run: ({ clock }) => clock.sleep(500) });
    const join = task('join', { dependencies: { quick, middle, slow }, run: () => 'joined' });

    const run = await orchestrator.manageWorkflow(defineWorkflow('join', { tasks: [join] }));
    await run.result();

    const events = await logOf(run);
    expect(typesOf(events, 'join')).toEqual(['TaskStarted', 'TaskCompleted']);
    expect(timesOf(events).join).toEqual([500, 500]);
  });

  it('G10 a dependency listed twice counts once', async () => {
    const { orchestrator } = await openVirtual();
    const source = task('source', { run: () => 7 });
    const twice = task('twice', {
      dependencies: ['source', 'source', source],
      run: ({ dependencies }) => dependencies,
    });
    const aliased = task('aliased', {
      dependencies: { one: source, other: source },
      run: ({ dependencies: { one, other } }) => one + other,
    });

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('doubled', { tasks: [source, twice, aliased] }),
    );
    const { outputs } = await run.result();

    expect(outputs).toEqual({ source: 7, twice: { source: 7 }, aliased: 14 });
    expect(startsOf(await logOf(run))).toEqual(['source', 'twice', 'aliased']);
  });

  it('G11 a chain of 10,000 tasks and 10,000 independent ones run without stack overflow', async () => {
    const { orchestrator } = await openVirtual();
    const size = 10_000;
    const chain = Array.from({ length: size }, (_, i) =>
      task(`c${i}`, {
        dependencies: i === 0 ? [] : [`c${i - 1}`],
        run: ({ dependencies }) => (i === 0 ? 1 : (dependencies[`c${i - 1}`] as number) + 1),
      }),
    );
    const fan = Array.from({ length: size }, (_, i) => task(`f${i}`, { run: () => i }));

    const chainRun = await orchestrator.manageWorkflow(defineWorkflow('chain', { tasks: chain }));
    const fanRun = await orchestrator.manageWorkflow(defineWorkflow('fan', { tasks: fan }));

    const chained = (await chainRun.result()).outputs;
    const fanned = (await fanRun.result()).outputs;
    expect(chained[`c${size - 1}`]).toBe(size);
    expect(Object.values(fanned).reduce((sum: number, value) => sum + (value as number), 0)).toBe(
      (size * (size - 1)) / 2,
    );
  });

  it('G12 a consumer cannot change what the other consumers see', async () => {
    const { orchestrator } = await openVirtual();
    const made = { words: ['tide'], nested: { count: 1 } };
    const seen: unknown[] = [];
    const source = task('source', { run: () => made });
    const vandal = task('vandal', {
      dependencies: { source },
      run: ({ dependencies: { source } }) => {
        source.words.push('wave');
      },
    });
    const reader = task('reader', {
      dependencies: { source },
      run: async ({ dependencies: { source }, clock }) => {
        await clock.sleep(10);
        seen.push(source);
        return source.nested.count;
      },
    });
    const other = task('other', {
      dependencies: { source },
      run: ({ dependencies: { source } }) => {
        seen.push(source);
      },
    });

    const run = await orchestrator.manageWorkflow(
      defineWorkflow('shared', { tasks: [source, vandal, reader, other], failurePolicy: 'finish-running' }),
    );
    // The producer keeps its own object, and what happens to it later reaches nobody.
    made.nested.count = 99;
    const settled = await run.settled();

    expect(settled.failures.map((failure) => [failure.path, failure.failure.name])).toEqual([
      ['vandal', 'TypeError'],
    ]);
    expect(settled.outputs.reader).toBe(1);
    expect(settled.outputs.source).toEqual({ words: ['tide'], nested: { count: 1 } });
    // One frozen copy serves them all.
    expect(seen).toHaveLength(2);
    for (const value of seen) expect(value).toBe(settled.outputs.source);
  });

  it('G12 what cannot be frozen, a date or a map, is copied for each reader', async () => {
    const { orchestrator } = await openVirtual();
    const source = task('source', {
      run: () => ({ when: new Date(1_000), counts: new Map([['tide', 1]]), bytes: new Uint8Array([1, 2]) }),
    });
    const vandal = task('vandal', {
      dependencies: { source },
      run: ({ dependencies: { source } }) => {
        source.when.setTime(0);
        source.counts.set('tide', 100);
        source.bytes[0] = 9;
      },
    });
    const reader = task('reader', {
      dependencies: { source, vandal },
      run: ({ dependencies: { source } }) => [
        source.when.getTime(),
        source.counts.get('tide'),
        source.bytes[0],
      ],
    });

    const run = await orchestrator.manageWorkflow(defineWorkflow('copied', { tasks: [reader] }));
    const { outputs } = await run.result();

    expect(outputs.reader).toEqual([1_000, 1, 1]);
  });

  it('G13 the order in which tasks are listed does not change which tasks run', async () => {
    const { orchestrator } = await openVirtual();
    const define = (order: readonly number[], name: string) => {
      const tasks: AnyListed[] = [
        task('a', { run: () => 'a' }),
        task('b', { dependencies: ['a'], run: ({ dependencies }) => `${dependencies.a}b` }),
        task('c', { dependencies: ['a'], run: ({ dependencies }) => `${dependencies.a}c` }),
        task('d', { dependencies: ['b', 'c'], run: ({ dependencies: { b, c } }) => `${b}${c}d` }),
      ];
      return defineWorkflow(name, { tasks: order.map((i) => tasks[i] as AnyListed) });
    };

    for (const order of permutations([0, 1, 2, 3])) {
      const run = await orchestrator.manageWorkflow(define(order, `order-${order.join('-')}`));
      const { outputs } = await run.result();
      expect(outputs).toEqual({ a: 'a', b: 'ab', c: 'ac', d: 'abacd' });
      expect(ofType(await logOf(run), 'TaskCompleted').map((event) => event.path)).toHaveLength(4);
    }
  });
});

function permutations(items: readonly number[]): readonly (readonly number[])[] {
  if (items.length <= 1) return [items];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}
