import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Canary {
  readonly id: string;
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
}

const read = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
const canaries = ['canaries', 'blind'].flatMap(
  (name) => JSON.parse(read(`test/simulation/canaries/${name}.json`)) as readonly Canary[],
);

describe('the planted bugs', () => {
  it('are at least thirty, each under a name of its own', () => {
    expect(canaries.length).toBeGreaterThanOrEqual(30);
    expect(new Set(canaries.map(({ id }) => id)).size).toBe(canaries.length);
  });

  it('can all be planted: what they change stands in the source, once', () => {
    const missing = canaries.flatMap(({ id, edits }) =>
      edits
        .filter(({ file, find, replace }) => read(file).split(find).length !== 2 || find === replace)
        .map(({ file }) => `${id}: ${file}`),
    );
    expect(missing).toEqual([]);
  });
});
