import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { EVENT_SCHEMA_VERSIONS } from '../../src/machine/events.ts';
import { readFences } from '../docs/read-markdown.ts';
import { compile, madeUpPath } from '../types/compile.ts';

const COMPILE_TIMEOUT_MS = 60_000;
const source = new URL('../../src/machine/events.ts', import.meta.url);
const document = new URL('../../docs/events.md', import.meta.url);

/** What either side says of one event. */
interface EventEntry {
  readonly type: string;
  readonly about: string;
  readonly version: number | undefined;
  /** Its own fields, with `?` behind those that can be absent. */
  readonly fields: readonly string[];
}

const ABOUT: Readonly<Record<string, string>> = { Fact: 'run', TaskFact: 'task', AttemptFact: 'attempt' };

function eventsOfSource(): readonly EventEntry[] {
  const tree = ts.createSourceFile('events.ts', readFileSync(source, 'utf8'), ts.ScriptTarget.Latest, true);
  return tree.statements.filter(ts.isInterfaceDeclaration).flatMap((declaration) => {
    const type = declaration.name.text;
    const version: number | undefined = (EVENT_SCHEMA_VERSIONS as Readonly<Record<string, number>>)[type];
    if (version === undefined) return [];
    const base = declaration.heritageClauses?.[0]?.types[0]?.expression.getText() ?? '';
    const fields = declaration.members
      .filter(ts.isPropertySignature)
      .map((field) => `${field.name.getText()}${field.questionToken === undefined ? '' : '?'}`);
    return { type, about: ABOUT[base] ?? base, version, fields };
  });
}

interface Section extends EventEntry {
  readonly examples: readonly string[];
}

/** The sections below headings of the third level, one for each event. */
function eventsOfDocument(): readonly Section[] {
  return readFileSync(document, 'utf8')
    .split(/^### /m)
    .slice(1)
    .map((text) => {
      const body = text.split(/^## /m)[0] as string;
      const [, about = '', version] = /^About an? (run|task|attempt), version (\d+)\./m.exec(body) ?? [];
      return {
        type: (text.split('\n')[0] as string).trim(),
        about,
        version: version === undefined ? undefined : Number(version),
        fields: [...body.matchAll(/^\| `([A-Za-z]+\??)` \|/gm)].map((match) => match[1] as string),
        examples: readFences(body)
          .filter((fence) => fence.language === 'json')
          .map((fence) => fence.content),
      };
    });
}

function byType<Entry extends EventEntry>(entries: readonly Entry[]): readonly Entry[] {
  return [...entries].sort((a, b) => (a.type < b.type ? -1 : 1));
}

describe('docs/events.md and the events of the source', () => {
  it('name the same events', () => {
    const documented = byType(eventsOfDocument()).map(({ type }) => type);
    expect(documented).toEqual(Object.keys(EVENT_SCHEMA_VERSIONS).sort());
  });

  it('say the same of each: what it is about, its version, its fields', () => {
    const documented = byType(eventsOfDocument()).map(({ examples: _, ...entry }) => entry);
    expect(documented).toEqual(byType(eventsOfSource()));
  });

  it(
    'agree in the examples: each event has one, of exactly its type',
    () => {
      const lines = eventsOfDocument().map(({ type, examples }) => {
        expect(examples, type).toHaveLength(1);
        return `export const example${type}: events.${type} = ${(examples[0] as string).trim()};`;
      });
      const path = madeUpPath('events-examples.made-up.ts');
      const text = [`import type * as events from '@taskmaster-ai/orchestrator';`, ...lines].join('\n');
      expect(compile([path], new Map([[path, text]])).errors.join('\n')).toBe('');
    },
    COMPILE_TIMEOUT_MS,
  );
});
