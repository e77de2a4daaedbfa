import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runSeed } from './run-seed.ts';

test('given 100 seeds, when each is played twice, then nothing is violated and both histories are the same', async () => {
  const sums: Record<string, number> = {};
  for (let seed = 1; seed <= 100; seed++) {
    const first = await runSeed(seed);
    expect(first.violations, `seed ${seed}`).toEqual([]);
    expect((await runSeed(seed)).hash, `seed ${seed}`).toBe(first.hash);
    for (const [name, count] of Object.entries(first.counters)) sums[name] = (sums[name] ?? 0) + count;
  }
  for (const [name, count] of Object.entries(sums)) expect(count, name).toBeGreaterThan(0);
});

test('given the checker, when its imports are read, then only plain data comes in', () => {
  const text = readFileSync(new URL('./checker/check-history.ts', import.meta.url), 'utf8');
  expect([...text.matchAll(/from '([^']+)'/g)].map(([, from]) => from)).toEqual(['../history.ts']);
});
