import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { documentId, findDocuments, readDocument } from '../../examples/research-report/find-documents.ts';

describe('findDocuments', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'research-report-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const put = async (place: string, content = '# Text\n'): Promise<void> => {
    await mkdir(path.dirname(path.join(root, place)), { recursive: true });
    await writeFile(path.join(root, place), content);
  };

  it('lists Markdown files below a folder, sorted by path', async () => {
    await put('b/guide.md', 'four');
    await put('README.md');
    await put('b/README.markdown');
    await put('a-b/getting-started.MD');
    await put('b/notes.txt');
    await put('empty.md', '');
    await put('.hidden/x.md');
    await put('node_modules/dep/README.md');
    const listing = await findDocuments(root);
    expect(listing).toMatchObject({ folder: root, layout: 'tree', truncated: false, unreadable: [] });
    expect(listing.documents.map(({ id, path: place, title }) => [id, place, title])).toEqual([
      ['README', 'README.md', path.basename(root)],
      ['a-b+getting-started', 'a-b/getting-started.MD', 'getting started'],
      ['b+README', 'b/README.markdown', 'b'],
      ['b+guide', 'b/guide.md', 'guide'],
    ]);
    expect(listing.documents.map(({ bytes }) => bytes)).toEqual([7, 7, 7, 4]);
  });

  it('takes one README of each package below node_modules, links included', async () => {
    await put('node_modules/chalk/readme.md');
    await put('node_modules/chalk/docs/more.md');
    await put('node_modules/chalk/CHANGELOG.md');
    await put('node_modules/@types/node/README.md');
    await put('node_modules/.cache/README.md');
    await put('node_modules/bare/index.js');
    await put('node_modules/a/node_modules/b/README.md');
    await put('workspace/tool/README.md');
    await symlink('../workspace/tool', path.join(root, 'node_modules/tool'));
    await symlink('nowhere', path.join(root, 'node_modules/dangling'));
    await put('node_modules/stray-file.md');
    const { layout, documents, unreadable } = await findDocuments(path.join(root, 'node_modules'));
    expect(layout).toBe('packages');
    expect(documents.map(({ id, title }) => [id, title])).toEqual([
      ['@types+node', '@types/node'],
      ['chalk', 'chalk'],
      ['tool', 'tool'],
    ]);
    expect(unreadable).toEqual([]);
  });

  it('does not run in circles', async () => {
    await put('docs/one.md');
    await symlink('..', path.join(root, 'docs/up'));
    await symlink('.', path.join(root, 'self'));
    await symlink('one.md', path.join(root, 'docs/two.md'));
    const { documents } = await findDocuments(root);
    expect(documents.map(({ path: place }) => place)).toEqual(['docs/one.md']);
  });

  it('stops at its limits and says so', async () => {
    for (let i = 0; i < 20; i += 1) await put(`d${String(i).padStart(2, '0')}/a.md`);
    await put('d00/deep/er/b.md');
    const few = await findDocuments(root, { maxDocuments: 3 });
    expect(few.documents.map(({ id }) => id)).toEqual(['d00+a', 'd00+deep+er+b', 'd01+a']);
    expect(few.truncated).toBe(true);
    const shallow = await findDocuments(root, { maxDepth: 2 });
    expect(shallow.documents).toHaveLength(20);
    expect(shallow.truncated).toBe(true);
    expect((await findDocuments(root, { maxDocuments: 21 })).truncated).toBe(false);
  });

  it('says clearly why there is nothing to read', async () => {
    await put('file.txt');
    await expect(findDocuments(path.join(root, 'missing'))).rejects.toMatchObject({ code: 'missing-folder' });
    await expect(findDocuments(path.join(root, 'file.txt'))).rejects.toMatchObject({ code: 'not-a-folder' });
    await expect(findDocuments(root)).rejects.toThrow(/No Markdown file with any content below/);
    await mkdir(path.join(root, 'node_modules'));
    await expect(findDocuments(path.join(root, 'node_modules'))).rejects.toMatchObject({
      code: 'no-documents',
    });
  });

  it('reads documents in UTF-8 and UTF-16 and no more than half a mebibyte', async () => {
    await put('a.md', 'naïve 💡');
    await writeFile(path.join(root, 'b.md'), Buffer.from('\uFEFFwide', 'utf16le'));
    // The limit falls into the middle of a two-byte character, which must not leave a half behind.
    await put('c.md', `a${'é'.repeat(512 * 1024)}`);
    expect(await readDocument(root, { path: 'a.md' })).toBe('naïve 💡');
    expect(await readDocument(root, { path: 'b.md' })).toBe('wide');
    const cut = await readDocument(root, { path: 'c.md' });
    expect(cut.length).toBe(256 * 1024);
    expect(cut.endsWith('é')).toBe(true);
  });
});

describe('documentId', () => {
  it('holds no slash, bracket or hash sign, is short and unique', () => {
    const taken = new Set<string>();
    const places = [
      'a/b',
      'a+b',
      'naïve',
      'naive',
      '日本',
      '中国',
      'x[1]#2',
      `${'long/'.repeat(60)}end`,
      'a b',
    ];
    const ids = places.map((place) => documentId(place, `${place}.md`, taken));
    expect(new Set(ids).size).toBe(places.length);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9@._+-]{1,128}$/);
    expect(ids[0]).toBe('a+b');
    expect(documentId('a b', 'a b.md', new Set())).toBe(ids.at(-1));
  });
});
