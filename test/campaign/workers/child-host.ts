/** Starts a program of the campaign in a process of its own, with the Node options of this one, and gathers what it says. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface HostEnd {
  /** The lines that it printed as JSON, each as what it says. */
  readonly reports: readonly unknown[];
  /** What else it printed, on both streams. */
  readonly noise: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly ms: number;
}

export interface HostOptions {
  readonly args: readonly string[];
  /** Options of Node, beside those of this process. */
  readonly node?: readonly string[];
  readonly limitMs: number;
}

/** Only so much of what a dying host prints is of interest. */
const NOISE_MAX = 20_000;

export async function runHost(program: string, { args, node = [], limitMs }: HostOptions): Promise<HostEnd> {
  const startedAt = performance.now();
  const file = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, '--no-warnings', ...node, file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let noise = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (noise.length < NOISE_MAX) noise += chunk.toString();
  });
  const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...end) => resolve(end));
  });
  clearTimeout(limit);
  const reports: unknown[] = [];
  for (const line of printed.split('\n'))
    if (line.startsWith('{')) reports.push(JSON.parse(line));
    else if (line !== '') noise += `${line}\n`;
  return { reports, noise, code, signal, ms: performance.now() - startedAt };
}

/** How a process ended, in a word. */
export function endOf({ code, signal }: Pick<HostEnd, 'code' | 'signal'>): string {
  return signal === null ? `exit code ${code}` : signal;
}
