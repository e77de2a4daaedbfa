/**
 * A host to be thrown away: a handler does in a thread, or in a child process, what a thread may not be able to contain.
 * It tells what came of the task; when it tells nothing, the host is gone.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineWorkflow, Orchestrator, task, workerHandlers } from '@taskmaster-ai/orchestrator';
import type { Isolation } from './fault-table.ts';

/** What is told of a host that lives. */
export interface Uncontained {
  /** The code or name of what the task failed with, or `completed`. */
  readonly task: string;
  /** What the next handler of the same module returned. */
  readonly neighbour: unknown;
  /** Whether something is left of what the handler did. */
  readonly left: string | undefined;
}

const [shape, data, isolation] = process.argv.slice(2) as [string, string, Isolation];
const marker = join(mkdtempSync(join(tmpdir(), 'uncontained-')), 'pid');
const handlers = workerHandlers(new URL('./handlers.mjs', import.meta.url), {
  isolation,
  threads: 1,
  idle: '20ms',
  ...(/^oom|Bytes$/.test(shape) ? { memory: 32 } : undefined),
});
const directory = process.cwd();

/** Whether a process that a handler has started lives still; it is ended here. */
function leftProcess(): string | undefined {
  if (!existsSync(marker)) return undefined;
  try {
    process.kill(Number(readFileSync(marker, 'utf8')), 'SIGKILL');
    return 'the process that the handler started';
  } catch {
    return undefined;
  }
}

const orchestrator = await Orchestrator.open({ cancelGrace: '100ms' });
const first = task('first', { handler: handlers.echo, inputData: 'first' });
const bad = task('bad', {
  dependencies: { first },
  handler: handlers.plain,
  inputData: { shape, data: data === 'marker' ? marker : JSON.parse(data) },
  timeout: shape === 'leavesProcess' ? '500ms' : '60s',
  priority: 10,
});
const next = task('next', { dependencies: { first }, handler: handlers.echo, inputData: 'next' });
const run = await orchestrator.manageWorkflow(
  defineWorkflow('uncontained', { failurePolicy: 'continue', tasks: [first, bad, next] }),
);
const { outputs, failures } = await run.settled();
const failure = failures.find(({ path }) => path === 'bad')?.failure;
const left =
  leftProcess() ??
  (process.cwd() === directory ? undefined : 'the working directory') ??
  (process.env.TASKMASTER_CAMPAIGN === undefined ? undefined : 'the environment');
const told: Uncontained = {
  task: failure === undefined ? 'completed' : (failure.code ?? failure.name),
  neighbour: outputs.next,
  left,
};
rmSync(join(marker, '..'), { recursive: true, force: true });
writeSync(1, `${JSON.stringify(told)}\n`);
