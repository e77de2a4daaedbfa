import {
  checkChoice,
  checkFunction,
  checkInteger,
  checkKeys,
  checkRecord,
  checkSignal,
  invalidOption,
  reading,
} from '../../model/checks.ts';
import { OrchestratorError } from '../../model/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import { LOG_LEVELS, type LogLevel, logLine } from './log-line.ts';
import { RotatingFile } from './rotating-file.ts';

export type { LogLevel } from './log-line.ts';

/** How a file logger writes. Everything has a default. */
export interface FileLoggerOptions {
  /** Lines of lesser levels are not written. Default `info`. */
  readonly level?: LogLevel | undefined;
  /** The file is put aside before it would be larger: 1,024 to 2^40 bytes. Default 10 MiB. */
  readonly maxBytes?: number | undefined;
  /** How many files are kept that were put aside, as `path.1` (the newest), `path.2` …: 0 to 1,000. Default 5. */
  readonly keep?: number | undefined;
  /** How much may wait for the disk, in bytes: 1,024 to 2^30. What comes when it is full is dropped. Default 1 MiB. */
  readonly bufferBytes?: number | undefined;
  /** Told once when writing begins to fail, and again only after it has worked in between. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Milliseconds since 1970. Default: the time of the machine. */
  readonly now?: (() => number) | undefined;
}

/** How to wait for the disk. */
export interface LogWaitOptions {
  /** Ends the wait, and nothing else. */
  readonly signal?: AbortSignal | undefined;
}

/** A logger whose lines go to a file. */
export interface FileLogger extends Logger {
  /** How many lines were dropped because the disk was too slow or failed. */
  readonly dropped: number;
  /**
   * Waits until all lines so far are written.
   * @returns `false` when the disk fails, which `onError` was told; the lines wait for a later try
   * @throws OrchestratorError `WAIT_ABORTED`, `OPTION_INVALID`
   */
  flush(options?: LogWaitOptions): Promise<boolean>;
  /**
   * Writes what waits, once more if the disk fails, and closes the file. Lines that come afterwards are dropped. Closing
   * again waits for the same end.
   * @returns whether everything was written
   * @throws OrchestratorError `WAIT_ABORTED`, `OPTION_INVALID`
   */
  close(options?: LogWaitOptions): Promise<boolean>;
}

const KEYS: ReadonlySet<string> = new Set(['level', 'maxBytes', 'keep', 'bufferBytes', 'onError', 'now']);
const MEBIBYTE = 1_048_576;

/** After a failure the disk is left alone for so long, unless somebody calls `flush`. */
const RETRY_AFTER_MS = 1_000;

/**
 * A logger that appends lines of JSON to a file. A call never waits, never throws and touches no disk: lines gather in a
 * bounded buffer and are written behind it, in order. A line that finds the buffer full is dropped and counted, and how
 * many were is said in a line of its own as soon as there is room again. The folder is made if it is missing. One
 * process at a time should write to a path.
 *
 * @param path - of the file
 * @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN`
 *
 * @example
 * const logger = fileLogger('./logs/orchestrator.log', { maxBytes: 50_000_000, keep: 3 });
 * const orchestrator = await Orchestrator.open({ logger });
 */
export function fileLogger(path: string, options: FileLoggerOptions = {}): FileLogger {
  const at = 'fileLogger';
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw invalidOption(`${at}/path`, path, 'the path of a file');
  return reading(at, 'an object of options', () => {
    checkKeys(checkRecord(options, at, 'an object of options'), KEYS, at);
    const { level, maxBytes, keep, bufferBytes, onError, now } = options;
    if (onError !== undefined) checkFunction(onError, `${at}/onError`, 'a function of the error');
    if (now !== undefined) checkFunction(now, `${at}/now`, 'a function that gives milliseconds since 1970');
    return new BufferedLogger({
      file: new RotatingFile({
        path,
        bytesMax:
          maxBytes === undefined ? 10 * MEBIBYTE : checkInteger(maxBytes, `${at}/maxBytes`, 1_024, 2 ** 40),
        keep: keep === undefined ? 5 : checkInteger(keep, `${at}/keep`, 0, 1_000),
      }),
      least: LOG_LEVELS.indexOf(level === undefined ? 'info' : checkChoice(level, `${at}/level`, LOG_LEVELS)),
      bytesMax:
        bufferBytes === undefined ? MEBIBYTE : checkInteger(bufferBytes, `${at}/bufferBytes`, 1_024, 2 ** 30),
      onError: onError ?? (() => {}),
      now: now ?? (() => Date.now()),
    });
  });
}

interface BufferedLoggerParts {
  readonly file: RotatingFile;
  readonly least: number;
  readonly bytesMax: number;
  readonly onError: (error: unknown) => void;
  readonly now: () => number;
}

class BufferedLogger implements FileLogger {
  readonly #parts: BufferedLoggerParts;
  #lines: Buffer[] = [];
  /** What waits, with what is being written. */
  #bytes = 0;
  /** What was begun and not written to its end: it goes first. */
  #rest: Buffer = Buffer.alloc(0);
  #dropped = 0;
  /** Of them, those that no line in the file tells of. */
  #untold = 0;
  #writing: Promise<boolean> | undefined;
  #failedAt: number | undefined;
  #closing: Promise<boolean> | undefined;

  constructor(parts: BufferedLoggerParts) {
    this.#parts = parts;
  }

  // Fields, so that each method works when it is taken out of the logger.
  readonly debug = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    this.#log('debug', fields, message);
  readonly info = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    this.#log('info', fields, message);
  readonly warn = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    this.#log('warn', fields, message);
  readonly error = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    this.#log('error', fields, message);

  get dropped(): number {
    return this.#dropped;
  }

  async flush(options: LogWaitOptions = {}): Promise<boolean> {
    return abortable(this.#closing ?? this.#flush(), options, 'flush');
  }

  async close(options: LogWaitOptions = {}): Promise<boolean> {
    this.#closing ??= this.#finish();
    return abortable(this.#closing, options, 'close');
  }

  #log(level: LogLevel, fields: unknown, message: string): void {
    if (LOG_LEVELS.indexOf(level) < this.#parts.least) return;
    if (this.#closing !== undefined) {
      this.#dropped++;
      return;
    }
    const now = this.#now();
    const line = Buffer.from(logLine(now, level, fields, message));
    if (this.#bytes + line.length > this.#parts.bytesMax) {
      this.#dropped++;
      this.#untold++;
    } else {
      if (this.#untold > 0) this.#tellDropped(now);
      this.#push(line);
    }
    const isResting = this.#failedAt !== undefined && Math.abs(now - this.#failedAt) < RETRY_AFTER_MS;
    if (!isResting) void this.#write();
  }

  /** The host's clock must not throw at whoever logs. */
  #now(): number {
    try {
      return this.#parts.now();
    } catch {
      return Date.now();
    }
  }

  #push(line: Buffer): void {
    this.#lines.push(line);
    this.#bytes += line.length;
  }

  #tellDropped(now: number): void {
    this.#push(Buffer.from(logLine(now, 'warn', { dropped: this.#untold }, 'log lines were dropped')));
    this.#untold = 0;
  }

  /** Writes until nothing waits, or the disk fails. One at a time. */
  #write(): Promise<boolean> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<boolean> {
    // Lines of the same turn are written together.
    await Promise.resolve();
    while (this.#rest.length > 0 || this.#lines.length > 0) {
      this.#rest = Buffer.concat([this.#rest, ...this.#lines]);
      this.#lines = [];
      try {
        await this.#parts.file.append(this.#rest, (bytes) => {
          this.#rest = this.#rest.subarray(bytes);
          this.#bytes -= bytes;
        });
        this.#failedAt = undefined;
      } catch (error) {
        this.#fail(error);
        return false;
      }
    }
    return true;
  }

  #fail(error: unknown): void {
    const isNew = this.#failedAt === undefined;
    this.#failedAt = this.#now();
    // The file may be gone, or its folder: the next try begins with opening it.
    this.#parts.file.close().catch(() => {});
    if (!isNew) return;
    try {
      this.#parts.onError(error);
    } catch {
      // There is nobody left to tell.
    }
  }

  /** A writing that was under way may have begun to fail before: only one that begins now is an answer. */
  async #flush(): Promise<boolean> {
    return (await this.#write()) || (await this.#write());
  }

  async #finish(): Promise<boolean> {
    if (this.#untold > 0) this.#tellDropped(this.#now());
    const written = await this.#flush();
    await this.#parts.file.close().catch(() => {});
    return written;
  }
}

/** Waits for an answer, at most until the signal ends the wait. */
async function abortable(answer: Promise<boolean>, options: LogWaitOptions, at: string): Promise<boolean> {
  const signal = reading(at, 'an object { signal }', () => {
    checkKeys(checkRecord(options, at, 'an object { signal }'), new Set(['signal']), at);
    return checkSignal(options.signal, `${at}/signal`);
  });
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const stop = (): void =>
      reject(
        new OrchestratorError('WAIT_ABORTED', `${at}: the wait was ended by its signal`, {
          cause: signal.reason,
        }),
      );
    if (signal.aborted) {
      stop();
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    void answer.then((written) => {
      signal.removeEventListener('abort', stop);
      resolve(written);
    });
  });
}
