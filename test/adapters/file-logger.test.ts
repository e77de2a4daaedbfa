import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, Orchestrator, task } from '@taskmaster-ai/orchestrator';
import { fileLogger } from '@taskmaster-ai/orchestrator/file-logger';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RotatingFile } from '../../src/adapters/logging/rotating-file.ts';
import { refusal, rejection } from '../support/errors.ts';
import { createGate } from '../support/gate.ts';
import { expectRefused, throwingProxy, untyped } from '../support/refusals.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-logger-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function readLines(path: string): readonly Record<string, unknown>[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('fileLogger', () => {
  it('writes what an orchestrator and its handlers say, as lines of JSON, and makes the folder', async () => {
    const path = join(folder, 'logs', 'deep', 'orchestrator.log');
    const logger = fileLogger(path, { now: () => 5 });
    const orchestrator = await Orchestrator.open({ logger });
    const run = await orchestrator.scheduleTask(
      task('a', { run: ({ log }) => log.info('hello', { pages: 3n }) }),
    );
    await run.result();
    await orchestrator.close();
    expect(await logger.close()).toBe(true);
    expect(readLines(path)).toEqual([
      { pages: '3', runId: run.runId, path: 'a', attempt: 1, time: 5, level: 'info', msg: 'hello' },
    ]);
  });

  it('touches no disk before the first line, and leaves out what is below its level', async () => {
    const path = join(folder, 'a.log');
    const logger = fileLogger(path, { level: 'warn' });
    logger.info({}, 'too little');
    expect(await logger.flush()).toBe(true);
    expect(existsSync(path)).toBe(false);
    const { error } = logger;
    error({ error: Object.assign(new Error('no'), { code: 'E_NO' }) }, 'enough');
    await logger.flush();
    expect(readLines(path)).toMatchObject([{ level: 'error', error: { message: 'no', code: 'E_NO' } }]);
    await logger.close();
  });

  it('writes a line whatever the fields are', async () => {
    const path = join(folder, 'a.log');
    const logger = fileLogger(path);
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const throwing = {
      get secret(): never {
        throw new Error('no');
      },
    };
    for (const fields of untyped([circle, throwing, null, 'text', { level: 'fatal', msg: 'other', time: 1 }]))
      logger.info(fields, 'a line');
    await logger.close();
    expect(readLines(path).map(({ msg, level, unreadable }) => [msg, level, unreadable])).toEqual([
      ['a line', 'info', true],
      ['a line', 'info', true],
      ['a line', 'info', undefined],
      ['a line', 'info', undefined],
      ['a line', 'info', undefined],
    ]);
  });

  it('leaves out of a line only the fields that cannot be written', async () => {
    const path = join(folder, 'a.log');
    const logger = fileLogger(path, { now: () => 5 });
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    logger.error({ runId: 'r', circle, error: new Error('boo'), time: 1 }, 'a line');
    logger.error(throwingProxy() as never, 'another');
    await logger.close();
    expect(readLines(path)).toMatchObject([
      { runId: 'r', error: { message: 'boo' }, time: 5, level: 'error', msg: 'a line', unreadable: true },
      { time: 5, level: 'error', msg: 'another', unreadable: true },
    ]);
    expect(readLines(path)[0]).not.toHaveProperty('circle');
  });

  it('throws at nobody who logs, whatever the message is and whatever the clock of the host does', async () => {
    const path = join(folder, 'a.log');
    const logger = fileLogger(path, {
      now: () => {
        throw new Error('no time');
      },
    });
    const messages = untyped([throwingProxy(), Object.create(null), undefined, Symbol('s'), { toString: 1 }]);
    for (const message of messages) logger.warn({ n: 1 }, message);
    expect(await logger.close()).toBe(true);
    expect(readLines(path).map(({ msg, n }) => [msg, n])).toEqual([
      ['', 1],
      ['', 1],
      ['undefined', 1],
      ['Symbol(s)', 1],
      ['', 1],
    ]);
  });

  it('rotates: every line whole, in order, no file too large, the oldest ones gone', async () => {
    const path = join(folder, 'a.log');
    const logger = fileLogger(path, { maxBytes: 1_024, keep: 2, now: () => 1 });
    for (let i = 0; i < 100; i++) {
      logger.info({ i }, 'x'.repeat(i % 50));
      if (i % 7 === 0) await logger.flush();
    }
    await logger.close();
    const files = [`${path}.2`, `${path}.1`, path].map((file) => readFileSync(file));
    for (const file of files) expect(file.length).toBeLessThanOrEqual(1_024);
    expect(existsSync(`${path}.3`)).toBe(false);
    const seen = [`${path}.2`, `${path}.1`, path].flatMap((file) => readLines(file).map(({ i }) => i));
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, k) => 100 - seen.length + k));
    expect(seen.length).toBeGreaterThan(20);
  });

  it('gives a line that is longer than a file a file of its own, and goes on behind what is there', async () => {
    const path = join(folder, 'a.log');
    writeFileSync(path, '{"i":-1}\n');
    const logger = fileLogger(path, { maxBytes: 1_024, keep: 5 });
    for (let i = 0; i < 3; i++) logger.info({ i }, i === 1 ? 'x'.repeat(3_000) : 'short');
    await logger.close();
    const seen = [`${path}.2`, `${path}.1`, path].map((file) => readLines(file).map(({ i }) => i));
    expect(seen).toEqual([[-1, 0], [1], [2]]);
  });

  it('drops what the buffer has no room for, and says how much', async () => {
    const path = join(folder, 'a.log');
    const logger = fileLogger(path, { bufferBytes: 1_024, now: () => 1 });
    for (let i = 0; i < 100; i++) logger.info({ i }, 'a line');
    const { dropped } = logger;
    expect(dropped).toBeGreaterThan(50);
    await logger.flush();
    logger.info({}, 'after');
    await logger.close();
    const lines = readLines(path);
    expect(lines.slice(-2)).toMatchObject([
      { level: 'warn', dropped, msg: 'log lines were dropped' },
      { msg: 'after' },
    ]);
    expect(lines).toHaveLength(100 - dropped + 2);
    logger.info({}, 'too late');
    expect(logger.dropped).toBe(dropped + 1);
  });

  it('reports a disk that fails once, throws nothing, and goes on when it works again', async () => {
    // A file where the folder should be: nobody can write there, whoever runs this test.
    const blocked = join(folder, 'logs');
    writeFileSync(blocked, '');
    const errors: unknown[] = [];
    let now = 0;
    const logger = fileLogger(join(blocked, 'a.log'), {
      onError: (error) => errors.push(error),
      now: () => now,
    });
    for (let i = 0; i < 3; i++) {
      logger.error({ i }, 'a line');
      expect(await logger.flush()).toBe(false);
    }
    expect(errors).toMatchObject([{ code: expect.stringMatching(/ENOTDIR|EEXIST/) }]);
    rmSync(blocked);
    now = 10_000;
    logger.error({ i: 3 }, 'a line');
    expect(await logger.flush()).toBe(true);
    expect(readLines(join(blocked, 'a.log')).map(({ i }) => i)).toEqual([0, 1, 2, 3]);
    expect(errors).toHaveLength(1);
    await logger.close();
  });

  it('leaves a failing disk alone between two tries', async () => {
    const blocked = join(folder, 'logs');
    writeFileSync(blocked, '');
    let now = 0;
    const logger = fileLogger(join(blocked, 'a.log'), { now: () => now });
    logger.error({}, 'first');
    await logger.flush();
    rmSync(blocked);
    mkdirSync(blocked);
    logger.error({}, 'too early');
    await new Promise((resolve) => setImmediate(resolve));
    expect(existsSync(join(blocked, 'a.log'))).toBe(false);
    now = 1_000;
    logger.error({}, 'again');
    expect(await logger.close()).toBe(true);
    expect(readLines(join(blocked, 'a.log'))).toHaveLength(3);
  });

  it.runIf(process.getuid?.() !== 0)('reports a folder that may not be written to', async () => {
    chmodSync(folder, 0o500);
    const errors: unknown[] = [];
    const logger = fileLogger(join(folder, 'a.log'), { onError: (error) => errors.push(error) });
    logger.error({}, 'a line');
    expect(await logger.close()).toBe(false);
    expect(errors).toMatchObject([{ code: 'EACCES' }]);
    chmodSync(folder, 0o700);
  });

  it.runIf(existsSync('/dev/full'))('survives a full disk', async () => {
    const errors: unknown[] = [];
    const logger = fileLogger('/dev/full', {
      onError: (error) => {
        errors.push(error);
        throw new Error('nobody catches this');
      },
    });
    for (let i = 0; i < 10; i++) logger.error({ i }, 'a line');
    expect(await logger.flush()).toBe(false);
    expect(await logger.close()).toBe(false);
    expect(errors).toMatchObject([{ code: 'ENOSPC' }]);
  });

  it('lets a wait be ended', async () => {
    const logger = fileLogger(join(folder, 'a.log'));
    logger.info({}, 'a line');
    const stop = new AbortController();
    const waiting = logger.flush({ signal: stop.signal });
    stop.abort('enough');
    const error = await rejection(waiting);
    expect({ code: error.code, cause: error.cause }).toEqual({ code: 'WAIT_ABORTED', cause: 'enough' });
    expect((await rejection(logger.close({ signal: AbortSignal.abort() }))).code).toBe('WAIT_ABORTED');
    expect(await logger.close()).toBe(true);
    expect(readLines(join(folder, 'a.log'))).toHaveLength(1);
  });

  it('refuses options that make no sense', async () => {
    const path = join(folder, 'a.log');
    for (const value of untyped(['', null, 4, '\0']))
      expectRefused(
        refusal(() => fileLogger(value)),
        'OPTION_INVALID',
        'fileLogger/path',
      );
    expectRefused(
      refusal(() => fileLogger(path, { maxBytes: 10 })),
      'OPTION_INVALID',
      'fileLogger/maxBytes',
    );
    expectRefused(
      refusal(() => fileLogger(path, { keep: -1 })),
      'OPTION_INVALID',
      'fileLogger/keep',
    );
    expectRefused(
      refusal(() => fileLogger(path, { level: 'wran' as never })),
      'OPTION_INVALID',
      'fileLogger/level',
    );
    expectRefused(
      refusal(() => fileLogger(path, { levle: 'warn' } as never)),
      'OPTION_UNKNOWN',
      'fileLogger/levle',
    );
    const logger = fileLogger(path);
    expect((await rejection(logger.flush({ singal: 1 } as never))).code).toBe('OPTION_UNKNOWN');
  });
});

describe('a rotating file', () => {
  it('has all bytes in order over its files, whatever is appended at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 6 }), { minLength: 1, maxLength: 8 }),
        async (batches) => {
          const path = join(mkdtempSync(join(folder, 'run-')), 'a.log');
          const file = new RotatingFile({ path, bytesMax: 100, keep: 1_000 });
          let all = '';
          let told = 0;
          for (const batch of batches) {
            const text = batch.map((length, i) => `${String(i % 10).repeat(length)}\n`).join('');
            all += text;
            await file.append(Buffer.from(text), (bytes) => {
              told += bytes;
            });
          }
          await file.close();
          let found = existsSync(path) ? readFileSync(path, 'utf8') : '';
          for (let i = 1; existsSync(`${path}.${i}`); i++) {
            const part = readFileSync(`${path}.${i}`, 'utf8');
            expect(part.length).toBeLessThanOrEqual(100);
            expect(part.endsWith('\n')).toBe(true);
            found = part + found;
          }
          expect(found).toBe(all);
          expect(told).toBe(all.length);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('the Logger interface', () => {
  /** The methods of pino, as its declarations have them. */
  interface PinoLike {
    debug(fields: object, message?: string, ...values: unknown[]): void;
    info(fields: object, message?: string, ...values: unknown[]): void;
    warn(fields: object, message?: string, ...values: unknown[]): void;
    error(fields: object, message?: string, ...values: unknown[]): void;
  }

  it('is fitted by console and by the shape of pino as they are', async () => {
    const written: unknown[] = [];
    const write = (fields: object, message?: string): void => {
      written.push([message, Object.keys(fields)]);
    };
    const pino: PinoLike = { debug: write, info: write, warn: write, error: write };
    // It is the assignments that are tested: they compile.
    const loggers: readonly Logger[] = [console, pino, fileLogger(join(folder, 'a.log'))];
    expect(loggers).toHaveLength(3);
    const gate = createGate();
    const orchestrator = await Orchestrator.open({ logger: pino });
    const run = await orchestrator.scheduleTask(
      task('a', {
        run: ({ log }) => {
          log.warn('careful', { disk: 'nearly full' });
          gate.open();
        },
      }),
    );
    await gate.promise;
    await run.result();
    await orchestrator.close();
    expect(written).toEqual([['careful', ['disk', 'runId', 'path', 'attempt']]]);
  });
});
