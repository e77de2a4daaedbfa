import { defineConfig } from 'tsup';

/** One name per door: `src/<door>.ts` becomes `dist/<door>.js`, and package.json exports it. A new door is one line here. */
const doors = [
  'index', //
  'testing',
  'managers',
  'file-logger',
];

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
});
