/** The rules on arrows between files: layers, folders, packages, circles. */
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import type { Breach, LayerRule, Rules } from './rules.ts';
import type { ImportReference, SourceFile } from './source-file.ts';

const NODE_MODULES = new Set(builtinModules);

function isNodeModule(specifier: string): boolean {
  return specifier.startsWith('node:') || NODE_MODULES.has(specifier);
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith('.');
}

function targetOf(file: SourceFile, reference: ImportReference): string {
  return posix.join(posix.dirname(file.path), reference.specifier);
}

export function isDoor(path: string): boolean {
  return posix.dirname(path) === 'src';
}

/** The layer of a file: the longest folder in the table that holds it. */
export function layerOf(path: string, rules: Rules): string | undefined {
  const inside = (layer: string) => path.startsWith(`src/${layer}/`);
  return Object.keys(rules.layers)
    .filter(inside)
    .sort((left, right) => right.length - left.length)[0];
}

/** The first folder below the layer's own: `memory` for src/adapters/memory/store.ts in `adapters`. */
function folderBelow(path: string, layer: string): string {
  const [folder = '', ...rest] = path.slice(`src/${layer}/`.length).split('/');
  return rest.length === 0 ? '' : folder;
}

function checkPackage(
  file: SourceFile,
  reference: ImportReference,
  layer: string,
  rule: LayerRule,
): Breach | undefined {
  const { specifier, line } = reference;
  const breach = (name: string, message: string) => ({ rule: name, file: file.path, line, message });
  if (isNodeModule(specifier)) {
    if (rule.pure !== true) return undefined;
    return breach('impure', `${layer} is pure and may not import ${specifier}`);
  }
  const parts = specifier.split('/');
  const name = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
  if (name === '@taskmaster-ai/orchestrator') {
    return breach('layer', 'src may not import its own package: import the file that defines the name');
  }
  if (rule.packages === undefined || rule.packages.includes(name)) return undefined;
  const allowed = rule.packages.length === 0 ? 'none' : rule.packages.join(', ');
  return breach('layer', `${layer} may not import the package ${name} (allowed: ${allowed})`);
}

/** A file of ours that is imported by a file of a layer: is the arrow allowed? */
function checkArrow(
  file: SourceFile,
  reference: ImportReference,
  layer: string,
  rules: Rules,
): Breach | undefined {
  const target = targetOf(file, reference);
  const rule = rules.layers[layer] as LayerRule;
  const breach = (message: string) => ({ rule: 'layer', file: file.path, line: reference.line, message });
  if (isDoor(target)) return breach(`${layer} may not import the door ${target}`);
  const targetLayer = layerOf(target, rules);
  if (targetLayer === undefined) return breach(`${target} belongs to no layer`);
  if (rule.typesOnly === true && !reference.typesOnly) {
    return breach(`${layer} may only import types: write \`import type\` for ${target}`);
  }
  if (targetLayer === layer) {
    // What lies directly in the layer is common ground of its folders.
    const folder = folderBelow(target, layer);
    const apart = folder !== '' && folderBelow(file.path, layer) !== folder;
    if (rule.isolatedFolders !== true || !apart) return undefined;
    return breach(`folders of ${layer} may not import each other (${target})`);
  }
  const extra = rules.exceptions.find((exception) => exception.file === file.path)?.imports ?? [];
  if (![...rule.imports, ...extra].includes(targetLayer)) {
    return breach(
      `${layer} may not import ${targetLayer} (${target}); allowed: ${rule.imports.join(', ') || 'nothing'}`,
    );
  }
  if (rule.typesFrom?.includes(targetLayer) === true && !reference.typesOnly) {
    return breach(`${layer} may only import types from ${targetLayer}: write \`import type\` for ${target}`);
  }
  return undefined;
}

function checkReference(
  file: SourceFile,
  reference: ImportReference,
  known: ReadonlySet<string>,
  rules: Rules,
): Breach | undefined {
  const layer = isDoor(file.path) ? undefined : layerOf(file.path, rules);
  if (!isRelative(reference.specifier)) {
    if (layer === undefined) return undefined;
    return checkPackage(file, reference, layer, rules.layers[layer] as LayerRule);
  }
  const target = targetOf(file, reference);
  if (!known.has(target)) {
    const message = `${reference.specifier} is no file of src (imports are written with the .ts extension)`;
    return { rule: 'import', file: file.path, line: reference.line, message };
  }
  if (layer !== undefined) return checkArrow(file, reference, layer, rules);
  const opened = layerOf(target, rules);
  if (!isDoor(file.path) || (opened !== undefined && rules.doors.includes(opened))) return undefined;
  const message = `a door may not open ${target}; allowed: ${rules.doors.join(', ')}`;
  return { rule: 'layer', file: file.path, line: reference.line, message };
}

export function checkImports(files: readonly SourceFile[], rules: Rules): Breach[] {
  const known = new Set(files.map((file) => file.path));
  const breaches: Breach[] = [];
  for (const file of files) {
    if (!isDoor(file.path) && layerOf(file.path, rules) === undefined) {
      const message = `belongs to no layer (${Object.keys(rules.layers).join(', ')})`;
      breaches.push({ rule: 'layer', file: file.path, line: 1, message });
    }
    for (const reference of file.imports) {
      const breach = checkReference(file, reference, known, rules);
      if (breach !== undefined) breaches.push(breach);
    }
  }
  return breaches;
}

/** The shortest way from a file back to itself, or nothing. */
function shortestCircle(start: string, arrows: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const cameFrom = new Map<string, string>();
  let frontier = [start];
  while (frontier.length > 0) {
    const next: string[] = [];
    for (const from of frontier) {
      for (const to of arrows.get(from) ?? []) {
        if (to === start) {
          const circle = [start];
          for (let step = from; step !== start; step = cameFrom.get(step) as string) circle.push(step);
          return [...circle, start].reverse();
        }
        if (cameFrom.has(to)) continue;
        cameFrom.set(to, from);
        next.push(to);
      }
    }
    frontier = next;
  }
  return undefined;
}

/** Circles of imports between files; type-only imports count, since a reader follows them too. */
export function checkCircles(files: readonly SourceFile[]): Breach[] {
  const arrows = new Map(
    files.map((file) => {
      const relative = file.imports.filter((reference) => isRelative(reference.specifier));
      return [file.path, relative.map((reference) => targetOf(file, reference))];
    }),
  );
  const reported = new Set<string>();
  const breaches: Breach[] = [];
  for (const file of files) {
    if (reported.has(file.path)) continue;
    const circle = shortestCircle(file.path, arrows);
    if (circle === undefined) continue;
    for (const member of circle) reported.add(member);
    const second = circle[1];
    const reference = file.imports.find((candidate) => targetOf(file, candidate) === second);
    const message = `import circle: ${circle.join(' -> ')}`;
    breaches.push({ rule: 'circle', file: file.path, line: reference?.line ?? 1, message });
  }
  return breaches;
}
