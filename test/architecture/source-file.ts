/**
 * Reads one source file with TypeScript's parser and answers what the rules ask of it: what it imports, in which
 * way, and which lines it has. Nothing here knows a layer.
 */
import ts from 'typescript';

export interface ImportReference {
  /** As written, for instance `../base/heap.ts` or `node:fs`. */
  readonly specifier: string;
  readonly line: number;
  /** Leaves no trace at run time: `import type`, `export type … from`, `import('…').Name`. */
  readonly typesOnly: boolean;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly ImportReference[];
}

export function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

/** Calls `visit` for every node below `node`, parents first. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

function importOf(node: ts.Node): { specifier: ts.Expression | undefined; typesOnly: boolean } | undefined {
  if (ts.isImportDeclaration(node)) {
    const typesOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return { specifier: node.moduleSpecifier, typesOnly };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    return { specifier: node.moduleSpecifier, typesOnly: node.isTypeOnly };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return { specifier: node.argument.literal, typesOnly: true };
  }
  if (ts.isExternalModuleReference(node)) return { specifier: node.expression, typesOnly: false };
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return { specifier: node.arguments[0], typesOnly: false };
  }
  return undefined;
}

export function readSourceFile(path: string, text: string): SourceFile {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const imports: ImportReference[] = [];
  walk(tree, (node) => {
    const found = importOf(node);
    // A dynamic import whose specifier is computed names no file of ours; the pure layers refuse it elsewhere.
    if (found?.specifier === undefined || !ts.isStringLiteralLike(found.specifier)) return;
    imports.push({
      specifier: found.specifier.text,
      line: lineOf(tree, node),
      typesOnly: found.typesOnly,
    });
  });
  return { path, text, tree, imports };
}
