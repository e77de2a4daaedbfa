import { describe, expect, it } from 'vitest';
import { createProgress, type ProgressEvent } from '../../examples/research-report/progress.ts';

describe('progress', () => {
  const events: ProgressEvent[] = [
    { type: 'planned', path: 'read[a]', at: 0, agent: 'researcher' },
    { type: 'planned', path: 'read[b]', at: 0, agent: 'researcher' },
    { type: 'planned', path: 'write', at: 0, agent: 'writer' },
    { type: 'started', path: 'read[a]', at: 100 },
    { type: 'retrying', path: 'read[a]', at: 200, attempt: 1 },
    { type: 'started', path: 'read[a]', at: 300, attempt: 2 },
    { type: 'succeeded', path: 'read[b]', at: 3_000 },
    { type: 'failed', path: 'read[a]', at: 3_100, attempt: 2, message: 'no \u001b[2Jfile' },
  ];
  const play = (isTty: boolean, env: Record<string, string>, columns = 60): string[] => {
    const written: string[] = [];
    const progress = createProgress({
      write: (text) => written.push(text),
      isTty,
      env,
      columns: () => columns,
      title: 'demo',
    });
    for (const event of events) progress.onEvent(event);
    progress.tick(3_110);
    progress.finish(4_000);
    progress.onEvent({ type: 'started', path: 'late', at: 5_000 });
    progress.finish(6_000);
    return written;
  };

  it('prints a line now and then off a terminal', () => {
    expect(play(false, {})).toEqual([
      'demo 3.0 s: 1/3 tasks, 1 running, 1 retry (researcher 1/2, writer 0/1)\n',
      'failed read[a] (attempt 2): no  [2Jfile\n',
      'demo 4.0 s: 2/3 tasks, 1 retry, 1 failed (researcher 2/2, writer 0/1)\n',
    ]);
  });

  it('redraws a block on a terminal, within its width', () => {
    const written = play(true, { NO_COLOR: '1' }, 40);
    // At once, every 80 ms at most, for the failure, and at the end; not for the tick 10 ms later.
    expect(written).toHaveLength(7);
    expect(written[0]?.startsWith('demo')).toBe(true);
    expect(written.at(-1)).toBe(
      '\u001b[3A\r\u001b[0Jdemo  4.0 s  2/3 tasks, 1 retry, 1…\nresearcher █████████ 2/2\nwriter     ░░░░░░░░░ 0/1\n',
    );
    expect(written[3]).toContain('now: read[a] (attempt 2)');
    for (const line of written.join('').split('\n')) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
      expect(line.replace(/\u001b\[\d+[AJ]|\r/g, '').length).toBeLessThan(40);
    }
  });

  it('uses colours only on a terminal without NO_COLOR', () => {
    expect(play(true, {}).join('')).toContain('\u001b[32m');
    expect(play(true, { NO_COLOR: '1' }).join('')).not.toContain('\u001b[32m');
    expect(play(false, {}).join('')).not.toContain('\u001b[');
  });
});
