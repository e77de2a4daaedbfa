/** The process dies at every append of small programs, and once more at every append of the recovery. */
import { defineWorkflow, type RunEvent, settled, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { type Death, Disk, type ProgramEnd, runProcess } from '../support/deaths.ts';
import { SMALL_WORKFLOWS, type SmallWorkflow } from '../support/small-workflows.ts';

const bad = (): never => {
  throw new Error('bad');
};

const failFast: SmallWorkflow = {
  name: 'a failure that ends the rest',
  options: { cancelGrace: 50 },
  define: (witness) =>
    defineWorkflow('fail-fast', {
      tasks: [
        task('a', { run: witness.handler(() => 'a') }),
        task('long', { run: witness.handler(({ clock }) => clock.sleep('1h')) }),
        task('bad', { dependencies: ['a'], run: witness.handler(bad, ['a']) }),
        task('below', { dependencies: ['bad'], run: witness.handler(() => 'below') }),
      ],
    }),
};

const finishRunning: SmallWorkflow = {
  name: 'a failure that lets the rest end',
  options: {},
  define: (witness) =>
    defineWorkflow('finish-running', {
      failurePolicy: 'finish-running',
      tasks: [
        task('slow', { run: witness.handler(({ clock }) => clock.sleep(20).then(() => 'slow')) }),
        task('bad', { run: witness.handler(({ clock }) => clock.sleep(5).then(bad)) }),
        task('after', { dependencies: ['slow'], run: witness.handler(() => 'after', ['slow']) }),
      ],
    }),
};

const wide: SmallWorkflow = {
  name: 'more tasks than places',
  options: { concurrency: 2, resources: { cpu: 2 } },
  define: (witness) =>
    defineWorkflow('wide', {
      tasks: [0, 1, 2, 3, 4].map((i) =>
        task(`t${i}`, {
          priority: i,
          locks: i % 2 === 0 ? ['door'] : [],
          resourceRequirements: { cpu: 1 },
          run: witness.handler(({ clock }) => clock.sleep(3 + i).then(() => i)),
        }),
      ),
    }),
};

const settling: SmallWorkflow = {
  name: 'retries below failures that are tolerated',
  options: { random: { next: () => 0 } },
  define: (witness) => {
    const broken = task('broken', { retry: { maxAttempts: 2, delay: 5 }, run: witness.handler(bad) });
    const after = task('after', {
      dependencies: { broken: settled(broken) },
      retry: { maxAttempts: 2, delay: 1 },
      run: witness.handler(({ attempt, dependencies }) => {
        if (attempt === 1) return bad();
        return (dependencies as { readonly broken: { readonly status: string } }).broken.status;
      }),
    });
    return defineWorkflow('settling', { tasks: [broken, after] });
  },
};

const long: SmallWorkflow = {
  name: 'a longer chain with a limit for each task',
  options: {},
  define: (witness) =>
    defineWorkflow('long', {
      tasks: [0, 1, 2, 3, 4].map((i) =>
        task(`t${i}`, {
          dependencies: i === 0 ? [] : [`t${i - 1}`],
          timeout: '1m',
          totalTimeout: '1d',
          run: witness.handler(({ path }) => path, i === 0 ? [] : [`t${i - 1}`]),
        }),
      ),
    }),
};

// What is driven by many commands of a program that does not know what it has done before is no program for deaths.
const SCENARIOS: readonly SmallWorkflow[] = [
  ...SMALL_WORKFLOWS.filter(({ name }) => name !== 'commands'),
  ...[failFast, finishRunning, wide, settling, long],
];

/** What must be the same however often it died. */
function essence({ log: _, ...end }: ProgramEnd): unknown {
  return end;
}

/** What the log and the ledger must agree on in the end. */
function judge(disk: Disk, { log }: ProgramEnd, deaths: number): void {
  expect(disk.faults).toEqual([]);
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_, i) => i + 1));
  const restarts = new Map<string, number>();
  for (const event of log) {
    if (event.type !== 'TaskRestarted') continue;
    expect(event.restart).toBe((restarts.get(event.path) ?? 0) + 1);
    restarts.set(event.path, event.restart);
  }
  // One for each death that a task was in progress in, and none beside.
  for (const [path, count] of restarts) expect(count, path).toBeLessThanOrEqual(deaths);
  // I7: what was recorded is recorded once.
  const ends = log.filter(({ type }) => type === 'TaskCompleted' || type === 'TaskFailed').map(pathOf);
  expect(new Set(ends).size).toBe(ends.length);
  for (const { path, attempt, process } of disk.ledger) {
    const same = disk.ledger.filter((entry) => entry.path === path && entry.attempt === attempt);
    // I5: an attempt runs once in a process.
    expect(same.filter((entry) => entry.process === process)).toHaveLength(1);
  }
}

function pathOf(event: RunEvent): string {
  return 'path' in event ? event.path : '';
}

const WHEN = ['before', 'after'] as const;

/** All deaths at one of so many appends. */
function deathsUpTo(appends: number): readonly Death[] {
  return Array.from({ length: appends }, (_, i) => WHEN.map((when) => ({ append: i + 1, when }))).flat();
}

describe('a program whose process dies', () => {
  it.each(SCENARIOS)('$name: at every append, and again at every append of its recovery', async (small) => {
    const whole = await runProcess(new Disk(), small, 1);
    const wanted = whole.end as ProgramEnd;
    expect(whole.appends).toBeGreaterThan(1);
    let restarted = 0;
    for (const first of deathsUpTo(whole.appends)) {
      let recoveryAppends = Number.POSITIVE_INFINITY;
      // Once without a second death, which tells how many appends the recovery has.
      for (let k = 0; k <= recoveryAppends; k++) {
        for (const when of k === 0 ? (['before'] as const) : WHEN) {
          const label = `${small.name}: ${first.when} ${first.append}, then ${k === 0 ? 'never' : `${when} ${k}`}`;
          const disk = new Disk();
          expect((await runProcess(disk, small, 1, first)).end, label).toBeUndefined();
          const second = await runProcess(disk, small, 2, k === 0 ? undefined : { append: k, when });
          if (k === 0) recoveryAppends = second.appends;
          const { end } = second.end === undefined ? await runProcess(disk, small, 3) : second;
          expect(essence(end as ProgramEnd), label).toEqual(essence(wanted));
          judge(disk, end as ProgramEnd, second.end === undefined ? 2 : 1);
          restarted += (end as ProgramEnd).log.filter(({ type }) => type === 'TaskRestarted').length;
        }
      }
    }
    expect(restarted).toBeGreaterThan(0);
  });
});
