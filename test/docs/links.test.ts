import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { anchors, localLinks, readDocuments } from './read-markdown.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('the links in README.md and docs', () => {
  it('lead to files and headings that exist', () => {
    const broken: string[] = [];
    for (const { name, text } of readDocuments()) {
      for (const link of localLinks(text)) {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? name : join(dirname(name), path);
        if (!existsSync(join(root, target))) broken.push(`${name}: ${link}`);
        else if (anchor !== undefined && !anchors(readFileSync(join(root, target), 'utf8')).has(anchor))
          broken.push(`${name}: ${link} (no such heading)`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('so do the source files and folders that are named', () => {
    const missing = readDocuments().flatMap(({ name, text }) =>
      [...text.matchAll(/`((?:src|test|examples)\/[\w./-]*)`/g)]
        .map((match) => match[1] as string)
        .filter((path) => !existsSync(join(root, path)))
        .map((path) => `${name}: ${path}`),
    );
    expect(missing).toEqual([]);
  });
});
