/** What a stranger is told of a module of handlers that was named wrongly, or holds what is no handler. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { OrchestratorError } from '../../../src/model/errors.ts';
import { expectRefused } from '../../support/refusals.ts';
import { codeOf, ISOLATIONS, needsThreads, noThreads, withBench } from '../../support/workers.ts';

const folder = mkdtempSync(join(tmpdir(), 'module-errors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return pathToFileURL(path).href;
}

describe.skipIf(noThreads !== undefined)(needsThreads('a module that was named wrongly'), () => {
  const shapes: readonly (readonly [string, string, string])[] = [
    [
      'a file that is not there',
      'absent.mjs',
      'found no file; allowed: a file of code that exports functions. ',
    ],
    ['a mistyped file', 'wrods.mjs', 'found no file; allowed: .*Did you mean "words.mjs"\\?$'],
    ['a file with another ending', 'words.mts', 'found no file; allowed: .*Did you mean "words.mjs"\\?$'],
    ['a folder', '.', 'found a folder; allowed: a file of code that exports functions. Name the file in it'],
  ];
  const words = 'export const count = () => 1;\nexport class Word {}\nexport function* each() {}\n';

  for (const isolation of ISOLATIONS) {
    it.each(shapes)(`${isolation}: %s`, async (_, name, message) => {
      fileOf('words.mjs', words);
      const file = pathToFileURL(join(folder, name)).href;
      await withBench({ isolation, file }, async (bench) => {
        const thrown = (await bench.thrown('count')) as OrchestratorError;
        expect(codeOf(thrown)).toBe('HANDLER_LOAD_FAILED');
        expect(thrown.message).toMatch(new RegExp(`: ${message}`));
        expect(thrown.message.startsWith(`module ${file}: `)).toBe(true);
        expect(thrown.cause).toBeInstanceOf(Error);
      });
    });

    it(`${isolation}: limits of a handler that it does not export`, async () => {
      const file = fileOf('words.mjs', words);
      await withBench({ isolation, file, handlers: { cuont: { concurrent: 3 } } }, async (bench) => {
        const thrown = (await bench.thrown('count')) as OrchestratorError;
        expectRefused(thrown, 'HANDLER_UNKNOWN', 'workerHandlers/handlers/cuont');
        expect(thrown.message).toMatch(/Did you mean "count"\?$/);
      });
    });

    it(`${isolation}: classes and generators are no handlers`, async () => {
      const file = fileOf('words.mjs', words);
      await withBench({ isolation, file }, async (bench) => {
        for (const [name, found] of [
          ['Word', 'a class'],
          ['each', 'a generator function'],
        ] as const) {
          const thrown = (await bench.thrown(name)) as OrchestratorError;
          expectRefused(thrown, 'HANDLER_INVALID', `module ${file}/${name}`);
          expect(thrown.details.found).toBe(found);
        }
        expect(await bench.output('count')).toBe(1);
      });
    });
  }

  it('text of more than 64 MiB is refused in the thread, where it is', async () => {
    const file = fileOf('long.mjs', 'export const long = () => "x".repeat(40e6);');
    await withBench({ file }, async (bench) => {
      const thrown = (await bench.thrown('long')) as OrchestratorError;
      expectRefused(thrown, 'VALUE_UNSERIALISABLE', 'output of task "long-1"');
    });
  });
});
