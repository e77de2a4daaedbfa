/**
 * Turns the inline part of Markdown (one paragraph, heading or list item) into plain text.
 *
 * One pass from left to right. Every look ahead is either bounded or remembers that it found nothing, so
 * that the time stays linear in the length of the text, whatever the text is.
 */

export type InlineText = {
  /** Plain text. `\n\n` stands where an HTML block element splits the text. */
  text: string;
  /** The first alternative text of an image: the title of a document may be nothing but a logo. */
  alt: string;
  /** How many visible characters belong to links: nearly all of them means a menu, not prose. */
  linkCharacters: number;
  internalLinks: number;
  externalLinks: number;
  images: number;
};

type OpenBracket = { at: number; image: boolean };
type Scan = InlineText & {
  source: string;
  position: number;
  out: string[];
  brackets: OpenBracket[];
  labels: ReadonlySet<string>;
  /** Text between `<a>` and `</a>` counts as link text; -1 outside of one. */
  anchorAt: number;
  /** What was searched for and is not in the rest of the text; searching again would be quadratic. */
  absent: Set<string>;
};

const MAX_BRACKET_DEPTH = 32;
const MAX_DESTINATION = 1_000;
const MAX_BACKTICKS = 8;

const BLOCK_TAGS = new Set(
  `address article aside blockquote br center dd details div dl dt fieldset figcaption figure footer form
  h1 h2 h3 h4 h5 h6 header hr li main nav ol p section summary td tr ul`.split(/\s+/u),
);
const INLINE_TAGS = new Set(
  `a abbr b bdi bdo big button cite code del dfn em font g i iframe img input ins kbd label mark object
  path picture q rp rt ruby s samp small source span strike strong sub sup svg table tbody tfoot th thead
  time tt u var video wbr`.split(/\s+/u),
);
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
  ['mdash', '—'],
  ['ndash', '–'],
  ['hellip', '…'],
  ['rarr', '→'],
  ['bull', '•'],
  ['middot', '·'],
]);

/** `labels` are the names of the link references of the document, in lower case. */
export function inlineText(source: string, labels: ReadonlySet<string>): InlineText {
  const scan: Scan = {
    text: '',
    alt: '',
    linkCharacters: 0,
    internalLinks: 0,
    externalLinks: 0,
    images: 0,
    source,
    position: 0,
    out: [],
    brackets: [],
    labels,
    anchorAt: -1,
    absent: new Set(),
  };
  while (scan.position < source.length) scan.position += step(scan);
  const { alt, linkCharacters, internalLinks, externalLinks, images } = scan;
  return { text: scan.out.join(''), alt, linkCharacters, internalLinks, externalLinks, images };
}

/** True for links that leave the document's own site. */
export function isExternal(url: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]{1,20}:|\/\/)/iu.test(url);
}

/** Counts what is neither a space nor a separator between the entries of a menu. */
export function visibleCharacters(text: string): number {
  return text.replace(/[\s|•·,/&—–-]+/gu, '').length;
}

/** Reads what stands at the position and says how many characters it took. */
function step(scan: Scan): number {
  const character = scan.source.charAt(scan.position);
  if (character === '\\') return escaped(scan);
  if (character === '`') return codeText(scan);
  if (character === '[') return openBracket(scan, false);
  if (character === '!' && scan.source.charAt(scan.position + 1) === '[') return openBracket(scan, true);
  if (character === ']') return closeBracket(scan);
  if (character === '<') return markup(scan);
  if (character === '&') return entity(scan);
  if (character === '*' || character === '_' || character === '~') return emphasis(scan);
  if (character === ':') return shortcode(scan);
  if (character === 'h') return word(scan);
  return emit(scan, character, 1);
}

/** Puts out the text that stands for the next `consumed` characters of the source. */
function emit(scan: Scan, text: string, consumed: number): number {
  if (text !== '') scan.out.push(text);
  return consumed;
}

function escaped(scan: Scan): number {
  const next = scan.source.charAt(scan.position + 1);
  if (next !== '' && /[!-/:-@[-`{-~]/u.test(next)) return emit(scan, next, 2);
  return emit(scan, next === '\n' ? ' ' : '\\', 1);
}

/** The text of inline code stays, as sentences fall apart without it; only the backticks go. */
function codeText(scan: Scan): number {
  const { source, position } = scan;
  let length = 1;
  while (source.charAt(position + length) === '`') length += 1;
  const fence = '`'.repeat(Math.min(length, MAX_BACKTICKS));
  if (length > MAX_BACKTICKS || scan.absent.has(fence)) return emit(scan, '', length);
  let end = source.indexOf(fence, position + length);
  while (end >= 0) {
    let run = length;
    while (source.charAt(end + run) === '`') run += 1;
    if (run === length) break;
    end = source.indexOf(fence, end + run);
  }
  if (end < 0) {
    scan.absent.add(fence);
    return emit(scan, '', length);
  }
  const code = source
    .slice(position + length, end)
    .replace(/\s+/gu, ' ')
    .trim();
  return emit(scan, code, end + length - position);
}

function openBracket(scan: Scan, image: boolean): number {
  // Nested that deep, none of them will become a link.
  if (scan.brackets.length >= MAX_BRACKET_DEPTH) scan.brackets.length = 0;
  scan.brackets.push({ at: scan.out.length, image });
  // A place of its own keeps the bracket if it turns out to be no link.
  scan.out.push(image ? '![' : '[');
  return image ? 2 : 1;
}

function closeBracket(scan: Scan): number {
  const opener = scan.brackets.pop();
  if (!opener) return emit(scan, ']', 1);
  const label = scan.out.slice(opener.at + 1).join('');
  const target = linkTarget(scan, label);
  if (target === undefined) return emit(scan, ']', 1);

  const consumed = target.end - scan.position;
  scan.out.length = opener.at;
  if (opener.image) {
    scan.images += 1;
    if (scan.alt === '') scan.alt = label.trim();
    return consumed;
  }
  // A link around nothing but an image is a badge: neither text nor a reference worth counting.
  if (label.trim() === '' || target.footnote) return consumed;
  if (target.url !== undefined) countLink(scan, target.url);
  scan.linkCharacters += visibleCharacters(label);
  return emit(scan, label, consumed);
}

type LinkTarget = { end: number; url?: string; footnote?: boolean };

function linkTarget(scan: Scan, label: string): LinkTarget | undefined {
  const after = scan.position + 1;
  const next = scan.source.charAt(after);
  if (next === '(') {
    const target = inlineTarget(scan, after);
    if (target) return target;
  } else if (next === '[') {
    const end = scan.source.indexOf(']', after);
    if (end >= 0 && end - after < 200) return { end: end + 1 };
  }
  if (label.startsWith('^') && label.length < 60) return { end: after, footnote: true };
  if (scan.labels.has(label.trim().toLowerCase())) return { end: after };
  return undefined;
}

/** Reads `(url "title")`, where the url may hold balanced parentheses or be put in angle brackets. */
function inlineTarget(scan: Scan, start: number): LinkTarget | undefined {
  const { source } = scan;
  if (scan.absent.has(')')) return undefined;
  if (source.startsWith('(data:', start)) {
    const end = source.indexOf(')', start);
    return end < 0 ? undefined : { end: end + 1, url: 'data:' };
  }
  let depth = 0;
  let quote = '';
  const limit = Math.min(source.length, start + MAX_DESTINATION);
  for (let i = start; i < limit; i += 1) {
    const character = source.charAt(i);
    if (character === '\\') {
      i += 1;
    } else if (quote !== '') {
      if (character === quote) quote = '';
    } else if ((character === '"' || character === "'") && /\s/u.test(source.charAt(i - 1))) {
      quote = character;
    } else if (character === '(') {
      depth += 1;
    } else if (character === ')') {
      depth -= 1;
      if (depth > 0) continue;
      const inside = source.slice(start + 1, i).trim();
      return { end: i + 1, url: inside.split(/\s/u, 1)[0]?.replace(/^<|>$/gu, '') ?? '' };
    }
  }
  if (limit === source.length && source.indexOf(')', start) < 0) scan.absent.add(')');
  return undefined;
}

function countLink(scan: Scan, url: string): void {
  if (isExternal(url)) scan.externalLinks += 1;
  else scan.internalLinks += 1;
}

/** Comments, tags and `<https://…>`. What only looks like a tag (`Promise<string>`) stays as text. */
function markup(scan: Scan): number {
  const { source, position } = scan;
  if (source.startsWith('<!--', position)) {
    const end = seek(scan, '-->', position + 4);
    return emit(scan, '', (end < 0 ? source.length : end + 3) - position);
  }
  const name = tagName(source, position);
  if (name === '') return emit(scan, '<', 1);
  const end = seek(scan, '>', position);
  if (end < 0) return emit(scan, '<', 1);
  const inside = source.slice(position + 1, Math.min(end, position + MAX_DESTINATION));
  if (/^(?:https?|mailto):\S*$/u.test(inside)) {
    countLink(scan, inside);
    scan.linkCharacters += inside.length;
    return emit(scan, inside, end + 1 - position);
  }
  const known = BLOCK_TAGS.has(name) || INLINE_TAGS.has(name) || name.includes('-');
  if (!known) return emit(scan, '<', 1);
  if (name === 'img') {
    scan.images += 1;
    if (scan.alt === '') scan.alt = attribute(inside, 'alt');
  } else if (name === 'a') {
    anchor(scan, inside);
  }
  return emit(scan, BLOCK_TAGS.has(name) ? '\n\n' : '', end + 1 - position);
}

function anchor(scan: Scan, inside: string): void {
  if (inside.startsWith('/')) {
    if (scan.anchorAt >= 0) scan.linkCharacters += visibleCharacters(scan.out.slice(scan.anchorAt).join(''));
    scan.anchorAt = -1;
    return;
  }
  const url = attribute(inside, 'href');
  if (url !== '') countLink(scan, url);
  scan.anchorAt = scan.out.length;
}

function tagName(source: string, position: number): string {
  const match = /^<\/?([a-z][a-z0-9-]{0,30})(?=[\s/>:]|$)/iu.exec(source.slice(position, position + 36));
  return match?.[1]?.toLowerCase() ?? '';
}

function attribute(tag: string, name: string): string {
  const at = tag.toLowerCase().indexOf(`${name}=`);
  if (at < 0) return '';
  const value = tag.slice(at + name.length + 1);
  const quote = value.charAt(0);
  if (quote !== '"' && quote !== "'") return value.split(/[\s/]/u, 1)[0] ?? '';
  const end = value.indexOf(quote, 1);
  return value.slice(1, end < 0 ? undefined : end).trim();
}

function seek(scan: Scan, needle: string, from: number): number {
  if (scan.absent.has(needle)) return -1;
  const found = scan.source.indexOf(needle, from);
  if (found < 0) scan.absent.add(needle);
  return found;
}

function entity(scan: Scan): number {
  const match = /^&(?:#(\d{1,6})|#x([0-9a-f]{1,5})|([a-z]{2,8}));/iu.exec(
    scan.source.slice(scan.position, scan.position + 12),
  );
  if (!match) return emit(scan, '&', 1);
  const [all, decimal, hexadecimal, name] = match;
  if (name !== undefined) return emit(scan, ENTITIES.get(name.toLowerCase()) ?? ' ', all.length);
  const code = decimal === undefined ? Number.parseInt(hexadecimal ?? '', 16) : Number(decimal);
  const printable = code >= 32 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return emit(scan, printable ? String.fromCodePoint(code) : ' ', all.length);
}

/** Markers of emphasis go, while `2 * 3` and `snake_case` stay. */
function emphasis(scan: Scan): number {
  const { source, position } = scan;
  const marker = source.charAt(position);
  let length = 1;
  while (source.charAt(position + length) === marker) length += 1;
  const before = source.charAt(position - 1);
  const after = source.charAt(position + length);
  const alone = (before === '' || /\s/u.test(before)) && (after === '' || /\s/u.test(after));
  const insideWord = marker === '_' && /[\p{L}\p{N}]/u.test(before) && /[\p{L}\p{N}]/u.test(after);
  const singleTilde = marker === '~' && length === 1;
  return emit(scan, alone || insideWord || singleTilde ? marker.repeat(length) : '', length);
}

/** `:tada:` says nothing as text. */
function shortcode(scan: Scan): number {
  const { source, position } = scan;
  const match = /^:[a-z][a-z0-9_+-]{1,29}:/u.exec(source.slice(position, position + 32));
  if (!match || /[\p{L}\p{N}:]/u.test(source.charAt(position - 1))) return emit(scan, ':', 1);
  return emit(scan, '', match[0].length);
}

/** Bare addresses count as links; they are copied whole, so that underscores in them survive. */
function word(scan: Scan): number {
  const { source, position } = scan;
  const isAddress = source.startsWith('http://', position) || source.startsWith('https://', position);
  if (!isAddress) return emit(scan, 'h', 1);
  let end = position;
  while (
    end < source.length &&
    end - position < MAX_DESTINATION &&
    !/[\s<>"')\]]/u.test(source.charAt(end))
  ) {
    end += 1;
  }
  scan.externalLinks += 1;
  scan.linkCharacters += end - position;
  return emit(scan, source.slice(position, end), end - position);
}
