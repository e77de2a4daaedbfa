/**
 * The packed package in the hands of a stranger: the tarball is installed into an empty folder outside of the repository, and
 * used there as the documentation says, by every Node that is at hand. It takes a minute, and is no part of the test suite.
 *
 *   npm run campaign:packed
 *
 * It prints a line for each check; the exit code is 1 when one has failed.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDocument } from '../../docs/read-markdown.ts';
import { DOORS_TS, HANDLERS_JS, HANDLERS_TS, MISSING, program, REQUIRED, WORKED } from './programs.ts';
import { execute, executeLine, type NodeBinary, nodeBinaries, Stranger } from './stranger.ts';

const nodes = nodeBinaries();
const stranger = new Stranger();
let failed = 0;

/** Does something, and prints whether it could be done. */
function check(what: string, where: string, work: () => void): void {
  const startedAt = performance.now();
  let error: unknown;
  try {
    work();
  } catch (thrown) {
    failed++;
    error = thrown;
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(
    `${error === undefined ? 'passed' : 'FAILED'}  ${what.padEnd(62)} ${where.padEnd(16)} ${seconds} s`,
  );
  if (error !== undefined) console.log(error instanceof Error ? error.message : error);
}

/** Documentation has no spaces at the ends of lines. */
function tidy(printed: string): string {
  return printed.replaceAll(/ +$/gm, '');
}

/** Starts a program by each Node that can execute it. */
function checkProgram(what: string, path: string, expected: string): void {
  for (const node of nodes)
    if (node.runsTypeScript || !path.endsWith('.ts'))
      check(what, `Node ${node.version}`, () =>
        assert.equal(tidy(execute(node.path, [path], stranger.folder)), expected),
      );
}

function checkReadme(): void {
  const { fences } = readDocument('README.md');
  const at = fences.findIndex(({ language }) => language === 'ts');
  const [first, printed] = [fences[at]?.content ?? '', fences[at + 1]?.content ?? ''];
  for (const name of ['first.js', 'first.ts'])
    checkProgram(`the first program of the README, ${name}`, stranger.write(name, first), printed);
  checkProgram('the package by require()', stranger.write('required.cjs', REQUIRED), 'one\n');
}

function checkHandlers(): void {
  stranger.write('handlers.js', HANDLERS_JS);
  stranger.write('typed/handlers.ts', HANDLERS_TS);
  for (const isProcess of [false, true]) {
    const where = isProcess ? 'processes' : 'threads';
    const js = program({ handlers: './handlers.js', isProcess });
    checkProgram(`handlers in ${where}, JavaScript`, stranger.write(`${where}.js`, js), WORKED);
    const type = "typeof import('./handlers.ts')";
    const ts = program({ handlers: './handlers.ts', type, isProcess });
    checkProgram(`handlers in ${where}, TypeScript`, stranger.write(`typed/${where}.ts`, ts), WORKED);
  }
}

function checkTypes(): void {
  stranger.write('typed/doors.ts', DOORS_TS);
  stranger.write(
    'typed/first.ts',
    readDocument('README.md').fences.find((fence) => fence.language === 'ts')?.content ?? '',
  );
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    const compilerOptions = {
      ...{
        module,
        moduleResolution,
        target: 'es2022',
        lib: ['es2023'],
        types: ['node'],
        strict: true,
        noEmit: true,
      },
      ...{
        allowImportingTsExtensions: true,
        resolveJsonModule: true,
        skipLibCheck: true,
        exactOptionalPropertyTypes: true,
      },
    };
    stranger.write(`typed/${moduleResolution}.json`, JSON.stringify({ compilerOptions, include: ['.'] }));
    check(`the types, moduleResolution ${moduleResolution}`, 'tsc', () => {
      executeLine(`tsc --project typed/${moduleResolution}.json`, stranger.folder);
    });
  }
}

/** Bundles a program, takes what comes out elsewhere, where there is no node_modules, and starts it there. */
function checkBundle(what: string, line: string, app: string, expected: string): void {
  stranger.write('app.js', app);
  rmSync(join(stranger.folder, 'out'), { recursive: true, force: true });
  const elsewhere = mkdtempSync(join(tmpdir(), 'bundled-'));
  try {
    check(`${what}: made`, 'esbuild', () => {
      executeLine(line, stranger.folder);
      cpSync(join(stranger.folder, 'out'), elsewhere, { recursive: true });
      cpSync(join(stranger.folder, 'package.json'), join(elsewhere, 'package.json'));
    });
    for (const node of nodes)
      check(what, `Node ${node.version}`, () =>
        assert.equal(execute(node.path, ['app.js'], elsewhere), expected),
      );
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
}

function checkBundles(): void {
  const { text, fences } = readDocument('docs/worker-threads.md');
  const line = text.split('\n').indexOf('## In a bundle');
  const recipe = fences.find((fence) => fence.language === 'sh' && fence.line > line)?.content ?? 'exit 1';
  const handlers = './handlers.js';
  checkBundle('the recipe for bundles, threads', recipe, program({ handlers }), WORKED);
  checkBundle('the recipe for bundles, processes', recipe, program({ handlers, isProcess: true }), WORKED);

  const plain = recipe.replace('--splitting', '--minify');
  checkBundle('a bundle without common files, threads', plain, program({ handlers }), WORKED);
  const moved = recipe.replace(' worker=', ' run/it/first=');
  const options = "entry: new URL('./run/it/first.js', import.meta.url)";
  checkBundle('a bundle with a named entry, threads', moved, program({ handlers, options }), WORKED);
  const isProcess = true;
  checkBundle(
    'a bundle with a named entry, processes',
    moved,
    program({ handlers, options, isProcess }),
    WORKED,
  );
  const forgotten = recipe.replace(/ worker=\S+/, '');
  checkBundle('a bundle without the file for threads says so', forgotten, MISSING, 'HANDLER_LOAD_FAILED\n');
}

function describeNodes(): string {
  const describe = ({ version, runsTypeScript }: NodeBinary): string =>
    `${version}${runsTypeScript ? '' : ' (JavaScript only)'}`;
  return nodes.map(describe).join(', ');
}

console.log(`the packed package, by Node ${describeNodes()}`);
try {
  check('packed, and installed into an empty folder', 'npm', () => stranger.install());
  if (failed === 0) {
    checkReadme();
    checkHandlers();
    checkTypes();
    checkBundles();
  }
} finally {
  stranger.remove();
}
console.log(failed === 0 ? 'all passed' : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
