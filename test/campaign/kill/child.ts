/**
 * A process of the campaign: goes on with what is in the store, starts more, and dies where it was told to; or brings
 * everything to its end and tells what there is.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventStore, HandlerContext, RunEvent, WorkflowData } from '@taskmaster-ai/orchestrator';
import { KillPoints, say } from './kill-points.ts';
import type { LedgerLine, Orders } from './protocol.ts';

const orders = JSON.parse(process.argv[2] ?? '') as Orders;
const points = new KillPoints(orders);
// Loaded only now: their functions of the file system are those that were put in place.
const { Orchestrator, Reference } = await import('@taskmaster-ai/orchestrator');

/** Runs under way at the same time. */
const AT_ONCE = 6;
/** Starts of one process; more than any lives for. */
const STARTS_MAX = 2_000;

const WORKFLOWS: readonly WorkflowData[] = [
  {
    name: 'chain',
    tasks: Array.from({ length: 4 }, (_, i) => ({
      taskId: `c${i}`,
      handler: 'work',
      dependencies: i === 0 ? [] : [`c${i - 1}`],
      retry: { maxAttempts: 3, delay: 1 },
    })),
  },
  {
    name: 'fan',
    tasks: [
      { taskId: 'root', handler: 'work' },
      ...Array.from({ length: 5 }, (_, i) => ({
        taskId: `f${i}`,
        handler: 'work',
        dependencies: ['root'],
        locks: i % 2 === 0 ? ['shared'] : [],
      })),
      { taskId: 'join', handler: 'work', dependencies: ['f0', 'f1', 'f2', 'f3', 'f4'] },
    ],
  },
];

function write(line: LedgerLine): void {
  appendFileSync(join(orders.folder, 'ledger'), `${JSON.stringify(line)}\n`);
}

async function work({ runId: run, path, attempt, clock, dependencies }: HandlerContext): Promise<unknown> {
  const about = { process: orders.process, run, path, attempt };
  write({ what: 'start', ...about });
  await clock.sleep(path.charCodeAt(1) % 3);
  if (path === 'c2' && attempt === 1) throw new Error('at the first time this one fails');
  const given = Object.keys(dependencies).length;
  // Too large for the log now and then, and other ones every time.
  const rows = path === 'f1' || path === 'c1' ? `${run} ${attempt} `.repeat(60) : '';
  if (path === 'join' && (dependencies as { f1: { rows: string } }).f1.rows.length < 1_024)
    throw new Error('a large output came as something else');
  const output = { run, path, attempt, given, rows };
  write({ what: 'end', ...about, output });
  return output;
}

async function makeStore(): Promise<EventStore> {
  const { kind, durability, folder } = orders;
  if (kind === 'sqlite') {
    const { sqliteStore } = await import('@taskmaster-ai/orchestrator/sqlite');
    return sqliteStore(join(folder, 'runs.db'), { durability });
  }
  const { fileStore } = await import('@taskmaster-ai/orchestrator/file');
  const onNotice = ({ type }: { readonly type: string }): void => {
    if (type.startsWith('Compaction') || type === 'Compacted') points.compacted();
    say({ type: 'notice', what: type });
  };
  const sizes = { segmentBytes: 65_536, garbageBytes: 16_384, indexBytes: 16_384 };
  return fileStore(join(folder, 'store'), { durability, ...sizes, onNotice });
}

async function main(): Promise<void> {
  const store = await makeStore();
  const orchestrator = await Orchestrator.open({
    store: points.watch(store),
    handlers: { work: work as never },
    workflows: WORKFLOWS,
    maxRestarts: 1_000,
    inlineLimit: 1_024,
    monitors: [
      {
        observe: (event: RunEvent) => {
          if (event.type !== 'TaskCompleted') return;
          const { runId: run, path, output } = event;
          say({
            type: 'task',
            run,
            path,
            output: output instanceof Reference ? { large: output.id } : output,
          });
        },
      },
    ],
  });
  points.isOpen = true;
  say({ type: 'open', recovered: orchestrator.runs().length });
  if (orders.kill === undefined) await finish(orchestrator);
  else await loop(orchestrator, store);
}

type Opened = Awaited<ReturnType<typeof Orchestrator.open>>;

/** Starts runs until it dies. */
async function loop(orchestrator: Opened, store: EventStore & { compact?(): Promise<void> }): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < STARTS_MAX) {
      const number = next++;
      const key = `${orders.process}-${number}`;
      const run = await orchestrator.manageWorkflow(WORKFLOWS[number % 2] as WorkflowData, { key });
      say({ type: 'key', run: run.runId, key });
      if (number % 3 === 0) await orchestrator.persistence.saveState(run.runId);
      const { status } = await run.settled();
      say({ type: 'run', run: run.runId, status });
      // There is seldom enough garbage in so short a life for the store to begin by itself.
      if (number % 2 === 1 && orders.kill?.phase === 'compaction') await store.compact?.();
      if (number % 4 === 0) await orchestrator.persistence.saveState(run.runId);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Lets everything end, and tells what there is. */
async function finish(orchestrator: Opened): Promise<void> {
  for (const run of orchestrator.runs()) await run.settled();
  for (let after: string | undefined; ; ) {
    const page = await orchestrator.listRuns({ limit: 500, after });
    for (const { runId } of page) {
      const { status, key, tasks } = await orchestrator.persistence.loadState(runId);
      const shown = await Promise.all(
        tasks.map(async ({ path, status: taskStatus, output }) => {
          if (!(output instanceof Reference)) return { path, status: taskStatus, output };
          const value = await orchestrator.persistence.loadOutput(runId, output);
          return { path, status: taskStatus, output: value, large: output.id };
        }),
      );
      say({ type: 'state', run: runId, status, key, tasks: shown });
    }
    if (page.length < 500) break;
    after = page.at(-1)?.runId;
  }
  await orchestrator.close();
}

await main();
