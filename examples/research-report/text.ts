/**
 * Small helpers shared by the other modules: a stable order, cutting, grouping, printing numbers, and
 * writing pieces of Markdown out of any text.
 *
 * Nothing here depends on the locale of the machine, because two runs over the same documents have to
 * write the same report.
 */

/** Orders by UTF-16 code units. `localeCompare` would make the report depend on the machine's locale. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Cuts at a word boundary where one is near the end, and says so with an ellipsis. */
export function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  if (limit <= 1) return '…'.slice(0, limit);
  let end = limit - 1;
  const space = text.lastIndexOf(' ', end);
  if (space > limit * 0.6) end = space;
  // Half a surrogate pair would show as a replacement character.
  const last = text.charCodeAt(end - 1);
  if (last >= 0xd800 && last <= 0xdbff) end -= 1;
  return `${text.slice(0, end).trimEnd()}…`;
}

/** `1 document`, `2 documents`, `12,345 words`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatNumber(count)} ${count === 1 ? singular : plural}`;
}

/** Groups thousands with commas, without `toLocaleString`, whose result depends on the ICU build. */
export function formatNumber(value: number): string {
  const [whole = '0', fraction] = String(Math.abs(value)).split('.');
  let grouped = '';
  for (let i = 0; i < whole.length; i += 1) {
    if (i > 0 && (whole.length - i) % 3 === 0) grouped += ',';
    grouped += whole.charAt(i);
  }
  return `${value < 0 ? '-' : ''}${grouped}${fraction === undefined ? '' : `.${fraction}`}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return counted(bytes, 'byte');
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}

export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Groups keep the order in which their first members came, and members their order within a group. */
export function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Joins names the way a sentence does: `a`, `a and b`, `a, b and c`. */
export function enumerate(names: readonly string[]): string {
  const last = names.at(-1);
  if (last === undefined) return '';
  return names.length === 1 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

/** Rounds so that JSON stays short and sums taken in another order print the same. */
export function rounded(value: number, digits = 4): number {
  const factor = 10 ** digits;
  const result = Math.round(value * factor) / factor;
  return Object.is(result, -0) ? 0 : result;
}

const WORD_CHARACTER = /[\p{L}\p{N}]/u;
const ALWAYS_ESCAPED = new Set([...'\\`*{}[]<>#|~$']);

/**
 * Escapes text so that Markdown shows it as it is, in a paragraph, a list item or a table cell.
 *
 * An underscore inside a word is left alone: `snake_case` cannot start emphasis, and the source of the
 * report stays readable.
 */
export function escapeMarkdown(text: string): string {
  const flat = text.replace(/\s+/gu, ' ').trim();
  let result = '';
  for (let i = 0; i < flat.length; i += 1) {
    const character = flat.charAt(i);
    if (ALWAYS_ESCAPED.has(character)) {
      result += `\\${character}`;
    } else if (character === '_') {
      const inside = WORD_CHARACTER.test(flat.charAt(i - 1)) && WORD_CHARACTER.test(flat.charAt(i + 1));
      result += inside ? '_' : '\\_';
    } else if (character === '&') {
      // `&copy;` in a document's own words must not turn into a sign here.
      result += /^&[#\w]{1,32};/u.test(flat.slice(i, i + 35)) ? '&amp;' : '&';
    } else if (character === '!' && flat.charAt(i + 1) === '[') {
      result += '\\!';
    } else {
      result += character;
    }
  }
  return escapeLineStart(result);
}

/** A line that starts like a list, a heading rule or an ordered item would change its meaning. */
function escapeLineStart(line: string): string {
  if (/^[-+=]/u.test(line)) return `\\${line}`;
  return line.replace(/^(\d{1,9})([.)])(?=\s|$)/u, '$1\\$2');
}

/** A code span that holds any text: the fence is longer than the longest run of backticks inside. */
export function codeSpan(text: string): string {
  const flat = text.replace(/\s+/gu, ' ').trim();
  if (flat === '') return '';
  const longest = (flat.match(/`+/gu) ?? []).reduce((most, run) => Math.max(most, run.length), 0);
  const fence = '`'.repeat(longest + 1);
  const padding = longest > 0 ? ' ' : '';
  return `${fence}${padding}${flat}${padding}${fence}`;
}

/** Table cells split at every bar, even inside a code span, so bars are escaped there as well. */
export function codeCell(text: string): string {
  return codeSpan(text).replaceAll('|', '\\|');
}

/** A fenced block whose fence is longer than any run of backticks in it. */
export function codeBlock(language: string, text: string): string {
  const longest = (text.match(/`+/gu) ?? []).reduce((most, run) => Math.max(most, run.length), 2);
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}

/** `align` has a letter per column: l, r or c. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], align = ''): string {
  const rules = head.map((_, at) =>
    align.charAt(at) === 'r' ? '--:' : align.charAt(at) === 'c' ? ':-:' : '---',
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(rules), ...rows.map(line)].join('\n');
}
