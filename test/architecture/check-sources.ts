/** The whole check of a tree of sources, given as a map from path to text so that made-up trees can be checked too. */
import { checkContent } from './check-content.ts';
import { checkCircles, checkImports } from './check-imports.ts';
import type { Breach, Rules } from './rules.ts';
import { readSourceFile } from './source-file.ts';

export function checkSources(sources: ReadonlyMap<string, string>, rules: Rules): Breach[] {
  const files = [...sources]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([path, text]) => readSourceFile(path, text));
  return [
    ...checkImports(files, rules),
    ...checkCircles(files),
    ...files.flatMap((file) => checkContent(file, rules)),
  ];
}

/** One line for each breach, grouped by nothing: an editor makes `path:line` a link. */
export function listBreaches(breaches: readonly Breach[]): string {
  return breaches.map(({ rule, file, line, message }) => `${file}:${line}  [${rule}] ${message}`).join('\n');
}
