import type { Explanation, StartStep } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { SCENES } from '../support/explain-scenes.ts';
import { readDocument } from './read-markdown.ts';

/** Every kind of step: without one of them this does not compile. */
const STEPS: { readonly [Each in StartStep['step']]: true } = {
  ...{ dependency: true, release: true, time: true, capacity: true },
  ...{ resume: true, condition: true, queue: true },
};

/** The tables of a page: the rows by the head of their first column. */
function tablesOf(text: string): ReadonlyMap<string, readonly (readonly string[])[]> {
  const tables = new Map<string, string[][]>();
  let rows: string[][] | undefined;
  for (const line of text.split('\n')) {
    if (!line.startsWith('| ')) {
      rows = undefined;
      continue;
    }
    const cells = line
      .slice(2, -1)
      .split('|')
      .map((cell) => cell.trim());
    if (rows === undefined) {
      rows = [];
      tables.set(cells[0] as string, rows);
    } else if (!/^-+$/.test(cells[0] as string)) {
      rows.push(cells);
    }
  }
  return tables;
}

describe('the pages on explanations', () => {
  const page = tablesOf(readDocument('docs/explain.md').text);
  const reasons = Object.keys(SCENES) as Explanation['reason'][];

  it('describe every reason, each in a row of its own, with what starts the task', () => {
    const rows = page.get('`reason`') ?? [];
    expect(rows.map(([name]) => name).sort()).toEqual(reasons.map((name) => `\`${name}\``).sort());
    for (const [, why, , start] of rows) expect([why, start]).not.toContain('');
  });

  it('describe every step', () => {
    const rows = page.get('`step`') ?? [];
    expect(rows.map(([name]) => name).sort()).toEqual(
      Object.keys(STEPS)
        .map((name) => `\`${name}\``)
        .sort(),
    );
  });

  it('name every reason in the README', () => {
    const { text } = readDocument('README.md');
    const from = text.indexOf('### Ask why a task is not running');
    const section = text.slice(from, text.indexOf('```', from));
    expect(reasons.filter((name) => !section.includes(`\`${name}\``))).toEqual([]);
  });
});
