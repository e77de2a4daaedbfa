/** What the command line may say. */
import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run demo -- [folder] [--out dir] [--store dir] [--inline] [--compare] [--figures]

Reads the Markdown documents below a folder and writes a report on what they say.

  folder       where to look (default: node_modules, and there the README of each package)
  --out dir    where report.md and report.json go (default: report)
  --store dir  keeps the run in that folder: started again after it was stopped or killed, it goes on where it was
  --inline     does everything in the thread of the host, not on worker threads
  --compare    does the work once more inline, in a process of its own, and says what the threads have gained;
               the default of npm run demo; not done when the first run took more than 10 s
  --figures    prints only how long the run took, and how busy the host was, as JSON
  --help       shows this`;

export type CommandLine = {
  help: boolean;
  folder: string;
  out: string;
  /** Where the run is kept; nowhere without one. */
  store: string | undefined;
  inline: boolean;
  compare: boolean;
  figures: boolean;
};

/** The command line makes no sense. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'usage';
}

export function parseCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parse(args);
  const [folder = 'node_modules', ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`One folder at a time, please: ${positionals.join(', ')}`);
  const { out = 'report', help = false, inline = false, compare = false, figures = false, store } = values;
  if (folder === '' || out === '' || store === '')
    throw new UsageError('The name of a folder must not be empty');
  return { help, folder, out, store, inline, compare, figures };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        store: { type: 'string' },
        inline: { type: 'boolean' },
        compare: { type: 'boolean' },
        figures: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
