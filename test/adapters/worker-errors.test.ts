/** What was thrown in a thread or a process is what the host sees: class, code, fields, causes, stacks. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  codeOf,
  ISOLATIONS,
  needsThreads,
  noThreads,
  runsTypeScript,
  WorkerBench,
  withBench,
} from '../support/workers.ts';

const folder = mkdtempSync(join(tmpdir(), 'worker-errors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return pathToFileURL(path).href;
}

for (const isolation of ISOLATIONS)
  describe.skipIf(noThreads !== undefined)(needsThreads(`${isolation}: errors`), () => {
    let bench: WorkerBench;
    beforeAll(() => {
      bench = new WorkerBench({ isolation });
    });
    afterAll(() => bench.close());

    it('keeps class, name, code, own fields and the chain of causes', async () => {
      const thrown = (await bench.thrown('throwsRich')) as TypeError & Record<string, unknown>;
      expect(thrown).toBeInstanceOf(TypeError);
      expect(thrown).toMatchObject({
        name: 'PaymentError',
        message: 'too little',
        code: 'E_PAYMENT',
        amount: { currency: 'EUR', cents: 12n },
        at: new Date(7),
      });
      expect(thrown.cause).toBeInstanceOf(RangeError);
      expect(thrown.cause).toMatchObject({ message: 'below zero', cause: 'a text' });
      expect(thrown.stack).toContain('faults.mjs');
    });

    it('keeps the errors of an AggregateError', async () => {
      const thrown = (await bench.thrown('throwsAggregate')) as AggregateError;
      expect(thrown).toBeInstanceOf(AggregateError);
      expect(thrown.message).toBe('all of them');
      expect(thrown.errors[0]).toBeInstanceOf(TypeError);
      expect(thrown.errors[1]).toBeNull();
      expect(thrown.errors[2]).toMatchObject({ message: 'three', code: 'E_3' });
    });

    it('keeps a DOMException', async () => {
      for (const [name, expected] of [
        ['throwsDomException', 'AbortError'],
        ['throwsTimeout', 'TimeoutError'],
      ] as const) {
        const thrown = await bench.thrown(name);
        expect(thrown).toBeInstanceOf(DOMException);
        expect(thrown).toMatchObject({ name: expected });
      }
    });

    it('keeps what a system call says, whether to retry, and leaves out what cannot be carried', async () => {
      expect(await bench.thrown('throwsSystem')).toMatchObject({
        code: 'ENOENT',
        syscall: 'open',
        errno: -2,
      });
      expect(await bench.thrown('throwsRetryable')).toMatchObject({ retryable: false });
      const odd = (await bench.thrown('throwsOdd')) as Record<string, unknown>;
      expect(odd).toBeInstanceOf(RangeError);
      expect(odd.fine).toBe(1);
      expect(Object.hasOwn(odd, 'odd')).toBe(false);
      expect(await bench.thrown('throwsItself')).toMatchObject({ message: 'a ring' });
    });

    it('names the nearest export, and every one there is', async () => {
      const thrown = await bench.thrown('throwsNul');
      expect(codeOf(thrown)).toBe('HANDLER_UNKNOWN');
      expect((thrown as Error).message).toContain('Did you mean "throwsNull"?');
    });

    it('says where a result has what cannot be carried', async () => {
      const thrown = (await bench.thrown('returnsFunction')) as Error;
      expect(thrown.message).toContain('/list/1/act');
      expect(thrown.message).toMatch(/returnsFunction-\d/);
    });

    it('drops what a handler says after its end', async () => {
      const call = bench.call('talksAfterwards');
      await call.outcome;
      expect(await bench.output('slow')).toBe('done');
      expect(call.said).toEqual([]);
    });

    it('shows the lines of the source in stacks, by source maps', async () => {
      const source =
        '\n\ninterface Page {\n  title: string;\n}\nexport const fail = (_: Page): never => {\n  throw new Error("mapped");\n};\n';
      const { outputText, sourceMapText } = ts.transpileModule(source, {
        fileName: 'pages.ts',
        compilerOptions: { sourceMap: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      fileOf('pages.js.map', sourceMapText as string);
      const file = fileOf('pages.mjs', outputText);
      await withBench({ isolation, file, execArgv: ['--enable-source-maps'] }, async (mapped) => {
        expect(((await mapped.thrown('fail')) as Error).stack).toContain('pages.ts:7');
      });
    });
  });

const NO_TYPESCRIPT = 'a module in TypeScript (skipped: this Node does not execute TypeScript)';

describe.skipIf(!runsTypeScript)(runsTypeScript ? 'a module in TypeScript' : NO_TYPESCRIPT, () => {
  it.each(ISOLATIONS)('%s: is loaded as it is', async (isolation) => {
    const file = fileOf(
      'typed.ts',
      'export const twice = ({ inputData }: { inputData: number }): number => inputData * 2;',
    );
    await withBench({ isolation, file }, async (bench) => expect(await bench.output('twice', 21)).toBe(42));
  });

  it.each(ISOLATIONS)('%s: says why, when it has what Node cannot strip', async (isolation) => {
    const file = fileOf('enum.ts', 'export enum Kind { A }\nexport const kind = () => Kind.A;');
    await withBench({ isolation, file }, async (bench) => {
      const thrown = (await bench.thrown('kind')) as Error;
      expect(codeOf(thrown)).toBe('HANDLER_LOAD_FAILED');
      expect(thrown.cause).toMatchObject({ code: 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX' });
    });
  });
});

describe.skipIf(noThreads !== undefined)(needsThreads('a module that cannot be loaded'), () => {
  const shapes: readonly (readonly [string, string, string | RegExp])[] = [
    ['throws', 'throw new RangeError("at import");', 'at import'],
    ['throws null', 'throw null;', ''],
    ['has an error of syntax', 'export const = 1;', /Missing initializer|Unexpected token/],
    ['needs what is not there', 'import "./not-there.mjs";', 'not-there.mjs'],
    ['calls process.exit', 'process.exit(0);', 'process.exit'],
    ['ends its process', 'process.reallyExit(0);', 'ended by itself'],
    [
      'leaves a rejection',
      'void Promise.reject(new Error("nobody")); await new Promise(() => {});',
      'nobody',
    ],
  ];
  for (const isolation of ISOLATIONS) {
    it.each(shapes)(`${isolation}: it %s`, async (name, text, why) => {
      const file = fileOf(
        `${isolation}-${name.replaceAll(' ', '-')}.mjs`,
        `export const f = () => 1;\n${text}`,
      );
      await withBench({ isolation, file }, async (bench) => {
        const calls = [bench.call('f'), bench.call('f')];
        for (const { outcome } of calls) {
          const ended = await outcome;
          expect(ended.ok).toBe(false);
          if (ended.ok) return;
          expect(codeOf(ended.thrown)).toBe('HANDLER_LOAD_FAILED');
          expect((ended.thrown as Error).message).toMatch(why);
          expect((ended.thrown as Error).message).toContain(file);
        }
        expect(bench.stats).toMatchObject({ queued: 0, sent: 0 });
      });
    });
    it(`${isolation}: it is not there`, async () => {
      const file = pathToFileURL(join(folder, 'absent.mjs')).href;
      await withBench({ isolation, file }, async (bench) => {
        expect(codeOf(await bench.thrown('f'))).toBe('HANDLER_LOAD_FAILED');
      });
    });
  }
});
