/** Starts the program of an example in a process of its own, on the sources. Only where Node executes TypeScript. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface StartedExample {
  readonly child: ChildProcess;
  /** All that it has printed so far, on both streams. */
  printed(): string;
  /** Waits until it has printed something that fits, or has ended. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

export function startExample(name: string, env: Readonly<Record<string, string>> = {}): StartedExample {
  const url = (path: string): URL => new URL(path, import.meta.url);
  const child = spawn(
    process.execPath,
    [
      '--no-warnings',
      '--import',
      url('on-sources.mjs').href,
      fileURLToPath(url(`../../examples/${name}/main.ts`)),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '', ...env } },
  );
  let printed = '';
  let look = (): void => {};
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      look();
    });
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string | null);
  const until = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      look = () => {
        const match = pattern.exec(printed);
        if (match !== null) resolve(match);
      };
      look();
      ended.then((code) => reject(new Error(`it ended with ${code}, and printed only:\n${printed}`)));
    });
  return { child, printed: () => printed, until, ended };
}
