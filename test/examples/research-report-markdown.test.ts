import { describe, expect, it } from 'vitest';
import { type ParsedDocument, parseMarkdown } from '../../examples/research-report/markdown.ts';

const texts = (parsed: ParsedDocument): string[] => parsed.paragraphs.map(({ text }) => text);

describe('parseMarkdown: headings and title', () => {
  it('reads all kinds of headings', () => {
    const parsed = parseMarkdown(
      '# One\n\nTwo\n===\n\nThree\n---\n\n#### Four ####\n\n#Five\n\n####### not\n\n#42 neither',
    );
    expect(parsed.headings).toEqual([
      { level: 1, text: 'One' },
      { level: 1, text: 'Two' },
      { level: 2, text: 'Three' },
      { level: 4, text: 'Four' },
      { level: 1, text: 'Five' },
    ]);
    expect(texts(parsed)).toEqual(['####### not', '#42 neither']);
  });

  it('takes the first heading of the highest rank as the title', () => {
    expect(parseMarkdown('## Badges\n\n# The *real* `title`\n\n# Another').title).toBe('The real title');
    expect(parseMarkdown('## Only this').title).toBe('Only this');
    expect(parseMarkdown('no heading').title).toBe('');
  });

  it('finds a title in HTML, in the text of a logo and in front matter', () => {
    expect(parseMarkdown('<div align="center">\n<h1>\n  <br>Big <em>Thing</em>\n</h1>\n</div>').title).toBe(
      'Big Thing',
    );
    expect(parseMarkdown('# ![Chalk](media/logo.svg)').title).toBe('Chalk');
    const parsed = parseMarkdown(
      '---\ntitle: "From the front"\ndescription: What it does\n---\n\n## Intro\n',
    );
    expect(parsed.title).toBe('From the front');
    expect(texts(parsed)).toEqual(['What it does']);
  });

  it('tells a rule from an underline and from front matter', () => {
    const parsed = parseMarkdown('Text\n\n---\n\nMore\n\n* * *\n');
    expect(parsed.headings).toEqual([]);
    expect(texts(parsed)).toEqual(['Text', 'More']);
  });
});

describe('parseMarkdown: prose', () => {
  it('joins lines, reduces links to their text and removes marks of emphasis', () => {
    const parsed = parseMarkdown(
      'A **bold** and _slanted_ [link](https://example.com/a_(b) "title")\nthat goes on, with `code_here`, snake_case and 2 * 3.',
    );
    expect(texts(parsed)).toEqual([
      'A bold and slanted link that goes on, with code_here, snake_case and 2 * 3.',
    ]);
    expect(parsed.links).toEqual({ internal: 0, external: 1 });
  });

  it('counts internal and external links, also by reference, in HTML and bare', () => {
    const parsed = parseMarkdown(
      'See [a](#here), [b](./b.md), [c](http://c.org), [d][ref], <https://e.org>, https://f.org/x_y_z and <a href="/g">g</a>.\n\n[ref]: https://d.org\n[unused]: sub/page.md\n',
    );
    expect(parsed.links).toEqual({ internal: 4, external: 4 });
    expect(texts(parsed)).toEqual(['See a, b, c, d, https://e.org, https://f.org/x_y_z and g.']);
  });

  it('drops badges, images, menus, tables and HTML, and keeps what is around them', () => {
    const parsed = parseMarkdown(
      [
        '# T',
        '[![build](https://x/b.svg)](https://x) ![alone](y.png)',
        '[Docs](https://d) | [Blog](https://b) • [Chat](https://c)',
        '| a | b |\n|---|:-:|\n| cell | cell |\nafter the table',
        '<p align="center">A <b>tagline</b></p>',
        '<!-- hidden\n\nstill hidden -->shown',
        '<table>\n<tr><td>layout</td></tr>\n</table>',
        'Generic `Promise<T>` and Array<string> stay.',
      ].join('\n\n'),
    );
    expect(texts(parsed)).toEqual([
      'after the table',
      'A tagline',
      'Generic Promise<T> and Array<string> stay.',
    ]);
    expect(parsed.images).toBe(2);
    expect(parsed.tables).toBe(2);
    // The links of the menu count; the one around the badge does not.
    expect(parsed.links).toEqual({ internal: 0, external: 3 });
  });

  it('tells prose from items and quotations and knows their section', () => {
    const parsed = parseMarkdown(
      '> Tagline here\n\n# T\n\nIntro.\n\n- [x] first item\n  goes on\n1. second\n\n## U\n\nText.',
    );
    expect(parsed.paragraphs).toEqual([
      { kind: 'quote', section: -1, text: 'Tagline here' },
      { kind: 'prose', section: 0, text: 'Intro.' },
      { kind: 'item', section: 0, text: 'first item goes on' },
      { kind: 'item', section: 0, text: 'second' },
      { kind: 'prose', section: 1, text: 'Text.' },
    ]);
  });

  it('decodes entities, keeps escaped marks and drops emoji', () => {
    const parsed = parseMarkdown(
      'Fish &amp; chips &lt;3 &#8212; \\*not bold\\* :tada: 🚀 caf\u00e9 10:30:20',
    );
    expect(texts(parsed)).toEqual(['Fish & chips <3 — *not bold* café 10:30:20']);
  });

  it('counts words with letters or digits only', () => {
    expect(parseMarkdown('# Two words\n\nthree — more words').words).toBe(5);
  });
});

describe('parseMarkdown: code', () => {
  it('counts blocks, lines and languages and keeps code out of the prose', () => {
    const parsed = parseMarkdown(
      [
        '```js\nconst a = 1;\n# no heading\n```',
        '~~~~ {.TS}\ncode\n~~~\nstill code\n~~~~',
        '- item\n\n  ```js\n  in a list\n  ```',
        '> ```\n> quoted\nend of the quotation',
        'Text:\n\n    indented\n    code',
        '<pre>\nraw\n</pre>',
      ].join('\n\n'),
    );
    expect(parsed.code.blocks).toBe(6);
    expect(parsed.code.lines).toBe(2 + 3 + 1 + 1 + 2);
    expect(parsed.code.languages).toEqual([
      { language: 'js', blocks: 2 },
      { language: 'ts', blocks: 1 },
    ]);
    expect(parsed.headings).toEqual([]);
    expect(texts(parsed)).toEqual(['item', 'end of the quotation', 'Text:']);
  });

  it('takes three backticks on one line for inline code', () => {
    const parsed = parseMarkdown('```not a fence```\n\nnext');
    expect(parsed.code.blocks).toBe(0);
    expect(texts(parsed)).toEqual(['not a fence', 'next']);
  });
});

describe('parseMarkdown: whatever comes', () => {
  it('reads CRLF, CR, a byte order mark and NUL', () => {
    const parsed = parseMarkdown('\uFEFF# Ti\0tle\r\n\r\nOne\rtwo\r\n');
    expect(parsed.title).toBe('Title');
    expect(texts(parsed)).toEqual(['One two']);
  });

  it('survives what is never closed', () => {
    expect(parseMarkdown('a\n\n```\nnever closed\n# x').code).toEqual({ blocks: 1, lines: 2, languages: [] });
    expect(texts(parseMarkdown('<!-- open\n\nstill here'))).toEqual(['still here']);
    expect(texts(parseMarkdown('<table>\n\nstill here'))).toEqual(['still here']);
    expect(texts(parseMarkdown('[open `tick <b attr'))).toEqual(['[open tick <b attr']);
    expect(texts(parseMarkdown('[a](no end and ![b'))).toEqual(['[a](no end and ![b']);
  });

  it('gives plain data', () => {
    const parsed = parseMarkdown('# A\n\n- b\n\n```js\nc\n```');
    expect(JSON.parse(JSON.stringify(parsed))).toEqual(parsed);
    expect(parseMarkdown('')).toEqual(parseMarkdown('\n\n \n'));
  });

  const megabyte = 1 << 20;
  const hostile: Record<string, string> = {
    'one long line': 'word '.repeat(megabyte / 5),
    'one long word': 'a'.repeat(megabyte),
    brackets: '['.repeat(megabyte),
    'nested links': '[a]('.repeat(megabyte / 4),
    'open tags': '<a '.repeat(megabyte / 3),
    'open comments': '<!--\n'.repeat(megabyte / 5),
    'open headings': '<h1>\n'.repeat(megabyte / 5),
    backticks: Array.from({ length: 50_000 }, (_, i) => '`'.repeat((i % 12) + 1)).join(' '),
    quotations: '>'.repeat(megabyte),
    bars: '|-\n'.repeat(megabyte / 3),
    underlines: 'a\n=\n'.repeat(megabyte / 4),
    'data in an image': `![](data:image/png;base64,${'A'.repeat(megabyte)})`,
    backslashes: '\\'.repeat(megabyte),
  };
  it.each(Object.entries(hostile))('takes linear time for a megabyte of %s', (_, source) => {
    const start = process.cpuUsage();
    const parsed = parseMarkdown(source);
    // Quadratic time would be minutes. Processor time, since on a busy machine the clock says nothing.
    expect(process.cpuUsage(start).user / 1_000).toBeLessThan(5_000);
    for (const { text } of parsed.paragraphs) expect(text.length).toBeLessThanOrEqual(20_000);
  });
});
