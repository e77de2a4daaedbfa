import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format } from 'node:util';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { compile } from '../types/compile.ts';
import { type Document, type Fence, readDocuments } from './read-markdown.ts';

// The code in README.md and docs is held to what it says. A fenced block marked
//   ts, js           is a program: it is type-checked and executed, and what it prints has to be the next block, if that
//                    is marked `text`; a program that prints has to have such a block
//   ts fragment      is type-checked only
//   ts file=x.ts     is a module of that name beside the programs, such as one of handlers for worker threads
const COMPILE_TIMEOUT_MS = 60_000;
const loadsTypeScript = Boolean((process.features as { typescript?: unknown }).typescript);
const hasSqlite = process.getBuiltinModule?.('node:sqlite') !== undefined;
const folder = fileURLToPath(new URL(`../.tmp/snippets-${process.pid}/`, import.meta.url));

interface Snippet {
  readonly name: string;
  readonly file: string;
  /** With empty lines in front, so that its lines have the numbers that they have in the document. */
  readonly code: string;
  readonly isProgram: boolean;
  readonly output: string | undefined;
}

function snippetsOf({ name, fences }: Document): readonly Snippet[] {
  return fences.flatMap((fence, i) => {
    if (fence.language !== 'ts' && fence.language !== 'js') return [];
    const next: Fence | undefined = fences[i + 1];
    const module = fence.marks.find((mark) => mark.startsWith('file='))?.slice('file='.length);
    const file = `${folder}${module ?? `${name.replaceAll('/', '--')}-${fence.line}.${fence.language}`}`;
    return {
      name: `${name}:${fence.line}`,
      file,
      code: '\n'.repeat(fence.line - 1) + fence.content,
      isProgram: module === undefined && !fence.marks.includes('fragment'),
      output: next?.language === 'text' ? next.content : undefined,
    };
  });
}

function tidy(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trim();
}

/** Executes a program of the documentation and returns what it prints. */
async function execute(snippet: Snippet): Promise<string> {
  const lines: string[] = [];
  const print = (...values: readonly unknown[]): void => {
    lines.push(format(...values));
  };
  const spies = [
    vi.spyOn(console, 'log').mockImplementation(print),
    vi.spyOn(console, 'error').mockImplementation(print),
  ];
  try {
    await import(/* @vite-ignore */ pathToFileURL(snippet.file).href);
    return lines.join('\n');
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const snippets = readDocuments().flatMap(snippetsOf);
mkdirSync(folder, { recursive: true });
for (const { file, code } of snippets) writeFileSync(file, code);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the code in README.md and docs', () => {
  it(
    'is correct TypeScript',
    () => {
      const typed = snippets.filter(({ file }) => file.endsWith('.ts')).map(({ file }) => file);
      // A definition that is shown and not used is no mistake here.
      const { errors } = compile(typed, new Map(), { noUnusedLocals: false, noUnusedParameters: false });
      expect(errors.join('\n')).toBe('');
    },
    COMPILE_TIMEOUT_MS,
  );

  for (const snippet of snippets) {
    if (!snippet.isProgram) continue;
    // A thread loads the module of its handlers without the help of the test runner.
    const needsTypes = snippet.code.includes('workerHandlers') && !loadsTypeScript;
    // A Node without node:sqlite has no driver that is sure to be there.
    const needsSqlite = snippet.code.includes('sqliteStore') && !hasSqlite;
    it.skipIf(needsTypes || needsSqlite)(`does what it says: ${snippet.name}`, async () => {
      expect(tidy(await execute(snippet))).toBe(tidy(snippet.output ?? ''));
    });
  }

  it('is found', () => {
    expect(snippets.length).toBeGreaterThan(10);
  });
});
