import { ERROR_CODES, type ErrorCode } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { ERROR_EXAMPLES, NEED_THREADS, provoke } from '../support/error-examples.ts';
import { noThreads } from '../support/workers.ts';
import { readDocument } from './read-markdown.ts';

/** Codes that no call from outside ends with; docs/errors.md says where they are met. */
const INNER: readonly ErrorCode[] = ['ATTEMPT_STALE', 'INTERNAL'];

const codes = Object.keys(ERROR_CODES) as ErrorCode[];
const sections = new Map(
  readDocument('docs/errors.md')
    .text.split(/^### /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')).trim(), section] as const),
);

/** A message without random ids, and without the place of this package. */
function masked(message = ''): string {
  return message
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '…')
    .replace(/ imported from \S+$/, ' imported from …');
}

/** Those that can be brought about here. */
const examples = (Object.keys(ERROR_EXAMPLES) as ErrorCode[]).filter(
  (code) => noThreads === undefined || !NEED_THREADS.has(code),
);

describe('docs/errors.md', () => {
  it('has a section for each code, in the order of the catalogue', () => {
    expect([...sections.keys()]).toEqual(codes);
  });

  it.each(codes)('says of %s when it is thrown, what it reads like and what to do', (code) => {
    const section = sections.get(code) ?? '';
    expect(section).toContain('\nWhen: ');
    expect(section).toMatch(/\n```text\n.+\n```\n/);
    expect(section).toContain('\nDo: ');
    expect(section.includes('\nRetryable.'), 'retryable').toBe(ERROR_CODES[code].retryable);
  });

  it('has an example for each code that can be met from outside', () => {
    expect(codes.filter((code) => ERROR_EXAMPLES[code] === undefined)).toEqual(INNER);
  });

  it.each(examples)('quotes the message of %s as it is', async (code) => {
    const error = await provoke(code);
    const quoted = /\n```text\n(.+)\n```\n/.exec(sections.get(code) ?? '')?.[1];
    expect({ code: error.code, message: masked(quoted) }).toEqual({ code, message: masked(error.message) });
    expect(error.retryable).toBe(ERROR_CODES[code].retryable);
  });
});
