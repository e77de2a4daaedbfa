import { defineWorkflow, settled, task } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/model/compile.ts';
import {
  type CompiledPlan,
  isFailureTolerated,
  isSettledEdge,
  remainingPaths,
} from '../../src/model/plan.ts';
import { refusal } from '../support/errors.ts';
import { plan, planOf, t } from '../support/plan-spec.ts';
import { plans } from '../support/random-plans.ts';

const run = (): number => 1;

/** The dependents of a task, with `?` where any outcome will do. */
function dependentsOf(of: CompiledPlan, id: string): readonly string[] {
  const i = of.indexOf.get(id) ?? -1;
  return Array.from(of.dependents.slice(of.dependentStart[i], of.dependentStart[i + 1]), (dependent) => {
    const isSettled = isSettledEdge(of, i, dependent);
    return `${of.ids[dependent]}${isSettled ? '?' : ''}`;
  });
}

function dependenciesOf(of: CompiledPlan, id: string): readonly string[] {
  const i = of.indexOf.get(id) ?? -1;
  return Array.from(
    of.dependencies.slice(of.dependencyStart[i], of.dependencyStart[i + 1]),
    (d) => of.ids[d] ?? '?',
  );
}

describe('compile', () => {
  it('keeps the positions of the definition', () => {
    const compiled = plan([t('c', 'a'), t('a'), t('b', 'c', 'a')]);
    expect(compiled.ids).toEqual(['c', 'a', 'b']);
    expect([...compiled.indexOf]).toEqual([
      ['c', 0],
      ['a', 1],
      ['b', 2],
    ]);
    expect(dependenciesOf(compiled, 'b')).toEqual(['c', 'a']);
    expect(dependentsOf(compiled, 'a')).toEqual(['c', 'b']);
    expect([...compiled.unmet]).toEqual([1, 0, 2]);
    expect([...compiled.order]).toEqual([1, 0, 2]);
  });

  it('compiles a workflow once', () => {
    const workflow = defineWorkflow('once', { tasks: [task('a', { run })] });
    expect(compile(workflow)).toBe(compile(workflow));
  });

  it('lets dependencies that are tasks join behind those that were listed, also through each other', () => {
    const a = task('a', { run });
    const b = task('b', { dependencies: { a }, run });
    const c = task('c', { dependencies: [b, a], run });
    const compiled = compile(defineWorkflow('join', { tasks: [c] }));
    expect(compiled.ids).toEqual(['c', 'b', 'a']);
    expect(compiled.listed).toBe(1);
    expect([...compiled.order].map((i) => compiled.ids[i])).toEqual(['a', 'b', 'c']);
  });

  it('counts a dependency that is named twice once, and the stricter of the two wins', () => {
    const a = task('a', { run });
    const twice = (dependencies: readonly (typeof a | { settled: typeof a })[]) =>
      compile(defineWorkflow('twice', { tasks: [a, task('b', { dependencies, run })] }));
    for (const dependencies of [
      [a, settled(a)],
      [settled(a), a],
      [settled(a), settled(a), a],
    ]) {
      const compiled = twice(dependencies);
      expect(dependentsOf(compiled, 'a')).toEqual(['b']);
      expect([...compiled.unmet]).toEqual([0, 1]);
    }
    expect(dependentsOf(twice([settled(a), settled(a)]), 'a')).toEqual(['b?']);
  });

  it('knows which edges take any outcome, and whose failure that makes tolerable', () => {
    const compiled = plan([t('a'), t('b'), t('c'), t('x', 'a?', 'b'), t('y', 'a?', 'b?')]);
    expect(dependentsOf(compiled, 'a')).toEqual(['x?', 'y?']);
    expect(dependentsOf(compiled, 'b')).toEqual(['x', 'y?']);
    expect(['a', 'b', 'c'].map((id) => isFailureTolerated(compiled, compiled.indexOf.get(id) ?? -1))).toEqual(
      [...[true, false, false]],
    );
  });

  it('raises the priority of a task to the highest of those that depend on it', () => {
    const spec = [
      { ...t('a'), priority: -5 },
      { ...t('b', 'a'), priority: 1 },
      { ...t('c', 'b'), priority: 9 },
      t('d'),
    ];
    expect([...plan(spec).priority]).toEqual([9, 9, 9, 0]);
    expect([
      ...plan([
        { ...t('a'), priority: 4 },
        { ...t('b', 'a'), priority: -4 },
      ]).priority,
    ]).toEqual([4, -4]);
  });

  it('measures the longest way to the end by estimates, else by tasks', () => {
    const hops = plan([t('a'), t('b', 'a'), t('c', 'b'), t('d', 'a')]);
    expect([...remainingPaths(hops)]).toEqual([3, 2, 1, 1]);
    const estimated = plan([
      ...[
        { ...t('a'), estimatedDuration: 10 },
        { ...t('b', 'a'), estimatedDuration: 5 },
      ],
      ...[
        { ...t('c', 'a'), estimatedDuration: 500 },
        { ...t('d', 'b'), estimatedDuration: 0 },
      ],
    ]);
    expect([...remainingPaths(estimated)]).toEqual([510, 5, 500, 0]);
  });

  it('gives arrays that agree with each other and with the definition, for any graph (I12)', () => {
    fc.assert(
      fc.property(plans(20), (spec) => {
        const compiled = planOf(spec);
        const placeOf = new Map([...compiled.order].map((i, place) => [i, place]));
        expect(placeOf.size).toBe(compiled.size);
        for (const { taskId, dependencies = [] } of spec.tasks) {
          const index = compiled.indexOf.get(taskId) ?? -1;
          const wanted = new Map<string, boolean>();
          for (const { taskId: id, on } of dependencies)
            wanted.set(id, (wanted.get(id) ?? true) && on === 'settled');
          expect(dependenciesOf(compiled, taskId)).toEqual([...wanted.keys()]);
          expect(compiled.unmet[index]).toBe(wanted.size);
          for (const [id, isSettled] of wanted) {
            expect(dependentsOf(compiled, id)).toContain(isSettled ? `${taskId}?` : taskId);
            expect(placeOf.get(compiled.indexOf.get(id) ?? -1)).toBeLessThan(placeOf.get(index) ?? -1);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ['an unknown dependency', [t('search'), t('b', 'serach')], 'DEPENDENCY_UNKNOWN', /Did you mean "search"/],
    ['a task that depends on itself', [t('a', 'a')], 'DEPENDENCY_SELF', /the task itself/],
    ['two tasks of one id', [t('a'), t('a')], 'ID_DUPLICATE', /"a"/],
    ['a cycle', [t('a', 'c'), t('b', 'a'), t('c', 'b')], 'DEPENDENCY_CYCLE', /a > b > c > a/],
    [
      'two cycles',
      [t('a', 'b'), t('b', 'a'), t('c', 'd'), t('d', 'c')],
      'DEPENDENCY_CYCLE',
      /2 cycles: .*; /,
    ],
  ] as const)('refuses %s', (_what, tasks, code, message) => {
    const error = refusal(() => plan(tasks));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('gives the cycles in the details, whole, and in the message, short', () => {
    const ring = Array.from({ length: 100 }, (_, i) => t(`${i}`, `${(i + 99) % 100}`));
    const error = refusal(() => plan(ring));
    const cycles = error.details.cycles as readonly (readonly string[])[];
    expect(cycles.map((cycle) => cycle.length)).toEqual([101]);
    expect(error.message).toContain('more …');
    expect(error.message.length).toBeLessThan(500);
  });

  it('compiles a chain of 100,000 tasks, and names a ring of as many', () => {
    const size = 100_000;
    const chain = Array.from({ length: size }, (_, i) => (i === 0 ? t('0') : t(`${i}`, `${i - 1}`)));
    expect([...plan(chain).order.slice(-2)]).toEqual([size - 2, size - 1]);
    const error = refusal(() => plan([t('0', `${size - 1}`), ...chain.slice(1)]));
    expect((error.details.cycles as readonly (readonly string[])[]).map((cycle) => cycle.length)).toEqual([
      size + 1,
    ]);
  });
});
