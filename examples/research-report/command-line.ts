/** What the command line may say. */
import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run demo -- [folder] [--out dir] [--inline] [--compare]

Reads the Markdown documents below a folder and writes a report on what they say.

  folder       where to look (default: node_modules, and there the README of each package)
  --out dir    where report.md and report.json go (default: report)
  --inline     parses in the main thread, not on worker threads
  --compare    does the work a second time in the main thread, and says what the threads have gained
  --help       shows this`;

export type CommandLine = { help: boolean; folder: string; out: string; inline: boolean; compare: boolean };

/** The command line makes no sense. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'usage';
}

export function parseCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parse(args);
  const [folder = 'node_modules', ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`One folder at a time, please: ${positionals.join(', ')}`);
  const { out = 'report', help = false, inline = false, compare = false } = values;
  if (folder === '' || out === '') throw new UsageError('The name of a folder must not be empty');
  return { help, folder, out, inline, compare };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        inline: { type: 'boolean' },
        compare: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
