/** A process of the soak: keeps a mixed load going, and says every few seconds how it stands. */
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type EventStore, MemoryStore, Orchestrator } from '@taskmaster-ai/orchestrator';
import { KINDS } from './load.ts';
import type { SoakLine, SoakOrders } from './protocol.ts';

const orders = JSON.parse(process.argv[2] ?? '') as SoakOrders;
const SAMPLE_EVERY_MS = 3_000;
/** Runs under way at once; behind them the load waits. */
const AT_ONCE = 48;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const started = performance.now();
const seconds = (): number => (performance.now() - started) / 1_000;
const leaked: unknown[] = [];
let finished = 0;

function say(line: SoakLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function makeStore(): Promise<EventStore> {
  if (orders.kind === 'memory') return new MemoryStore();
  if (orders.kind === 'sqlite') {
    const { sqliteStore } = await import('@taskmaster-ai/orchestrator/sqlite');
    return sqliteStore(join(orders.folder, 'runs.db'));
  }
  const { fileStore } = await import('@taskmaster-ai/orchestrator/file');
  return fileStore(join(orders.folder, 'store'));
}

/** One run, from its start to its end. */
async function live(orchestrator: Orchestrator, number: number): Promise<void> {
  const names = Object.keys(KINDS);
  const name = names[(number + orders.seed) % names.length] as string;
  try {
    const { run, expected } = await (KINDS[name] as NonNullable<(typeof KINDS)[string]>)(
      orchestrator,
      number,
    );
    const { status } = await run.settled();
    if (status !== expected)
      say({ type: 'wrong', what: `${name}: ${run.runId} ends as ${status}, not ${expected}` });
    else if (orders.kind !== 'memory') say({ type: 'ended', run: run.runId, status });
    // Some hosts let a run go by themselves, most leave that to the orchestrator.
    if (number % 3 === 0) await run.release();
    if (orders.leak === 'memory') leaked.push(new Array(200).fill(number));
    if (orders.leak === 'handles') leaked.push(setInterval(() => {}, 1e6));
  } catch (error) {
    say({ type: 'wrong', what: `${name}: ${String(error)}` });
  }
  finished++;
}

function watch(): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const timer = setInterval(() => {
    const [lagP99, lagMax] = [delay.percentile(99) / 1e6, delay.max / 1e6];
    collect();
    const { heapUsed: heap, rss } = process.memoryUsage();
    const handles = process.getActiveResourcesInfo().length;
    say({ type: 'sample', at: seconds(), finished, heap, rss, handles, lagP99, lagMax });
    // What the collection itself took does not count.
    delay.reset();
  }, SAMPLE_EVERY_MS);
  return () => clearInterval(timer);
}

async function main(): Promise<void> {
  const orchestrator = await Orchestrator.open({
    store: await makeStore(),
    resources: { cpu: 8 },
    agents: { 'agent-0': { concurrency: 4 }, 'agent-1': { concurrency: 4 } },
    monitoring: true,
    errors: true,
  });
  const stop = watch();
  const underWay = new Set<Promise<void>>();
  let number = 0;
  while (seconds() < orders.seconds) {
    // So many more have to be begun by now.
    const due = Math.floor(seconds() * orders.rate);
    for (; number < due && underWay.size < AT_ONCE; number++) {
      const life = live(orchestrator, number).finally(() => underWay.delete(life));
      underWay.add(life);
    }
    await sleep(1);
  }
  const late = await Promise.race([
    Promise.all(underWay).then(() => 0),
    sleep(30_000).then(() => underWay.size),
  ]);
  if (late > 0) say({ type: 'wrong', what: `${late} runs have not ended` });
  stop();
  await orchestrator.close();
}

await main();
