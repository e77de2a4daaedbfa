/**
 * What single lines of Markdown are: the questions the block reader asks about one line at a time.
 *
 * Each answer looks at a bounded part of the line or at each character once, as a line may be a megabyte.
 */

/** A line without its indentation and without the marks of a quotation. */
export type Line = { text: string; indent: number; quoted: boolean };
export type Fence = { marker: string; length: number; quoted: boolean; language: string };

export function measure(raw: string): Line {
  let indent = 0;
  let at = 0;
  let quoted = false;
  for (; at < raw.length; at += 1) {
    const character = raw.charAt(at);
    if (character === ' ') indent += 1;
    else if (character === '\t') indent += 4;
    else if (character === '>' && indent < 4) {
      quoted = true;
      indent = -1;
    } else break;
  }
  return { text: raw.slice(at).trimEnd(), indent: Math.max(indent, 0), quoted };
}

/** `[label]: target`, as found at the end of many documents. */
export function linkDefinition(line: string): { label: string; url: string } | undefined {
  const match = /^ {0,3}\[([^\]]{1,200})\]:\s{0,20}(\S{0,1000})/u.exec(line.slice(0, 1_300));
  const label = match?.[1];
  if (label === undefined) return undefined;
  return { label: label.trim().toLowerCase(), url: match?.[2] ?? '' };
}

/** How many characters the mark of a list item takes, with the box of a task; 0 for other lines. */
export function itemMark(text: string): number {
  const mark = /^(?:[-*+]|\d{1,9}[.)])(?:\s{1,8}(?:\[[ xX]\]\s)?|$)/u.exec(text.slice(0, 24));
  return mark?.[0].length ?? 0;
}

/** `# Title`. Older documents leave out the space; a number after the sign is a reference to an issue. */
export function headingLine(text: string): { level: number; text: string } | undefined {
  const level = /^#{1,6}/u.exec(text)?.[0].length ?? 0;
  const rest = text.slice(level);
  if (level === 0 || !/^(?:\s|$|[A-Za-z])/u.test(rest)) return undefined;
  let end = rest.length;
  while (rest.charAt(end - 1) === '#') end -= 1;
  const closed = end === 0 || /\s/u.test(rest.charAt(end - 1));
  return { level, text: (closed ? rest.slice(0, end) : rest).trim() };
}

/** The level that a line of `=` or `-` gives to the text above it, 0 for other lines. */
export function underlineLevel(text: string): 0 | 1 | 2 {
  const mark = text.charAt(0);
  if ((mark !== '=' && mark !== '-') || text.length > 200) return 0;
  if (text !== mark.repeat(text.length)) return 0;
  return mark === '=' ? 1 : 2;
}

/** `---`, `* * *` and the like. */
export function isRule(text: string): boolean {
  if (text.length < 3 || text.length > 300) return false;
  const mark = text.charAt(0);
  if (mark !== '-' && mark !== '*' && mark !== '_') return false;
  const marks = text.replace(/\s/gu, '');
  return marks.length >= 3 && marks === mark.repeat(marks.length);
}

export function openingFence(line: Line): Fence | undefined {
  const marks = /^(?:`{3,50}|~{3,50})/u.exec(line.text)?.[0];
  if (marks === undefined) return undefined;
  const info = line.text.slice(marks.length);
  // Three backticks on both sides of a text are inline code.
  if (marks.startsWith('`') && info.includes('`')) return undefined;
  const language = /^[\s{.]{0,4}([\p{L}\p{N}+#_-]{1,20})/u.exec(info)?.[1]?.toLowerCase() ?? '';
  return { marker: marks.charAt(0), length: marks.length, quoted: line.quoted, language };
}

export function closesFence(fence: Fence, text: string): boolean {
  if (text.length < fence.length || text.length > 200) return false;
  return text === fence.marker.repeat(text.length);
}

/** The line between the head and the body of a table. */
export function isTableRule(line: string | undefined): boolean {
  if (line === undefined || line.length > 2_000) return false;
  return line.includes('-') && line.includes('|') && /^[\s>|:-]+$/u.test(line);
}
