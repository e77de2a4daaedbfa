import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const catalogueFile = new URL('../../src/model/error-codes.ts', import.meta.url);
const documentFile = new URL('../../docs/errors.md', import.meta.url);

/**
 * The codes that a document explains: the first `CODE` of each heading and of each row of a table. A code of one
 * word has to be the whole heading.
 */
function documentedCodes(markdown: string): string[] {
  const codes: string[] = [];
  for (const line of markdown.split('\n')) {
    const heading =
      /^#{1,6}\s+`?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`?(?:\s|$)/.exec(line) ??
      /^#{1,6}\s+`?([A-Z][A-Z0-9]*)`?\s*$/.exec(line);
    const row = /^\|\s*`([A-Z][A-Z0-9_]*)`\s*\|/.exec(line);
    const code = heading?.[1] ?? row?.[1];
    if (code !== undefined) codes.push(code);
  }
  return codes;
}

describe.runIf(existsSync(catalogueFile) && existsSync(documentFile))('the error catalogue', () => {
  it('is the same in the source and in docs/errors.md', async () => {
    const { ERROR_CODES } = await import('../../src/model/error-codes.ts');
    const known = Object.keys(ERROR_CODES);
    const documented = documentedCodes(readFileSync(documentFile, 'utf8'));
    expect({
      onlyInSource: known.filter((code) => !documented.includes(code)),
      onlyInDocument: documented.filter((code) => !known.includes(code)),
      twiceInDocument: documented.filter((code, index) => documented.indexOf(code) !== index),
    }).toEqual({ onlyInSource: [], onlyInDocument: [], twiceInDocument: [] });
  });

  it('has no code that breaks the way codes are written', async () => {
    const { ERROR_CODES } = await import('../../src/model/error-codes.ts');
    const odd = Object.keys(ERROR_CODES).filter((code) => !/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/.test(code));
    expect(odd).toEqual([]);
  });
});

describe('the reading of docs/errors.md', () => {
  it('finds codes in headings and in the first cell of a row', () => {
    const markdown = [
      '# Errors',
      '### `TASK_FAILED`',
      '## RUN_FAILED and what follows',
      '### INTERNAL',
      '## A heading',
      '| code | meaning |',
      '| --- | --- |',
      '| `LOCK_LOST` | see `OTHER_CODE` |',
      'A sentence about `NOT_A_ROW`.',
    ].join('\n');
    expect(documentedCodes(markdown)).toEqual(['TASK_FAILED', 'RUN_FAILED', 'INTERNAL', 'LOCK_LOST']);
  });
});
