import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

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
    expect(printed).toEqual([expect.stringMatching(/^25\.1 hours passed in /)]);
  });
});
