/** The rules on what is inside a file: size, names, `any`, console, purity, doors, headers. */
import { posix } from 'node:path';
import ts from 'typescript';
import { isDoor, layerOf } from './check-imports.ts';
import type { Breach, Rules } from './rules.ts';
import { lineOf, type SourceFile, walk } from './source-file.ts';

type Report = (rule: string, node: ts.Node, message: string) => void;

/** Time, chance, timers, promises and the world. `Math.random` is judged apart: the rest of Math is pure. */
const IMPURE_GLOBALS = new Set([
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'Promise',
  'process',
  'crypto',
  'fetch',
]);

function checkSize(file: SourceFile, rules: Rules, report: Report): void {
  const lines = file.text.replace(/\n$/, '').split('\n').length;
  if (lines > rules.fileLinesMax) {
    report('file-length', file.tree, `${lines} lines, allowed are ${rules.fileLinesMax}`);
  }
  walk(file.tree, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
    const start = lineOf(file.tree, node);
    const end = file.tree.getLineAndCharacterOfPosition(node.getEnd()).line + 1;
    const length = end - start + 1;
    if (length <= rules.functionLinesMax) return;
    const name =
      'name' in node && node.name !== undefined ? (node.name as ts.Node).getText(file.tree) : 'a function';
    report('function-length', node, `${name} has ${length} lines, allowed are ${rules.functionLinesMax}`);
  });
}

function checkNames(file: SourceFile, report: Report): void {
  const parts = file.path.split('/').slice(1);
  const vague = parts.find((part) => /^(utils?|helpers?)([^a-z]|$)/i.test(part));
  if (vague !== undefined)
    report('vague-name', file.tree, `"${vague}" names no idea: call it after what it defines`);
  if (parts.length > 1 && /^index\./.test(posix.basename(file.path))) {
    report(
      'inner-barrel',
      file.tree,
      'index.ts exists once, at the root of src: import the file that defines the thing',
    );
  }
}

function checkExports(file: SourceFile, report: Report): void {
  for (const statement of file.tree.statements) {
    const reexport = ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined;
    if (reexport && (statement.exportClause === undefined || ts.isNamespaceExport(statement.exportClause))) {
      report('export-star', statement, 'export by name, never `export *`');
    }
    if (isDoor(file.path) && !reexport) {
      report('door', statement, 'a door only re-exports, by name: `export { … } from`');
    }
  }
}

/** A name in the place of a value: no property, no declaration, no type. */
function isValueUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false;
  if ('name' in parent && parent.name === node) return false;
  if (ts.isExpressionWithTypeArguments(parent) && ts.isHeritageClause(parent.parent)) {
    return ts.isClassLike(parent.parent.parent) && parent.parent.token === ts.SyntaxKind.ExtendsKeyword;
  }
  return !ts.isTypeNode(parent) && !ts.isQualifiedName(parent);
}

/** The names that a file declares itself: a parameter called `process` is no global. */
function declaredNames(file: SourceFile): Set<string> {
  const names = new Set<string>();
  walk(file.tree, (node) => {
    const declares =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isImportSpecifier(node);
    if (declares && node.name !== undefined && ts.isIdentifier(node.name)) names.add(node.name.text);
  });
  return names;
}

/** The global that a node reads: `Date`, `globalThis.Date` or `globalThis['Date']`. */
function globalRead(node: ts.Node, declared: ReadonlySet<string>): string | undefined {
  if (ts.isIdentifier(node)) return !declared.has(node.text) && isValueUse(node) ? node.text : undefined;
  if (!ts.isPropertyAccessExpression(node) && !ts.isElementAccessExpression(node)) return undefined;
  if (!ts.isIdentifier(node.expression) || node.expression.text !== 'globalThis') return undefined;
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  return ts.isStringLiteralLike(node.argumentExpression) ? node.argumentExpression.text : undefined;
}

function checkTokens(file: SourceFile, report: Report): void {
  const declared = declaredNames(file);
  walk(file.tree, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword)
      report('any', node, '`any` switches the checker off: use unknown');
    if (globalRead(node, declared) === 'console') {
      report('console', node, 'src prints nothing: emit an event or throw');
    }
  });
}

/** Asks what a value is, or makes a date of a given time: neither reads a clock nor starts a promise. */
function isHarmlessUse(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isBinaryExpression(parent)) {
    return parent.right === node && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword;
  }
  if (ts.isPropertyAccessExpression(parent)) return parent.name.text === 'prototype';
  if (!ts.isNewExpression(parent) || !ts.isIdentifier(node) || node.text !== 'Date') return false;
  return parent.expression === node && (parent.arguments?.length ?? 0) > 0;
}

/** Syntax that brings a promise or a module that loads later. */
function impureSyntax(node: ts.Node): string | undefined {
  if (ts.isAwaitExpression(node)) return 'await';
  if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) return 'for await';
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return 'import()';
  if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) return 'import.meta';
  if (ts.canHaveModifiers(node)) {
    const modifiers = ts.getModifiers(node) ?? [];
    if (modifiers.some((modifier) => modifier.kind === ts.SyntaxKind.AsyncKeyword)) return 'async';
  }
  return undefined;
}

function checkPurity(file: SourceFile, layer: string, report: Report): void {
  const declared = declaredNames(file);
  walk(file.tree, (node) => {
    const syntax = impureSyntax(node);
    if (syntax !== undefined) report('impure', node, `${layer} is pure and may not use ${syntax}`);
    if (ts.isPropertyAccessExpression(node) && node.getText(file.tree) === 'Math.random') {
      report('impure', node, `${layer} is pure and may not use Math.random`);
    }
    const name = globalRead(node, declared);
    if (name === undefined || !IMPURE_GLOBALS.has(name) || isHarmlessUse(node)) return;
    report('impure', node, `${layer} is pure and may not use ${name}`);
  });
}

function checkTypesOnly(file: SourceFile, layer: string, report: Report): void {
  for (const statement of file.tree.statements) {
    const allowed =
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement) ||
      ts.isImportDeclaration(statement) ||
      (ts.isExportDeclaration(statement) && statement.isTypeOnly);
    if (!allowed) report('types-only', statement, `${layer} declares types only`);
  }
}

export function checkContent(file: SourceFile, rules: Rules): Breach[] {
  const breaches: Breach[] = [];
  const report: Report = (rule, node, message) => {
    breaches.push({ rule, file: file.path, line: lineOf(file.tree, node), message });
  };
  checkSize(file, rules, report);
  checkNames(file, report);
  checkExports(file, report);
  checkTokens(file, report);
  const layer = isDoor(file.path) ? undefined : layerOf(file.path, rules);
  const rule = layer === undefined ? undefined : rules.layers[layer];
  if (layer === undefined || rule === undefined) return breaches;
  if (rule.pure === true) checkPurity(file, layer, report);
  if (rule.typesOnly === true) checkTypesOnly(file, layer, report);
  if (rule.header === true && !file.text.startsWith('/*')) {
    report(
      'header',
      file.tree,
      `a file of ${layer} opens with a block comment: what it is for, what it owns, who may call it`,
    );
  }
  return breaches;
}
