/** A host that was given its code as text, or is looked at by a debugger, can start threads and processes. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hostArguments, threadArguments } from '../../../src/adapters/worker-threads/host-arguments.ts';
import { canRunPrograms } from '../../support/child-program.ts';
import { handlersFile, ISOLATIONS } from '../../support/workers.ts';

describe('the options that a process takes over', () => {
  it.each([
    [[], []],
    [
      ['--no-warnings', '--import', './hooks.js'],
      ['--no-warnings', '--import', './hooks.js'],
    ],
    [
      ['--max-old-space-size=100', '--expose-gc', '--input-type=module', '--eval', 'code'],
      ['--max-old-space-size=100', '--expose-gc'],
    ],
    [
      ['--input-type', 'module', '-e', 'code', '-r', './first.js'],
      ['-r', './first.js'],
    ],
    [
      ['--eval=code', '--print', 'code', '-C', 'name'],
      ['-C', 'name'],
    ],
    [['-p', 'code'], []],
    [['-pe', 'code', '--enable-source-maps'], ['--enable-source-maps']],
    [['--inspect', '--no-warnings'], ['--no-warnings']],
    [
      ['--inspect-brk=127.0.0.1:9229', '--inspect-port', '9230', '--title', 'host'],
      ['--title', 'host'],
    ],
    [
      ['--test', '--test-reporter', 'spec', '--watch', '--watch-path', './src', '--trace-warnings'],
      ['--trace-warnings'],
    ],
  ])('%j: %j', (given, expected) => {
    expect(hostArguments(given)).toEqual(expected);
  });
});

describe('the options that a thread takes over', () => {
  it('are all those of the host by itself, when that executes a file', () => {
    expect(threadArguments(['--no-warnings', '--expose-gc'])).toBeUndefined();
  });

  it('are those that Node takes for a thread, when the host executes a text', () => {
    const given = [
      '--expose-gc',
      '--title',
      'host',
      '--import',
      './hooks.js',
      '--input-type=module',
      '-e',
      'code',
      '-C',
      'name',
    ];
    expect(threadArguments(given)).toEqual(['--import', './hooks.js', '-C', 'name']);
  });
});

const root = fileURLToPath(new URL('../../..', import.meta.url));
const index = new URL('../../../src/index.ts', import.meta.url).href;

/** Runs a host that is given as text, and gives all that it has written. */
function runText(
  isolation: string,
  options: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const text = `
    import { Orchestrator, task, workerHandlers } from ${JSON.stringify(index)};
    const { echo } = workerHandlers(${JSON.stringify(handlersFile('faults.mjs'))}, { idle: '20ms', isolation: '${isolation}' });
    const orchestrator = await Orchestrator.open();
    const run = await orchestrator.scheduleTask(task('echo', { handler: echo, inputData: 'hello' }));
    console.log((await run.result()).outputs.echo);`;
  const child = spawn(process.execPath, [...options, '--eval', text], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      written[name] += chunk.toString();
    });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...written }));
  });
}

const CANNOT_RUN = 'a host (skipped: this Node runs no TypeScript)';

describe.skipIf(!canRunPrograms)(canRunPrograms ? 'a host given as text' : CANNOT_RUN, () => {
  for (const isolation of ISOLATIONS) {
    it.each([
      [['--no-warnings', '--input-type=module', '--expose-gc', '--max-old-space-size=500'], 0],
      [['--no-warnings', '--input-type', 'module', '--inspect=127.0.0.1:0'], 1],
    ])(`${isolation}: %j`, async (options, debuggers) => {
      const { code, stdout, stderr } = await runText(isolation, options);
      expect(stdout).toBe('hello\n');
      expect(stderr.match(/Debugger listening/g)?.length ?? 0).toBe(debuggers);
      expect(code).toBe(0);
    });
  }
});
