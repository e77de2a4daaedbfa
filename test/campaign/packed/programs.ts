/** The files of a stranger's project: what somebody writes who has only read the documentation. */

/** Handlers in JavaScript. The one that never ends shows that its time limit, and the end of its thread, work too. */
export const HANDLERS_JS = `
import { isMainThread } from 'node:worker_threads';

export async function count({ dependencies: { load }, progress, locks, clock, log }) {
  const grant = await locks.acquire('index');
  await clock.sleep('5ms');
  log.info('counting');
  progress({ read: load.length });
  grant.release();
  return { words: new Map([[load, load.split(' ').length]]), pid: process.pid, isMainThread };
}
export function fail() {
  throw Object.assign(new RangeError('too far'), { code: 'TOO_FAR' });
}
export function spinForEver() {
  for (;;);
}
`;

/** The same in TypeScript, with types for the program to infer from. */
export const HANDLERS_TS = `
import { isMainThread } from 'node:worker_threads';
import type { HandlerContext } from '@taskmaster-ai/orchestrator';

type Loaded = HandlerContext<unknown, { readonly load: string }>;

export async function count({ dependencies: { load }, progress, locks, clock, log }: Loaded) {
  const grant = await locks.acquire('index');
  await clock.sleep('5ms');
  log.info('counting');
  progress({ read: load.length });
  grant.release();
  return { words: new Map([[load, load.split(' ').length]]), pid: process.pid, isMainThread };
}
export function fail(): never {
  throw Object.assign(new RangeError('too far'), { code: 'TOO_FAR' });
}
export function spinForEver(): void {
  for (;;);
}
`;

export interface ProgramOptions {
  /** The file of the handlers, as the program names it. */
  readonly handlers: string;
  /** The type of the module, for TypeScript. */
  readonly type?: string;
  /** Options of \`workerHandlers\`, as source. */
  readonly options?: string;
  /** Whether handlers are to be in a process of their own. */
  readonly isProcess?: boolean;
}

/** A program that uses handlers in every way that a packed package could break, and checks what comes of it. */
export function program({ handlers, type, options = '', isProcess = false }: ProgramOptions): string {
  const given = `{ threads: 1, idle: '100ms', ${isProcess ? "isolation: 'process', " : ''}${options} }`;
  return `
import assert from 'node:assert/strict';
import { defineWorkflow, Orchestrator, task, workerHandlers } from '@taskmaster-ai/orchestrator';

const handlers = workerHandlers${type ? `<${type}>` : ''}(new URL('${handlers}', import.meta.url), ${given});
const load = task('load', { run: () => 'the tide comes in' });
const count = task('count', { dependencies: { load }, handler: handlers.count });
const fail = task('fail', { handler: handlers.fail });
const spin = task('spin', { handler: handlers.spinForEver, timeout: '300ms' });

const orchestrator = await Orchestrator.open({ cancelGrace: '50ms' });
const run = await orchestrator.manageWorkflow(defineWorkflow('words', { tasks: [count] }));
const { words, pid, isMainThread } = (await run.result()).outputs.count;
assert.equal(words.get('the tide comes in'), 4);
assert.deepEqual([pid !== process.pid, isMainThread], [${isProcess}, ${isProcess}]);

const failing = await orchestrator.manageWorkflow(defineWorkflow('failing', { tasks: [fail, spin], failurePolicy: 'continue' }));
const { failures } = await failing.settled();
assert.deepEqual(failures.map(({ failure }) => failure.code).sort(), ['TASK_TIMEOUT', 'TOO_FAR']);
assert.equal((await (await orchestrator.manageWorkflow(defineWorkflow('again', { tasks: [count] }))).result()).status, 'completed');
// Without close(): the program ends by itself when its threads have been idle.
console.log('the handlers did what they should');
`;
}

export const WORKED = 'the handlers did what they should\n';

/** What a program prints that was bundled without the file for its threads. */
export const MISSING = `
import { Orchestrator, task, workerHandlers } from '@taskmaster-ai/orchestrator';

const { count } = workerHandlers(new URL('./handlers.js', import.meta.url));
const orchestrator = await Orchestrator.open();
const { failures } = await (await orchestrator.scheduleTask(task('count', { handler: count }))).settled();
console.log(failures[0].failure.code);
await orchestrator.close();
`;

/** Whoever still writes CommonJS. */
export const REQUIRED = `
const { Orchestrator, task } = require('@taskmaster-ai/orchestrator');

Orchestrator.open().then(async (orchestrator) => {
  console.log((await (await orchestrator.scheduleTask(task('one', { run: () => 'one' }))).result()).outputs.one);
  await orchestrator.close();
});
`;

/** Every door with types, for the compiler alone. */
export const DOORS_TS = `
import { fileLogger } from '@taskmaster-ai/orchestrator/file-logger';
import { WorkflowManager } from '@taskmaster-ai/orchestrator/managers';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import schema from '@taskmaster-ai/orchestrator/workflow.schema.json' with { type: 'json' };

export const doors = [fileLogger, WorkflowManager, VirtualClock, schema];
`;
