/** What the import of the main door loads: the model and the facade, never the engine behind it. */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** The modules that a module imports as values when it is loaded. */
function valueImports(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8');
  const found: string[] = [];
  for (const [, clause, from] of text.matchAll(/^(?:import|export)\s+([^;]*?)\s*from\s+'(\.[^']+)'/gm)) {
    const names = /\{([\s\S]*)\}/.exec(clause as string)?.[1];
    const isType =
      (clause as string).startsWith('type ') ||
      names
        ?.split(',')
        .filter((name) => name.trim() !== '')
        .every((name) => name.trim().startsWith('type '));
    if (!isType) found.push(normalize(join(dirname(file), from as string)));
  }
  return found;
}

function loadedBy(door: string): ReadonlySet<string> {
  const loaded = new Set<string>();
  const waiting = [join(ROOT, door)];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (loaded.has(file)) continue;
    loaded.add(file);
    waiting.push(...valueImports(file));
  }
  return new Set([...loaded].map((file) => relative(ROOT, file)));
}

describe('the main door', () => {
  const loaded = [...loadedBy('src/index.ts')];

  it('loads the facade and the model', () => {
    expect(loaded).toContain('src/orchestrator/orchestrator.ts');
    expect(loaded).toContain('src/model/task.ts');
  });

  it('loads neither managers nor the machine nor the engine', () => {
    const heavy = loaded.filter((file) => /^src\/(?:managers|machine|planning)\/|engine\.ts$/.test(file));
    expect(heavy).toEqual([]);
  });

  it('loads no threads, and neither does the engine: they are loaded by the first call that needs one', () => {
    const engine = [...loadedBy('src/orchestrator/engine.ts')];
    expect(engine).toContain('src/orchestrator/route-executor.ts');
    expect([...loaded, ...engine].filter((file) => file.startsWith('src/adapters/worker-threads/'))).toEqual(
      [],
    );
  });
});
