import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, madeUpPath } from './compile.ts';

// The compiler reads the library's types each time: seconds, not milliseconds.
const COMPILE_TIMEOUT_MS = 120_000;
const BUDGET_TASKS = 200;
const BUDGET_INSTANTIATIONS = 100_000;

const typeTests = readdirSync(new URL('.', import.meta.url)).filter((name) => name.endsWith('.test-d.ts'));
const mainDoor = new URL('../../src/index.ts', import.meta.url);

/** A workflow as a user writes it: layers of ten tasks, three dependencies each, outputs used and checked. */
function workflowText(taskCount: number): string {
  const lines = [`import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';`];
  for (let index = 0; index < taskCount; index += 1) {
    const layerStart = Math.floor(index / 10) * 10;
    const parents = layerStart === 0 ? [] : [1, 4, 8].map((step) => layerStart - 10 + ((index + step) % 10));
    const names = parents.map((parent) => `t${parent}`);
    const sum = ['1', ...names.map((name) => `dependencies.${name}.total`)].join(' + ');
    const context = names.length === 0 ? '' : '{ dependencies }';
    lines.push(
      `const t${index} = task('t${index}', {`,
      `  dependencies: { ${names.join(', ')} },`,
      `  run: (${context}) => ({ total: ${sum}, label: 't${index}' as const }),`,
      '});',
    );
  }
  const all = Array.from({ length: taskCount }, (_, index) => `t${index}`);
  lines.push(`export const workflow = defineWorkflow('budget', { tasks: [${all.join(', ')}] });`);
  return lines.join('\n');
}

/** The same workflow with its handlers in a module of their own. */
function workerText(taskCount: number): string {
  const parents = (index: number): readonly string[] =>
    index < 10 ? [] : [1, 4, 8].map((step) => `t${Math.floor(index / 10) * 10 - 10 + ((index + step) % 10)}`);
  const all = Array.from({ length: taskCount }, (_, index) => index);
  return [
    `import { defineWorkflow, type HandlerContext, task, workerHandlers } from '@taskmaster-ai/orchestrator';`,
    'interface Module {',
    ...all.map((index) => {
      const wanted = parents(index).map((name) => `readonly ${name}: { readonly total: number }`);
      return `  t${index}: (context: HandlerContext<unknown, { ${wanted.join('; ')} }>) => Promise<{ total: number; label: 't${index}' }>;`;
    }),
    '}',
    `const handlers = workerHandlers<Module>('/handlers.js');`,
    ...all.map(
      (index) =>
        `const t${index} = task('t${index}', { dependencies: { ${parents(index).join(', ')} }, handler: handlers.t${index} });`,
    ),
    `export const workflow = defineWorkflow('budget', { tasks: [${all.map((index) => `t${index}`).join(', ')}] });`,
  ].join('\n');
}

describe('the types that users infer', () => {
  it.runIf(typeTests.length > 0)(
    'are those that test/types/*.test-d.ts state',
    () => {
      const { errors } = compile(typeTests.map(madeUpPath));
      expect(errors.join('\n')).toBe('');
    },
    COMPILE_TIMEOUT_MS,
  );

  it.runIf(existsSync(mainDoor)).each([
    ['functions', workflowText],
    ['exports of a module of handlers', workerText],
  ])(
    `cost fewer than ${BUDGET_INSTANTIATIONS} instantiations for ${BUDGET_TASKS} tasks that are %s`,
    (what, textOf) => {
      const path = madeUpPath('budget.made-up.ts');
      const { errors, instantiations } = compile([path], new Map([[path, textOf(BUDGET_TASKS)]]));
      expect(errors.join('\n')).toBe('');
      console.info(`${BUDGET_TASKS} tasks, ${what}: ${instantiations} instantiations`);
      expect(instantiations).toBeLessThan(BUDGET_INSTANTIATIONS);
    },
    COMPILE_TIMEOUT_MS,
  );

  it(
    'are checked at all: a wrong type in a made-up file is an error with its place',
    () => {
      const path = madeUpPath('wrong.made-up.ts');
      const { errors } = compile(
        [path],
        new Map([[path, 'export const a = 1;\nexport const b: string = a;']]),
      );
      expect(errors).toHaveLength(1);
      expect(errors[0]).toMatch(/^test\/types\/wrong\.made-up\.ts:2 {2}Type 'number' is not assignable/);
    },
    COMPILE_TIMEOUT_MS,
  );
});
