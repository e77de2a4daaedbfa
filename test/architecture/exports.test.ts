import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

// The public names, held in a file, so that a change of the surface is seen in review. To accept a change:
//   UPDATE_PUBLIC_API=1 npm test -- test/architecture/exports.test.ts
const golden = new URL('./public-api.txt', import.meta.url);
const source = new URL('../../src/', import.meta.url);
const manifest = new URL('../../package.json', import.meta.url);

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
}

/** The doors of the package: its exports, without package.json itself. */
function doors(): { name: string; file: URL }[] {
  const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
  return Object.entries(exports).flatMap(([name, target]) => {
    if (typeof target === 'string') return [];
    const file = target.default.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts');
    return [{ name: name.replace(/^\./, '@taskmaster-ai/orchestrator'), file: new URL(file, source) }];
  });
}

/** A door only re-exports by name (layers.test.ts proves it), so its own text tells all that it exports. */
function exportedNames(file: URL): string[] {
  const tree = ts.createSourceFile(file.pathname, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const names = tree.statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined) return [];
    if (!ts.isNamedExports(statement.exportClause)) return [];
    return statement.exportClause.elements.map((element) => {
      const kind = statement.isTypeOnly || element.isTypeOnly ? 'type' : 'value';
      return `${element.name.text} (${kind})`;
    });
  });
  return names.sort();
}

function publicApi(): string {
  const sections = doors().map(
    ({ name, file }) =>
      `${name}\n${exportedNames(file)
        .map((line) => `  ${line}\n`)
        .join('')}`,
  );
  return sections.join('\n');
}

const hint =
  'the public names changed; if that is meant: UPDATE_PUBLIC_API=1 npm test -- test/architecture/exports.test.ts';

describe.runIf(existsSync(new URL('index.ts', source)))('the public names', () => {
  it('are those of public-api.txt', () => {
    const actual = publicApi();
    if (process.env.UPDATE_PUBLIC_API === '1') writeFileSync(golden, actual);
    const expected = existsSync(golden) ? readFileSync(golden, 'utf8') : '';
    expect(actual, hint).toBe(expected);
  });

  it('have a door in the source for each export of the package', () => {
    const missing = doors().filter(({ file }) => !existsSync(file));
    expect(missing).toEqual([]);
  });
});
