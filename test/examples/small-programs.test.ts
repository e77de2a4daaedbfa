import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defineTimetable } from '../../examples/cpu-bound-tool/timetable.ts';
import { Orchestrator } from '../../src/index.ts';
import { canRunPrograms } from '../support/child-program.ts';
import { startExample } from '../support/start-example.ts';

/** The small examples are programs as a user would copy them: to import one is to run it. */
describe('each small example runs to its end', () => {
  const printed: string[] = [];

  beforeEach(() => {
    printed.length = 0;
    vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('hello', async () => {
    await import('../../examples/hello/main.ts');
    expect(printed).toEqual(['Hello Ada, born in 1815!']);
  });

  it('cancel-and-retry', async () => {
    await import('../../examples/cancel-and-retry/main.ts');
    expect(printed).toEqual([
      'download: attempt 1 failed (come back later)',
      'download: attempt 2 failed (come back later)',
      'translate: attempt 1 failed (attempt 1 of task "translate" took longer than its limit of 50 ms)',
      'a page, translated',
      'payment failed: the card has expired, after attempt 1',
      'cancelled: Error: nobody waits that long',
    ]);
  });

  it('resources-and-locks', async () => {
    await import('../../examples/resources-and-locks/main.ts');
    expect(printed).toHaveLength(3);
    expect(printed[0]).toMatch(/^in the book: (?:Ghent|Faro), /);
    expect(printed[0]?.slice('in the book: '.length).split(', ').sort()).toEqual([
      'Basel',
      'Cadiz',
      'Delft',
      'Essen',
      'Faro',
      'Ghent',
    ]);
    expect(printed[1]).toBe('guides at once: at most 2; writers at once: at most 1');
  });

  it('plain-data', async () => {
    await import('../../examples/plain-data/main.ts');
    expect(printed[0]).toBe('Ada owes 11.50');
    expect(printed[1]).toMatch(/^HANDLER_UNKNOWN: .*"laod".* Did you mean "load"\?$/);
  });

  it('test-with-virtual-clock', async () => {
    await import('../../examples/test-with-virtual-clock/main.ts');
    expect(printed).toEqual([expect.stringMatching(/^34\.0 hours passed in /)]);
  });
});

describe('cpu-bound-tool', () => {
  it.skipIf(!canRunPrograms)('ends a tool that would search for ever, and the pipeline goes on', async () => {
    const example = startExample('cpu-bound-tool');
    expect(await example.ended).toBe(0);
    const printed = example.printed();
    // The law may take longer than its limit on a machine with other things to do; mathematics takes years on any.
    expect(printed).toMatch(
      /^colour:mathematics: TASK_TIMEOUT after \d+ ms, it last said (?:\{"colours":\d+\}|undefined)$/m,
    );
    expect(printed).toMatch(/^mathematics: \d+ slots; perhaps fewer would do$/m);
    for (const faculty of ['law', 'mathematics', 'medicine', 'history']) {
      expect(printed).toContain(`plan:${faculty}: done\n`);
      expect(printed).toMatch(new RegExp(`^${faculty}: \\d+ slots`, 'm'));
    }
    expect(printed).toMatch(/^longest pause of the main thread: \d+ ms$/m);
  });

  it('plans the same in the thread of a test', async () => {
    const small = [
      { name: 'law', exams: 40, students: 120, each: 3 },
      { name: 'history', exams: 60, students: 150, each: 2 },
    ];
    const orchestrator = await Orchestrator.open();
    const run = await orchestrator.manageWorkflow(
      defineTimetable({ timeout: '10m', runOn: 'inline' }, small),
    );
    expect((await run.result()).outputs.publish).toEqual([
      { faculty: 'law', slots: 7, isProven: true },
      { faculty: 'history', slots: 4, isProven: true },
    ]);
    await orchestrator.close();
  });
});
