/** Runs the TypeScript compiler inside a test, with the project's own options, over real or made-up files. */
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Compilation {
  /** One line for each error: `file:line  message`. */
  readonly errors: readonly string[];
  /** How many times the compiler instantiated a generic type to check the given files. */
  readonly instantiations: number;
}

function projectOptions(): ts.CompilerOptions {
  const configFile = ts.findConfigFile(root, ts.sys.fileExists, 'tsconfig.json') as string;
  const { config } = ts.readConfigFile(configFile, ts.sys.readFile);
  // The list of files is ours: an empty include would be an error, so one file stands for it.
  const parsed = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: ['package.json'] },
    ts.sys,
    root,
  );
  return parsed.options;
}

function describeDiagnostic(diagnostic: ts.Diagnostic): string {
  const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
  if (diagnostic.file === undefined || diagnostic.start === undefined) return message;
  const { line } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start);
  return `${diagnostic.file.fileName.slice(root.length)}:${line + 1}  ${message}`;
}

/** Where made-up files are thought to be: beside the type tests, so that they see the same options and packages. */
export function madeUpPath(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url));
}

/** Checks files; `madeUp` gives the text of those that are not on disk, `other` what differs from the project's options. */
export function compile(
  files: readonly string[],
  madeUp: ReadonlyMap<string, string> = new Map(),
  other: ts.CompilerOptions = {},
): Compilation {
  const options = { ...projectOptions(), ...other };
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => madeUp.get(path) ?? readFile.call(host, path);
  host.fileExists = (path) => madeUp.has(path) || fileExists.call(host, path);
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const text = madeUp.get(path);
    if (text !== undefined) return ts.createSourceFile(path, text, languageVersion, true);
    return getSourceFile.call(host, path, languageVersion, ...rest);
  };
  const program = ts.createProgram([...files], options, host);
  // Only the given files are checked, as an editor does: what they use of the library is instantiated for them.
  const diagnostics = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()];
  for (const file of files) {
    const tree = program.getSourceFile(file);
    if (tree === undefined) throw new Error(`no such file: ${file}`);
    diagnostics.push(...program.getSyntacticDiagnostics(tree), ...program.getSemanticDiagnostics(tree));
  }
  return { errors: diagnostics.map(describeDiagnostic), instantiations: program.getInstantiationCount() };
}
