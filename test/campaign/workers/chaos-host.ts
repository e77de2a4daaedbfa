/** A host of round after round of mixed tasks; it tells what came of each round, what is left, and its memory. */
import { writeSync } from 'node:fs';
import { chaosRound, openChaos, type RoundReport } from './chaos.ts';
import { leftAfter, openNow, settleProcess } from './leftovers.ts';

export interface ChaosReport extends RoundReport {
  /** Bytes of the heap and of buffers outside of it, after a collection. */
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly rssBytes: number;
}

const [seed, tasks, rounds] = process.argv.slice(2).map(Number) as [number, number, number];
const collect = (globalThis as { readonly gc?: () => void }).gc;
if (collect === undefined) throw new Error('start it with --expose-gc');

await settleProcess();
const warnings: string[] = [];
process.on('warning', ({ name, message }) => warnings.push(`${name}: ${message}`));
const before = openNow();
const orchestrator = await openChaos();
for (let i = 0; i < rounds; i++) {
  const report = await chaosRound(orchestrator, { seed: seed + i, tasks });
  const left = await leftAfter(before);
  // What was freed by one collection can be what the next one finds.
  for (let again = 0; again < 3; again++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const wrongs = [...report.wrongs, ...warnings.splice(0)];
  if (left !== undefined) wrongs.push(`left over: ${left}`);
  const told: ChaosReport = {
    ...report,
    wrongs,
    heapBytes: heapUsed,
    externalBytes: external,
    rssBytes: rss,
  };
  writeSync(1, `${JSON.stringify(told)}\n`);
}
