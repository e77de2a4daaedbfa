/** Reads what the tests of the documentation need of a Markdown file: its fenced blocks, headings and links. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A fenced block. */
export interface Fence {
  /** The first word behind the fence: `ts`, `text`, `mermaid` … */
  readonly language: string;
  /** The other words behind the fence. */
  readonly marks: readonly string[];
  /** The line of its first line of content, from 1. */
  readonly line: number;
  readonly content: string;
}

/** A file of the documentation. */
export interface Document {
  /** Its path below the root of the package, such as `docs/events.md`. */
  readonly name: string;
  readonly text: string;
  readonly fences: readonly Fence[];
}

/** README.md and everything below docs, in order. */
export function readDocuments(): readonly Document[] {
  const below = readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll('\\', '/')}`)
    .sort();
  return ['README.md', ...below].map(readDocument);
}

/** One file of the documentation. */
export function readDocument(name: string): Document {
  const text = readFileSync(root + name, 'utf8');
  return { name, text, fences: readFences(text) };
}

/** The fenced blocks of a text. */
export function readFences(text: string): readonly Fence[] {
  const fences: Fence[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const open = /^( *)(`{3,})(.*)$/.exec(lines[i] as string);
    if (open === null) continue;
    const [, indent = '', ticks = '', info = ''] = open;
    const [language = '', ...marks] = info.trim().split(/\s+/);
    const content: string[] = [];
    const line = i + 2;
    for (i++; i < lines.length && (lines[i] as string).trim() !== ticks; i++)
      content.push((lines[i] as string).slice(indent.length));
    fences.push({ language, marks, line, content: `${content.join('\n')}\n` });
  }
  return fences;
}

/** The targets of links, without those into the web. */
export function localLinks(text: string): readonly string[] {
  const prose = withoutFences(text);
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] as string)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors of the headings of a text, as code hosts make them. */
export function anchors(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const line of withoutFences(text).split('\n')) {
    const heading = /^#{1,6} (.+)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-');
    found.add(slug);
  }
  return found;
}

function withoutFences(text: string): string {
  return text.replaceAll(/^( *)(`{3,})[\s\S]*?^\1\2 *$/gm, '');
}
