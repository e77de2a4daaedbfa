import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = (file: string) => fileURLToPath(new URL(`../src/${file}`, import.meta.url));

export default defineConfig({
  root,
  resolve: {
    // Tests import the package by its name, as a user does, and run against the source. The pattern keeps
    // a later door from being taken for a path below the main one.
    alias: [
      { find: /^@taskmaster-ai\/orchestrator$/, replacement: source('index.ts') },
      { find: /^@taskmaster-ai\/orchestrator\/([a-z-]+)$/, replacement: source('$1.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // As fast as threads when measured, and a test that ends its process ends no other.
    pool: 'forks',
    // Slow tests state their own limit.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    coverage: { provider: 'v8', include: ['src/**'], reportsDirectory: 'coverage' },
  },
});
