import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkSources, listBreaches } from './check-sources.ts';
import type { Rules } from './rules.ts';

const PURE_BASE = ['model', 'base'];
const BELOW_MANAGERS = ['ports', 'machine', ...PURE_BASE];
const MANAGERS = [
  'managers/workflows',
  'managers/scheduling',
  'managers/concurrency',
  'managers/resources',
  'managers/persistence',
  'managers/monitoring',
];
const BELOW_ORCHESTRATOR = [...MANAGERS, 'planning', 'formats', ...BELOW_MANAGERS];

/** docs/architecture.md says why. Lowest layer first; imports point down only, and type-only imports count. */
const RULES: Rules = {
  layers: {
    base: { imports: [], pure: true, packages: ['@standard-schema/spec', 'eventemitter3'] },
    model: { imports: ['base', 'model/graph'], pure: true, packages: ['@standard-schema/spec'] },
    // Examines and draws plans; loaded when it is asked for, so it is the one part below the managers that waits.
    'model/graph': { imports: PURE_BASE, packages: ['graphology', 'graphology-dag'] },
    machine: { imports: PURE_BASE, pure: true, packages: [], header: true },
    formats: { imports: PURE_BASE, pure: true },
    planning: { imports: PURE_BASE, pure: true },
    ports: { imports: ['machine', ...PURE_BASE], typesOnly: true },
    'managers/workflows': {
      imports: [
        'managers/scheduling',
        'managers/concurrency',
        'managers/resources',
        'managers/persistence',
        ...BELOW_MANAGERS,
      ],
      header: true,
    },
    'managers/scheduling': {
      imports: ['managers/concurrency', 'managers/resources', ...BELOW_MANAGERS],
      header: true,
    },
    'managers/concurrency': { imports: ['managers/resources', ...BELOW_MANAGERS], header: true },
    'managers/resources': { imports: ['planning', ...BELOW_MANAGERS], header: true },
    'managers/persistence': { imports: BELOW_MANAGERS, header: true },
    'managers/monitoring': { imports: BELOW_MANAGERS, header: true },
    adapters: { imports: BELOW_MANAGERS, typesFrom: ['ports'], isolatedFolders: true },
    orchestrator: { imports: BELOW_ORCHESTRATOR },
    server: { imports: ['orchestrator', ...BELOW_ORCHESTRATOR] },
    testing: { imports: ['orchestrator', 'adapters', ...BELOW_ORCHESTRATOR] },
  },
  // The only file that joins managers and adapters.
  exceptions: [{ file: 'src/orchestrator/compose.ts', imports: ['adapters'] }],
  doors: ['server', 'testing', 'orchestrator', 'adapters', 'model/graph', ...BELOW_ORCHESTRATOR],
  fileLinesMax: 350,
  functionLinesMax: 70,
};

function readTree(folder: URL): Map<string, string> {
  const root = fileURLToPath(folder);
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const sources = paths.filter((path) => /\.[cm]?tsx?$/.test(path)).map((path) => path.replaceAll('\\', '/'));
  return new Map(sources.map((path) => [`src/${path}`, readFileSync(new URL(path, folder), 'utf8')]));
}

describe('the source', () => {
  it('keeps to the layers and to the rules for files', () => {
    const sources = readTree(new URL('../../src/', import.meta.url));
    expect(sources.size).toBeGreaterThan(0);
    expect(listBreaches(checkSources(sources, RULES))).toBe('');
  });
});

const HEADER = '/** What it is for. */\n';
const lines = (count: number) => Array.from({ length: count }, () => '// line').join('\n');

/** Made-up sources: each breaks exactly the rule that it is listed under. */
const BAD: readonly { rule: string; what: string; sources: Record<string, string> }[] = [
  {
    rule: 'layer',
    what: 'an upward arrow',
    sources: {
      'src/base/a.ts': `import { b } from '../model/b.ts';`,
      'src/model/b.ts': 'export const b = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'an upward arrow of types only',
    sources: {
      'src/base/a.ts': `import type { B } from '../model/b.ts';`,
      'src/model/b.ts': 'export type B = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'an upward arrow in an import type',
    sources: {
      'src/base/a.ts': `export type A = import('../model/b.ts').B;`,
      'src/model/b.ts': 'export type B = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'an upward re-export',
    sources: {
      'src/model/a.ts': `export { b } from '../orchestrator/b.ts';`,
      'src/orchestrator/b.ts': 'export const b = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'an upward dynamic import',
    sources: {
      'src/managers/workflows/a.ts': `${HEADER}export const a = () => import('../../orchestrator/b.ts');`,
      'src/orchestrator/b.ts': 'export const b = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'a manager that imports an adapter',
    sources: {
      'src/managers/workflows/a.ts': `${HEADER}import { b } from '../../adapters/memory/b.ts';`,
      'src/adapters/memory/b.ts': 'export const b = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'an adapter that imports a manager',
    sources: {
      'src/adapters/memory/a.ts': `import type { B } from '../../managers/workflows/b.ts';`,
      'src/managers/workflows/b.ts': `${HEADER}export type B = 1;`,
    },
  },
  {
    rule: 'layer',
    what: 'an adapter that imports another one',
    sources: {
      'src/adapters/memory/a.ts': `import { b } from '../file/b.ts';`,
      'src/adapters/file/b.ts': 'export const b = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'an adapter that takes a value from a port',
    sources: {
      'src/adapters/memory/a.ts': `import { B } from '../../ports/b.ts';`,
      'src/ports/b.ts': 'export type B = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'managers that import each other against the order',
    sources: {
      'src/managers/resources/a.ts': `${HEADER}import { b } from '../scheduling/b.ts';`,
      'src/managers/scheduling/b.ts': `${HEADER}export const b = 1;`,
    },
  },
  {
    rule: 'layer',
    what: 'a manager that imports monitoring',
    sources: {
      'src/managers/workflows/a.ts': `${HEADER}import { b } from '../monitoring/b.ts';`,
      'src/managers/monitoring/b.ts': `${HEADER}export const b = 1;`,
    },
  },
  {
    rule: 'layer',
    what: 'an adapter imported by the facade outside compose.ts',
    sources: {
      'src/orchestrator/a.ts': `import { b } from '../adapters/memory/b.ts';`,
      'src/adapters/memory/b.ts': 'export const b = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'a port that imports a value',
    sources: {
      'src/ports/a.ts': `import { b } from '../model/b.ts';`,
      'src/model/b.ts': 'export const b = 1;',
    },
  },
  {
    rule: 'layer',
    what: 'a door imported from inside',
    sources: { 'src/testing/a.ts': `import type { b } from '../index.ts';`, 'src/index.ts': '' },
  },
  {
    rule: 'layer',
    what: 'the package imported by its own name',
    sources: { 'src/testing/a.ts': `import { b } from '@taskmaster-ai/orchestrator/testing';` },
  },
  { rule: 'layer', what: 'a file outside every layer', sources: { 'src/misc/a.ts': '' } },
  { rule: 'layer', what: 'a file beside the managers', sources: { 'src/managers/a.ts': '' } },
  {
    rule: 'layer',
    what: 'a package in machine',
    sources: { 'src/machine/a.ts': `${HEADER}import 'p-queue';` },
  },
  { rule: 'import', what: 'an import without extension', sources: { 'src/base/a.ts': `import './b';` } },
  { rule: 'import', what: 'an import out of src', sources: { 'src/base/a.ts': `import '../../test/b.ts';` } },
  {
    rule: 'circle',
    what: 'a circle through types',
    sources: {
      'src/base/a.ts': `import type { C } from './b.ts';`,
      'src/base/b.ts': `export type { C } from './c.ts';`,
      'src/base/c.ts': `import { a } from './a.ts';`,
    },
  },
  { rule: 'circle', what: 'a file that imports itself', sources: { 'src/base/a.ts': `import './a.ts';` } },
  { rule: 'inner-barrel', what: 'an inner index.ts', sources: { 'src/base/index.ts': '' } },
  {
    rule: 'export-star',
    what: 'export *',
    sources: { 'src/index.ts': `export * from './base/a.ts';`, 'src/base/a.ts': '' },
  },
  {
    rule: 'export-star',
    what: 'export * as',
    sources: { 'src/base/b.ts': `export * as a from './a.ts';`, 'src/base/a.ts': '' },
  },
  { rule: 'door', what: 'a door with code', sources: { 'src/index.ts': 'export const a = 1;' } },
  { rule: 'file-length', what: '351 lines', sources: { 'src/base/a.ts': lines(351) } },
  {
    rule: 'function-length',
    what: 'a function of 71 lines',
    sources: { 'src/base/a.ts': `export function a() {\n${lines(69)}\n}` },
  },
  {
    rule: 'function-length',
    what: 'an arrow function of 71 lines',
    sources: { 'src/base/a.ts': `export const a = () => {\n${lines(69)}\n};` },
  },
  {
    rule: 'function-length',
    what: 'a method of 71 lines',
    sources: { 'src/base/a.ts': `class A {\n  b() {\n${lines(69)}\n}\n}` },
  },
  { rule: 'any', what: 'any as a type', sources: { 'src/base/a.ts': 'export const a = (b: any) => b;' } },
  { rule: 'any', what: 'as any', sources: { 'src/base/a.ts': 'export const a = 1 as any;' } },
  { rule: 'vague-name', what: 'utils.ts', sources: { 'src/base/utils.ts': '' } },
  { rule: 'vague-name', what: 'helpers-for-ids.ts', sources: { 'src/base/helpers-for-ids.ts': '' } },
  { rule: 'vague-name', what: 'a folder util', sources: { 'src/base/util/a.ts': '' } },
  { rule: 'console', what: 'console.log', sources: { 'src/server/a.ts': `console.log('a');` } },
  {
    rule: 'console',
    what: 'globalThis.console',
    sources: { 'src/server/a.ts': 'globalThis.console.log();' },
  },
  { rule: 'header', what: 'a manager without header', sources: { 'src/managers/resources/a.ts': '// no' } },
  {
    rule: 'header',
    what: 'a machine file without header',
    sources: { 'src/machine/a.ts': 'export const a = 1;' },
  },
  { rule: 'types-only', what: 'a port with a value', sources: { 'src/ports/a.ts': 'export const a = 1;' } },
  ...[
    `import { readFileSync } from 'node:fs';`,
    `import type { Readable } from 'stream';`,
    'export const a = new Date();',
    'export const a = Date();',
    'export const a = Date.now();',
    'export const a = { b: Date };',
    'export const a = Math.random();',
    'export const a = performance.now();',
    'setTimeout(() => {}, 1);',
    'setInterval(() => {}, 1);',
    'queueMicrotask(() => {});',
    'export const a = Promise.resolve(1);',
    'export const a = new Promise(() => {});',
    'export async function a() {}',
    'export const a = async () => {};',
    'export const a = { async b() {} };',
    'export class A { async *b() {} }',
    'export const a = await b;',
    `export const a = import('./a.ts');`,
    'export const a = process.env;',
    'export const a = globalThis.Date;',
    `export const a = globalThis['setTimeout'];`,
    'export class A extends Promise<number> {}',
  ].map((text) => ({ rule: 'impure', what: text, sources: { 'src/formats/a.ts': text } })),
];

describe('the check itself', () => {
  it.each(BAD)('catches $what ($rule)', ({ rule, sources }) => {
    const breaches = checkSources(new Map(Object.entries(sources)), RULES);
    expect(breaches.map((breach) => breach.rule)).toContain(rule);
  });

  it('judges every layer that is pure', () => {
    for (const layer of ['base', 'model', 'machine', 'formats', 'planning']) {
      const breaches = checkSources(new Map([[`src/${layer}/a.ts`, `${HEADER}Date.now();`]]), RULES);
      expect(breaches.map((breach) => breach.rule)).toEqual(['impure']);
    }
  });

  it('allows what the rules allow', () => {
    const good = new Map([
      ['src/index.ts', `export { open, type Options } from './orchestrator/open.ts';`],
      ['src/orchestrator/open.ts', `import { compose } from './compose.ts'; export const open = compose;`],
      ['src/orchestrator/compose.ts', `import { store } from '../adapters/memory/store.ts';`],
      [
        'src/adapters/memory/store.ts',
        `import type { Store } from '../../ports/store.ts'; import 'node:fs';`,
      ],
      ['src/ports/store.ts', `import type { A } from '../model/a.ts'; export interface Store { a: A }`],
      [
        'src/model/a.ts',
        'export type A = Promise<Date>;\nexport const isDate = (v: unknown) => v instanceof Date;',
      ],
      [
        'src/model/c.ts',
        'export const a = new Date(0);\nexport const b = Date.prototype.getTime;\nexport const c = Promise.prototype;',
      ],
      [
        'src/machine/a.ts',
        `${HEADER}export const now = (clock: { Date: number }) => clock.Date + Math.max(1, 2);`,
      ],
      ['src/machine/b.ts', `${HEADER}export const label = { performance: 1 }.performance;\n${lines(348)}`],
      ['src/managers/scheduling/a.ts', `${HEADER}import { b } from '../concurrency/b.ts'; await b;`],
      ['src/managers/concurrency/b.ts', `${HEADER}export function b() {\n${lines(68)}\n}`],
      [
        'src/model/b.ts',
        'export interface B extends PromiseLike<1> {}\nexport type C = typeof Date | Promise<B>;',
      ],
      ['src/base/utilisation.ts', 'export const many = 1; // a name, not the word any'],
    ]);
    expect(listBreaches(checkSources(good, RULES))).toBe('');
  });

  it('prints the shortest way around a circle, once, with its place', () => {
    const circle = new Map([
      ['src/base/a.ts', `\nimport './b.ts';\nimport './c.ts';`],
      ['src/base/b.ts', `import './d.ts';`],
      ['src/base/c.ts', `import './a.ts';`],
      ['src/base/d.ts', `import './c.ts';`],
    ]);
    const [first] = listBreaches(checkSources(circle, RULES)).split('\n');
    expect(first).toBe(
      'src/base/a.ts:3  [circle] import circle: src/base/a.ts -> src/base/c.ts -> src/base/a.ts',
    );
  });
});
