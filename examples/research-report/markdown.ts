/**
 * Reads Markdown into plain data: what a document says, without code, tables, badges and markup.
 *
 * It is a reader for text analysis and no renderer. It goes through the lines once, accepts whatever a
 * README contains (unclosed fences, HTML, lines of a megabyte) and never fails.
 */
import { type InlineText, inlineText, isExternal, visibleCharacters } from './markdown-inline.ts';
import {
  closesFence,
  headingLine,
  isRule,
  isTableRule,
  itemMark,
  type Line,
  linkDefinition,
  measure,
  openingFence,
  underlineLevel,
} from './markdown-lines.ts';

export type Heading = { level: number; text: string };

export type Paragraph = {
  kind: 'prose' | 'item' | 'quote';
  /** Index of the heading it stands under, -1 before the first one. */
  section: number;
  text: string;
};

export type ParsedDocument = {
  /** From the front matter, or the first heading of the highest rank, or empty. */
  title: string;
  headings: Heading[];
  paragraphs: Paragraph[];
  code: { blocks: number; lines: number; languages: { language: string; blocks: number }[] };
  links: { internal: number; external: number };
  images: number;
  tables: number;
  /** Words in headings and paragraphs. */
  words: number;
};

type Reader = {
  lines: string[];
  next: number;
  parsed: ParsedDocument;
  languages: Map<string, number>;
  labels: Set<string>;
  frontTitle: string;
  /** Lines of the paragraph that is being read. */
  open: string[];
  kind: Paragraph['kind'];
  inList: boolean;
  afterBlank: boolean;
  /** Needles that do not occur in the rest of the lines; searching again would be quadratic. */
  absent: Set<string>;
};

/** Longer than any prose: what exceeds it is data that happens to stand in a text file. */
const MAX_PARAGRAPH = 20_000;
const MAX_WORD = 120;
const RAW_ELEMENT = /^<(pre|script|style|svg|table|template|textarea|picture)(?=[\s>])/iu;

export function parseMarkdown(source: string): ParsedDocument {
  const reader = createReader(source);
  skipFrontMatter(reader);
  while (reader.next < reader.lines.length) readLine(reader);
  closeParagraph(reader);

  const { parsed } = reader;
  parsed.title = reader.frontTitle || titleOf(parsed.headings);
  parsed.code.languages = [...reader.languages]
    .map(([language, blocks]) => ({ language, blocks }))
    .sort((left, right) => right.blocks - left.blocks || (left.language < right.language ? -1 : 1));
  for (const { text } of [...parsed.headings, ...parsed.paragraphs]) parsed.words += countWords(text);
  return parsed;
}

function createReader(source: string): Reader {
  const lines = source
    .replace(/^\uFEFF/u, '')
    .replaceAll('\0', '')
    .split(/\r\n|\n|\r/u);
  const labels = new Set<string>();
  for (const line of lines) {
    const definition = linkDefinition(line);
    if (definition) labels.add(definition.label);
  }
  const parsed: ParsedDocument = {
    title: '',
    headings: [],
    paragraphs: [],
    code: { blocks: 0, lines: 0, languages: [] },
    links: { internal: 0, external: 0 },
    images: 0,
    tables: 0,
    words: 0,
  };
  return {
    lines,
    next: 0,
    parsed,
    languages: new Map(),
    labels,
    frontTitle: '',
    open: [],
    kind: 'prose',
    inList: false,
    afterBlank: true,
    absent: new Set(),
  };
}

function skipFrontMatter(reader: Reader): void {
  if (reader.lines[0]?.trimEnd() !== '---') return;
  const end = reader.lines.findIndex((line, i) => i > 0 && /^(?:---|\.\.\.)\s*$/u.test(line.slice(0, 20)));
  if (end < 0 || end > 100) return;
  for (const line of reader.lines.slice(1, end)) {
    const [, key, value = ''] = /^(title|description):(.{1,600})/u.exec(line) ?? [];
    const text = plain(value).replace(/^["']|["']$/gu, '');
    if (key === 'title') reader.frontTitle = text;
    // A block scalar (`description: >`) holds no word on this line.
    else if (/\p{L}/u.test(text)) reader.parsed.paragraphs.push({ kind: 'prose', section: -1, text });
  }
  reader.next = end + 1;
}

function readLine(reader: Reader): void {
  const raw = reader.lines[reader.next] ?? '';
  reader.next += 1;
  let line = measure(raw);
  if (line.text === '') {
    closeParagraph(reader);
    reader.afterBlank = true;
    return;
  }
  const afterBlank = reader.afterBlank;
  reader.afterBlank = false;
  const mark = itemMark(line.text);
  if (afterBlank && line.indent === 0 && mark === 0) reader.inList = false;

  if (mark === 0 && isIndentedCode(reader, line)) {
    skipIndentedCode(reader, line.indent);
    return;
  }
  if (readUnderline(reader, line) || isRule(line.text)) {
    closeParagraph(reader);
    return;
  }
  if (mark > 0) {
    closeParagraph(reader);
    reader.inList = true;
    line = { ...line, text: line.text.slice(mark).trimStart() };
    if (line.text === '') return;
  }
  if (readBlock(reader, line)) return;
  if (reader.open.length === 0) reader.kind = mark > 0 ? 'item' : line.quoted ? 'quote' : 'prose';
  reader.open.push(line.text);
}

/** Below a list item, what is indented belongs to the item, unless it is indented very far. */
function isIndentedCode(reader: Reader, line: Line): boolean {
  return reader.open.length === 0 && line.indent >= (reader.inList ? 10 : 4);
}

function skipIndentedCode(reader: Reader, indent: number): void {
  const { code } = reader.parsed;
  code.blocks += 1;
  code.lines += 1;
  for (; reader.next < reader.lines.length; reader.next += 1) {
    const line = measure(reader.lines[reader.next] ?? '');
    if (line.text !== '' && line.indent < Math.min(indent, 4)) break;
    if (line.text !== '') code.lines += 1;
  }
}

/** A line of `=` or `-` makes a heading of the text right above it. */
function readUnderline(reader: Reader, line: Line): boolean {
  const { open } = reader;
  if (open.length === 0 || open.length > 2 || reader.kind !== 'prose') return false;
  const level = underlineLevel(line.text);
  if (level === 0) return false;
  const text = open.join('\n');
  open.length = 0;
  addHeading(reader, level, text);
  return true;
}

/** The blocks that end a paragraph. True when the line was one of them and has been dealt with. */
function readBlock(reader: Reader, line: Line): boolean {
  const { text } = line;
  const first = text.charAt(0);
  if (first === '`' || first === '~') return readFence(reader, line);
  if (first === '#') {
    const heading = headingLine(text);
    if (!heading) return false;
    closeParagraph(reader);
    addHeading(reader, heading.level, heading.text);
    return true;
  }
  if (first === '<') return readHtml(reader, line);
  if (first === '[' && reader.open.length === 0) {
    const definition = linkDefinition(text);
    if (!definition) return false;
    if (!definition.label.startsWith('^')) reader.parsed.links[linkSide(definition.url)] += 1;
    return true;
  }
  return text.includes('|') && readTable(reader);
}

function linkSide(url: string): 'internal' | 'external' {
  return isExternal(url) ? 'external' : 'internal';
}

function readFence(reader: Reader, line: Line): boolean {
  const fence = openingFence(line);
  if (!fence) return false;
  closeParagraph(reader);
  const { code } = reader.parsed;
  code.blocks += 1;
  const { language } = fence;
  if (language !== '') reader.languages.set(language, (reader.languages.get(language) ?? 0) + 1);
  for (; reader.next < reader.lines.length; reader.next += 1) {
    const inside = measure(reader.lines[reader.next] ?? '');
    // Outside of the quotation that holds it, a fence cannot go on.
    if (fence.quoted && !inside.quoted) return true;
    if (closesFence(fence, inside.text)) {
      reader.next += 1;
      return true;
    }
    code.lines += 1;
  }
  return true;
}

/** Skips comments and elements without prose; what is left of HTML is dealt with inside paragraphs. */
function readHtml(reader: Reader, line: Line): boolean {
  const { text } = line;
  if (text.startsWith('<!--')) {
    closeParagraph(reader);
    const inLine = text.indexOf('-->', 4);
    if (inLine >= 0) return continueWith(reader, text.slice(inLine + 3));
    return skipTo(reader, '-->');
  }
  const raw = RAW_ELEMENT.exec(text)?.[1]?.toLowerCase();
  if (raw !== undefined) {
    closeParagraph(reader);
    if (raw === 'pre') reader.parsed.code.blocks += 1;
    if (raw === 'table') reader.parsed.tables += 1;
    return text.toLowerCase().includes(`</${raw}`) || skipTo(reader, `</${raw}`);
  }
  const heading = /<h([1-6])(?=[\s>])/iu.exec(text.slice(0, 500));
  if (!heading) return false;
  closeParagraph(reader);
  const collected = [text.slice(heading.index)];
  const closing = `</h${heading[1]}`;
  // Without a limit, a heading that is never closed would swallow the document.
  while (!collected.at(-1)?.toLowerCase().includes(closing) && collected.length < 20) {
    const next = reader.lines[reader.next];
    if (next === undefined) break;
    collected.push(next.slice(0, 2_000));
    reader.next += 1;
  }
  addHeading(reader, Number(heading[1]), collected.join('\n'));
  return true;
}

/** Puts back what follows a comment on its line. */
function continueWith(reader: Reader, rest: string): boolean {
  if (rest.trim() === '') return true;
  reader.next -= 1;
  reader.lines[reader.next] = rest;
  return true;
}

/** Goes on after the line with the needle, or right here when the document does not contain it. */
function skipTo(reader: Reader, needle: string): true {
  if (reader.absent.has(needle)) return true;
  for (let i = reader.next; i < reader.lines.length; i += 1) {
    if (!reader.lines[i]?.toLowerCase().includes(needle)) continue;
    reader.next = i + 1;
    return true;
  }
  reader.absent.add(needle);
  return true;
}

function readTable(reader: Reader): boolean {
  if (!isTableRule(reader.lines[reader.next])) return false;
  closeParagraph(reader);
  reader.parsed.tables += 1;
  while (reader.next < reader.lines.length && reader.lines[reader.next]?.includes('|')) reader.next += 1;
  return true;
}

function addHeading(reader: Reader, level: number, source: string): void {
  const inline = inlineText(source.slice(0, 2_000), reader.labels);
  countInline(reader, inline);
  const text = plain(inline.text) || plain(inline.alt);
  if (text !== '') reader.parsed.headings.push({ level, text });
  reader.inList = false;
}

function closeParagraph(reader: Reader): void {
  if (reader.open.length === 0) return;
  const source = reader.open.join('\n').slice(0, MAX_PARAGRAPH);
  reader.open.length = 0;
  const inline = inlineText(source, reader.labels);
  countInline(reader, inline);
  if (isMenu(inline)) return;
  for (const part of inline.text.split('\n\n')) {
    const text = plain(part).replace(/^\[!(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s?/iu, '');
    if (!/[\p{L}\p{N}]/u.test(text)) continue;
    reader.parsed.paragraphs.push({ kind: reader.kind, section: reader.parsed.headings.length - 1, text });
  }
}

/** A menu, a table of contents or a list of languages: names that lead elsewhere, and no sentence. */
function isMenu({ text, linkCharacters }: InlineText): boolean {
  return linkCharacters > visibleCharacters(text) * 0.8 && !/[.!?]\s*$/u.test(text);
}

function countInline(reader: Reader, inline: InlineText): void {
  reader.parsed.links.internal += inline.internalLinks;
  reader.parsed.links.external += inline.externalLinks;
  reader.parsed.images += inline.images;
}

/** One line without pictographs, control characters and endless words, which Chinese seems to have. */
function plain(text: string): string {
  return text
    .replace(/\p{Cf}|\p{Variation_Selector}/gu, '')
    .replace(/\p{Cc}|\p{Extended_Pictographic}|\p{Emoji_Modifier}/gu, ' ')
    .split(/\s+/u)
    .filter((word) => word !== '' && (word.length <= MAX_WORD || !/^[!-~]+$/u.test(word)))
    .join(' ');
}

function titleOf(headings: readonly Heading[]): string {
  const level = headings.reduce((lowest, heading) => Math.min(lowest, heading.level), 6);
  return headings.find((heading) => heading.level === level)?.text ?? '';
}

function countWords(text: string): number {
  return text.split(' ').filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}
