import { defineConfig } from 'tsup';

/** One name per door: `src/<door>.ts` becomes `dist/<door>.js`, and package.json exports it. A new door is one line here. */
const doors = [
  'index', //
  'testing',
  'managers',
  'encryption',
  'file',
  'file-logger',
  'sqlite',
  'sqlite-thread',
  'worker',
  'worker-process',
];

/**
 * Gives classes back the names that they have in the source: esbuild writes `var Task = class _Task` for one that names
 * itself, and then messages, stack traces and inspected values would say `_Task`.
 */
export function keepClassNames(code: string): string {
  const names = [...code.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => name as string);
  return names.reduce(
    (text, name) => text.replaceAll(new RegExp(`(?<![\\w$.#])_${name}(?![\\w$])`, 'g'), name),
    code,
  );
}

export default defineConfig({
  // Flat entries: shared chunks lie beside them, so that `import.meta.url` always means the root of dist.
  entry: Object.fromEntries(doors.map((door) => [door, `src/${door}.ts`])),
  format: ['esm'],
  target: 'node20',
  platform: 'node',
  dts: true,
  sourcemap: true,
  splitting: true,
  treeshake: false,
  clean: true,
  plugins: [
    {
      name: 'keep-class-names',
      renderChunk: (code, chunk) => ({
        code: keepClassNames(code),
        map: chunk.type === 'chunk' ? (chunk.map ?? null) : null,
      }),
    },
  ],
});
