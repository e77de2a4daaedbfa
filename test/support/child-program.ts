/** Small programs that run in a process of their own, on the sources, by Node's type stripping. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface ChildResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Whether this Node can run TypeScript as it is; older ones have nothing to run the programs with. */
export const canRunPrograms = Boolean((process.features as { readonly typescript?: unknown }).typescript);

/**
 * Runs a module given as text; `Orchestrator`, `defineWorkflow`, `task` … are `import`ed for it from the sources.
 * It is killed after `limitMs`, and then `code` is `null`.
 */
export async function runProgram(text: string, limitMs = 20_000): Promise<ChildResult> {
  const entry = new URL('../../src/index.ts', import.meta.url).href;
  const source = `import { Orchestrator, OrchestratorError, defineWorkflow, task } from ${JSON.stringify(entry)};\n${text}`;
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', source], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  clearTimeout(limit);
  return { code, stdout, stderr, ms: performance.now() - startedAt };
}
