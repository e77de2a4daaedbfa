import {
  defineWorkflow,
  type GraphData,
  task,
  type WorkflowData,
  type WorkflowGraph,
} from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/model/compile.ts';
import { remainingPaths } from '../../src/model/plan.ts';
import { refusal, rejection } from '../support/errors.ts';
import { ids, workflows } from '../support/random-workflows.ts';

const graphOf = (data: WorkflowData): Promise<WorkflowGraph> => defineWorkflow(data).graph();

/** A graph in one line for each task: `['c', 'a', 'b']` depends on `a` and `b`. */
function graphOfLists(...tasks: readonly (readonly string[])[]): Promise<WorkflowGraph> {
  return graphOf({
    name: 'w',
    tasks: tasks.map(([taskId = '', ...dependencies]) => ({ taskId, handler: 'h', dependencies })),
  });
}

/** Who can be reached from whom, by the definition of reaching and nothing else. */
function closure({ nodes, edges }: GraphData): Map<string, Set<string>> {
  const reach = new Map(nodes.map(({ taskId }) => [taskId, new Set<string>()]));
  for (let grown = true; grown; ) {
    grown = false;
    for (const { from, to } of edges) {
      const mine = reach.get(from) as Set<string>;
      const before = mine.size;
      mine.add(to);
      for (const further of reach.get(to) as Set<string>) mine.add(further);
      if (mine.size > before) grown = true;
    }
  }
  return reach;
}

describe('the graph of a workflow', () => {
  it('has its tasks and dependencies, whatever they are called', async () => {
    await fc.assert(
      fc.asyncProperty(workflows(), async (data) => {
        const workflow = defineWorkflow(data);
        const plan = compile(workflow);
        const graph = await workflow.graph();
        expect(graph.tasks()).toEqual(plan.ids);
        expect(graph.order).toBe(plan.size);
        for (const one of plan.tasks)
          expect([...graph.dependencies(one.taskId)].sort()).toEqual([...new Set(one.dependencies)].sort());
        expect(graph.size).toBe(plan.dependencies.length);
      }),
    );
  });

  it('knows ancestors, descendants, order, generations and the longest path as brute force does', async () => {
    await fc.assert(
      fc.asyncProperty(workflows(), async (data) => {
        const workflow = defineWorkflow(data);
        const graph = await workflow.graph();
        const reach = closure(graph.toJSON());
        const depth = new Map<string, number>();
        graph.generations().forEach((generation, i) => {
          for (const id of generation) depth.set(id, i);
        });
        const place = new Map(graph.topologicalOrder().map((id, i) => [id, i]));
        for (const id of graph.tasks()) {
          expect(new Set(graph.descendants(id))).toEqual(reach.get(id));
          expect(new Set(graph.ancestors(id))).toEqual(
            new Set(graph.tasks().filter((other) => reach.get(other)?.has(id))),
          );
          const before = graph.dependencies(id).map((other) => depth.get(other) as number);
          expect(depth.get(id)).toBe(before.length === 0 ? 0 : Math.max(...before) + 1);
          for (const other of graph.dependencies(id))
            expect(place.get(other)).toBeLessThan(place.get(id) as number);
        }
        const { tasks, duration } = graph.criticalPath();
        expect(duration).toBe(Math.max(0, ...remainingPaths(compile(workflow))));
        const lengths = tasks.map((id) => graph.node(id).estimatedDuration ?? 1);
        expect(lengths.reduce((sum, length) => sum + length, 0)).toBeCloseTo(duration);
        for (const [i, id] of tasks.slice(1).entries()) expect(graph.dependencies(id)).toContain(tasks[i]);
      }),
    );
  });

  it('reduced, it reaches the same, and no edge can be spared', async () => {
    await fc.assert(
      fc.asyncProperty(workflows(), async (data) => {
        const graph = await graphOf(data);
        const reduced = graph.transitiveReduction().toJSON();
        expect(closure(reduced)).toEqual(closure(graph.toJSON()));
        for (const edge of reduced.edges) {
          const without = { ...reduced, edges: reduced.edges.filter((other) => other !== edge) };
          expect(closure(without).get(edge.from)?.has(edge.to)).toBe(false);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('lists all paths between two tasks, and refuses when there are more than it may', async () => {
    const graph = await graphOfLists(['a'], ['b', 'a'], ['c', 'a'], ['d', 'b', 'c'], ['e', 'a']);
    expect([...graph.paths('a', 'd')].sort()).toEqual([
      ['a', 'b', 'd'],
      ['a', 'c', 'd'],
    ]);
    expect([graph.paths('d', 'a'), graph.paths('e', 'd'), graph.paths('a', 'a')]).toEqual([[], [], [['a']]]);
    expect(refusal(() => graph.paths('a', 'd', 1)).code).toBe('LIMIT_EXCEEDED');
    expect(refusal(() => graph.paths('a', 'd', 0)).code).toBe('OPTION_INVALID');
    // 2^40 ways past a dead end: found to be too many without walking them.
    const diamonds = Array.from({ length: 40 }, (_, i) => [
      [`l${i}`, `j${i}`],
      [`r${i}`, `j${i}`],
      [`j${i + 1}`, `l${i}`, `r${i}`],
    ]).flat();
    const many = await graphOfLists(['j0'], ...diamonds, ['x', 'j40'], ['y', 'j0']);
    expect(refusal(() => many.paths('j0', 'x')).code).toBe('LIMIT_EXCEEDED');
    expect(many.paths('j0', 'y')).toEqual([['j0', 'y']]);
  });

  it('has parts, which are graphs of their own', async () => {
    const graph = await graphOfLists(['a'], ['b', 'a'], ['c', 'b'], ['d']);
    const part = graph.subgraph(['a', 'c', 'd', ...graph.ancestors('c')]);
    expect(part.toJSON().edges).toEqual([
      { from: 'a', to: 'b', on: 'completed' },
      { from: 'b', to: 'c', on: 'completed' },
    ]);
    expect(graph.subgraph(['a', 'c']).size).toBe(0);
    const unknown = [
      () => graph.subgraph(['f']),
      () => graph.ancestors('f'),
      () => graph.node('f'),
      () => graph.paths('a', 'f'),
    ];
    for (const ask of unknown) expect(refusal(ask).code).toBe('TASK_NOT_FOUND');
  });

  it('carries a chain of 20,000 tasks', async () => {
    const ids = Array.from({ length: 20_000 }, (_, i) => `task-${i}`);
    const graph = await graphOfLists(...ids.map((id, i) => (i === 0 ? [id] : [id, ids[i - 1] as string])));
    expect(graph.generations()).toHaveLength(20_000);
    expect(graph.descendants('task-0')).toHaveLength(19_999);
    expect(graph.criticalPath().tasks).toHaveLength(20_000);
    expect(graph.transitiveReduction().size).toBe(19_999);
    expect(graph.paths('task-0', 'task-19999')).toHaveLength(1);
  });

  it('is of a draft as it stands, which it leaves a draft; a faulty one rejects', async () => {
    const draft = defineWorkflow('w', { tasks: [task('a', { run: () => 1 })] });
    expect((await draft.graph()).order).toBe(1);
    draft.addTask({ taskId: 'b', handler: 'h', dependencies: ['a'] });
    expect((await draft.graph()).tasks()).toEqual(['a', 'b']);
    draft.addTask({ taskId: 'c', handler: 'h', dependencies: ['x'] });
    expect((await rejection(draft.graph())).code).toBe('DEPENDENCY_UNKNOWN');
  });
});

/** The labels and edges of a Mermaid flowchart, read by its own rules. */
function readMermaid(text: string): { labels: string[]; edges: string[] } {
  const labels: string[] = [];
  const edges: string[] = [];
  for (const line of text.split('\n').slice(1)) {
    const node = /^ {2}t(\d+)\["([^"]*)"\]$/.exec(line);
    const edge = /^ {2}t(\d+) (?:-->|-\.->|==>) t(\d+)$/.exec(line);
    const other =
      /^(| {2}(linkStyle \d+ stroke:#\w{6}|classDef \w+ [\w:#, -]+|class t\d+(,t\d+)* \w+))$/.exec(line);
    expect(node ?? edge ?? other, line).not.toBeNull();
    if (node !== null)
      labels[Number(node[1])] = (node[2] as string).replaceAll(/#(\d+);/g, (_all, code) =>
        String.fromCodePoint(Number(code)),
      );
    if (edge !== null) edges.push(`${edge[1]}>${edge[2]}`);
  }
  return { labels, edges };
}

/** The labels and edges of a digraph, read as Graphviz does: quoted string, then escapes, then entities. */
function readDot(text: string): { labels: string[]; edges: string[] } {
  const labels: string[] = [];
  const edges: string[] = [];
  for (const line of text.split('\n').slice(3)) {
    const node = /^ {2}t(\d+) \[label="((?:[^"\\]|\\.)*)"(?:, [a-z]+=(?:"[^"\\]*"|\d+))*\];$/u.exec(line);
    const edge = /^ {2}t(\d+) -> t(\d+)(?: \[[\w=", #]+\])?;$/.exec(line);
    expect(node ?? edge ?? /^}?$/.exec(line), line).not.toBeNull();
    if (node !== null)
      labels[Number(node[1])] = (node[2] as string).replaceAll(/\\(["\\])/g, '$1').replaceAll('&amp;', '&');
    if (edge !== null) edges.push(`${edge[1]}>${edge[2]}`);
  }
  return { labels, edges };
}

describe('a drawing', () => {
  it('shows every id as it is and every dependency, in Mermaid and in DOT', async () => {
    await fc.assert(
      fc.asyncProperty(workflows(), fc.boolean(), async (data, criticalPath) => {
        const graph = await graphOf(data);
        const names = graph.tasks();
        const number = new Map(names.map((id, i) => [id, i]));
        const edges = graph.toJSON().edges.map(({ from, to }) => `${number.get(from)}>${number.get(to)}`);
        expect(readMermaid(graph.toMermaid({ criticalPath }))).toEqual({ labels: [...names], edges });
        expect(readDot(graph.toDot({ criticalPath }))).toEqual({ labels: [...names], edges });
      }),
    );
  });

  it('holds nothing in a Mermaid label that Mermaid would read', () => {
    return fc.assert(
      fc.asyncProperty(fc.uniqueArray(ids, { minLength: 1, maxLength: 5 }), async (names) => {
        const text = (await graphOfLists(...names.map((id) => [id]))).toMermaid();
        for (const label of text.match(/(?<=\[").*(?="\])/g) ?? [])
          expect(label.replaceAll(/#\d+;/g, '')).toMatch(/^[\p{L}\p{N}\p{M} _.-]*$/u);
      }),
    );
  });

  it('holds nothing in a Mermaid label that Markdown would read', async () => {
    const names = ['1. parse', '2.', '- parse', '---', '_parse_', '__init__', 'a - b', 'x_ y'];
    const text = (await graphOfLists(...names.map((id) => [id]))).toMermaid();
    const labels = text.match(/(?<=\[").*(?="\])/g) ?? [];
    expect(readMermaid(text).labels).toEqual(names);
    for (const label of labels)
      expect(label).not.toMatch(/^\d+\.( |$)|^- |^-+$|(^|[^\p{L}\p{N}])_|_([^\p{L}\p{N}]|$)/u);
    expect(await graphOfLists(['parse_all'], ['v1.2-rc']).then((graph) => graph.toMermaid())).toContain(
      '["parse_all"]',
    );
  });

  it('looks like this', async () => {
    const graph = await graphOf({
      name: 'report "1"',
      tasks: [
        { taskId: 'search', handler: 'h', estimatedDuration: '2s' },
        { taskId: 'say "hi"', handler: 'h', dependencies: [{ taskId: 'search', on: 'settled' }] },
      ],
    });
    expect(graph.toMermaid({ direction: 'right', criticalPath: true })).toBe(`flowchart LR
  t0["search"]
  t1["say #34;hi#34;"]
  t0 ==> t1
  classDef critical stroke-width:3px
  class t0,t1 critical
`);
    expect(graph.toDot()).toBe(`digraph workflow {
  graph [rankdir=TB, label="report \\"1\\""];
  node [shape=box, style="rounded,filled", fillcolor="#ffffff"];
  t0 [label="search"];
  t1 [label="say \\"hi\\""];
  t0 -> t1 [style=dashed];
}
`);
  });

  it('refuses options that it does not know', async () => {
    const graph = await graphOfLists(['a']);
    expect(refusal(() => graph.toMermaid({ direction: 'up' } as never)).code).toBe('OPTION_INVALID');
    expect(refusal(() => graph.toDot({ colour: 'red' } as never)).code).toBe('OPTION_UNKNOWN');
    expect(refusal(() => graph.toDot({ criticalPath: 1 } as never)).code).toBe('OPTION_INVALID');
  });

  it('marks what a comparison with an earlier version found', async () => {
    const h = { handler: 'h' };
    const before = defineWorkflow({
      name: 'w',
      tasks: [
        { taskId: 'a', ...h },
        { taskId: 'b', ...h, dependencies: ['a'] },
        { taskId: 'c', ...h, dependencies: ['b'] },
      ],
    });
    const after = defineWorkflow({
      name: 'w',
      tasks: [
        { taskId: 'a', ...h },
        { taskId: 'c', ...h, dependencies: ['a'] },
        { taskId: 'd', ...h },
      ],
    });
    const graph = await after.graph({ since: before });

    expect(graph.toJSON().nodes.map(({ taskId, change }) => [taskId, change])).toEqual([
      ['a', 'same'],
      ['c', 'changed'],
      ['d', 'added'],
      ['b', 'removed'],
    ]);
    expect(graph.toJSON().edges.map(({ from, to, change }) => `${from}>${to} ${change}`)).toEqual([
      'a>c added',
      'a>b removed',
      'b>c removed',
    ]);
    readMermaid(graph.toMermaid());
    expect(graph.toMermaid()).toContain('class t3 removed');
    expect(graph.toDot()).toContain('t2 [label="d", fillcolor="#d3f2d9", color="#1a7f37"];');
  });

  it('two versions that run against each other can be drawn, and are not sorted', async () => {
    const h = { handler: 'h' };
    const before = defineWorkflow({
      name: 'w',
      tasks: [
        { taskId: 'a', ...h },
        { taskId: 'b', ...h, dependencies: ['a'] },
      ],
    });
    const after = defineWorkflow({
      name: 'w',
      tasks: [
        { taskId: 'a', ...h, dependencies: ['b'] },
        { taskId: 'b', ...h },
      ],
    });
    const graph = await after.graph({ since: before });
    expect(graph.toDot()).toContain('t0 -> t1');
    for (const ask of [
      () => graph.generations(),
      () => graph.criticalPath(),
      () => graph.transitiveReduction(),
    ])
      expect(refusal(ask).code).toBe('DEPENDENCY_CYCLE');
  });
});
