/**
 * A host whose own heap is exhausted by an inline handler while threads and child processes are busy (`grow`), or the one
 * that is started after it and does the same work again (`restart`).
 */
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineWorkflow, Orchestrator, task, workerHandlers } from '@taskmaster-ai/orchestrator';

/** What is told before the end. */
export interface HeapReport {
  /** The child process that is busy. */
  readonly pid: number | undefined;
  readonly outputs: Readonly<Record<string, unknown>> | undefined;
}

const [mode, marker] = process.argv.slice(2) as ['grow' | 'restart', string];
const url = new URL('./handlers.mjs', import.meta.url);
const threads = workerHandlers(url, { threads: 1, idle: '20ms', memory: 32 });
const processes = workerHandlers(url, { threads: 1, idle: '20ms', isolation: 'process' });

const orchestrator = await Orchestrator.open({ cancelGrace: '100ms', resources: { slots: 4 } });

if (mode === 'grow') {
  const held = { resourceRequirements: { slots: 1 }, locks: ['desk'] } as const;
  const away = task('away', {
    handler: processes.plain,
    inputData: { shape: 'tellsPid', data: marker },
    ...held,
  });
  const spin = task('spin', { handler: threads.plain, inputData: { shape: 'spin' } });
  const grow = task('grow', {
    run: async () => {
      while (!existsSync(marker) || readFileSync(marker, 'utf8') === '') await sleep(5);
      const told: HeapReport = { pid: Number(readFileSync(marker, 'utf8')), outputs: undefined };
      writeSync(1, `${JSON.stringify(told)}\n`);
      const rows: unknown[] = [];
      for (;;) rows.push(new Array(1_000).fill(0.5));
    },
  });
  await (await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [away, spin, grow] }))).settled();
} else {
  // A thread that runs out of memory costs this small host nothing.
  const full = task('full', { handler: threads.plain, inputData: { shape: 'oomSmall' }, locks: ['desk'] });
  const inThread = task('inThread', { handler: threads.echo, inputData: 1, locks: ['desk'] });
  const inProcess = task('inProcess', { handler: processes.echo, inputData: 2 });
  const workflow = defineWorkflow('w', { failurePolicy: 'continue', tasks: [full, inThread, inProcess] });
  const { outputs, failures } = await (await orchestrator.manageWorkflow(workflow)).settled();
  const told: HeapReport = {
    pid: undefined,
    outputs: { ...outputs, full: failures[0]?.failure.code },
  };
  writeSync(1, `${JSON.stringify(told)}\n`);
}
