/** A folder outside of the repository, and what a stranger does in it: installs the package, writes files, starts them. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const LIMIT_MS = 120_000;

/** A Node on this machine. */
export interface NodeBinary {
  readonly path: string;
  readonly version: string;
  readonly runsTypeScript: boolean;
}

/** The Node that executes this, and the one with which npm was started, when that is another. */
export function nodeBinaries(): readonly NodeBinary[] {
  const paths = new Set([process.env.npm_node_execpath ?? process.execPath, process.execPath]);
  const ask = 'JSON.stringify([process.version, Boolean(process.features.typescript)])';
  const found = [...paths].map((path): NodeBinary => {
    const [version, runsTypeScript] = JSON.parse(execute(path, ['--print', ask], ROOT)) as [string, boolean];
    return { path, version, runsTypeScript };
  });
  return found.filter(({ version }, i) => found.findIndex((other) => other.version === version) === i);
}

/** Runs a program and gives what it printed on its standard output. @throws Error with all that it said when it failed */
export function execute(command: string, given: readonly string[], cwd: string): string {
  const { status, signal, stdout, stderr, error } = spawnSync(command, given, {
    cwd,
    encoding: 'utf8',
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      PATH: [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter),
    },
  });
  if (status === 0) return stdout;
  const how = error?.message ?? (status === null ? `it was ended by ${signal}` : `exit code ${status}`);
  throw new Error(`${[command, ...given].join(' ')}: ${how}\n${stdout}${stderr}`);
}

/** Executes a line as a shell would. */
export function executeLine(line: string, cwd: string): string {
  return execute('sh', ['-c', line], cwd);
}

/** Runs the npm that has started this, as it is configured here. */
function npm(given: readonly string[], cwd: string): string {
  const { npm_node_execpath: node, npm_execpath: script } = process.env;
  if (node !== undefined && script !== undefined) return execute(node, [script, ...given], cwd);
  return execute('npm', given, cwd);
}

export class Stranger {
  readonly folder = mkdtempSync(join(tmpdir(), 'packed-'));

  /** Packs what was built, and installs it as anybody would. */
  install(): void {
    const packed = npm(['pack', '--json', '--ignore-scripts', '--pack-destination', this.folder], ROOT);
    const [{ filename }] = JSON.parse(packed) as [{ readonly filename: string }];
    this.write('package.json', '{ "private": true, "type": "module" }');
    npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', join(this.folder, filename)], this.folder);
    // For the compiler alone; what is executed finds nothing of this repository.
    mkdirSync(join(this.folder, 'node_modules/@types'));
    for (const name of ['@types/node', 'undici-types'])
      symlinkSync(join(ROOT, 'node_modules', name), join(this.folder, 'node_modules', name));
  }

  /** Writes a file below the folder, and gives its path. */
  write(name: string, content: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
