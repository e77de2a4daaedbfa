/** What threads cannot contain: each shape in a thread of a host of its own, and in a child process of another. */
import { endOf, runHost } from './child-host.ts';
import { ISOLATIONS, type Isolation } from './fault-table.ts';
import { printTable } from './table.ts';
import type { Uncontained } from './uncontained-host.ts';

interface Shape {
  readonly shape: string;
  /** As JSON, or `marker` for a file to write to. */
  readonly data?: string;
  readonly title: string;
  /** Whether the host lives when a thread does this, as it was measured; `undefined` where it depends on the moment. */
  readonly isContained: boolean | undefined;
}

/** Those about memory have a limit of 32 MiB. */
const SHAPES: readonly Shape[] = [
  { shape: 'abort', title: 'process.abort()', isContained: true },
  { shape: 'reallyExit', title: 'process.reallyExit()', isContained: true },
  { shape: 'changesDirectory', title: 'process.chdir()', isContained: true },
  { shape: 'setsEnvironment', title: 'process.env is written to', isContained: true },
  { shape: 'deepRecursion', title: 'recursion without end', isContained: true },
  { shape: 'oneHugeBuffer', title: 'one buffer larger than the machine', isContained: true },
  { shape: 'manyBytes', data: '256', title: '256 MiB in buffers: no limit counts them', isContained: true },
  { shape: 'oomSmall', title: 'small objects until memory is full', isContained: true },
  { shape: 'oomRows', title: 'arrays of 10,000 numbers until memory is full', isContained: true },
  { shape: 'oomPush', title: 'one array that grows by push()', isContained: undefined },
  { shape: 'oomMap', title: 'one Map that grows', isContained: undefined },
  { shape: 'oomPresized', title: 'one array of 100,000,000 numbers', isContained: false },
  {
    shape: 'killItself',
    data: '"SIGTERM"',
    title: "process.kill(process.pid, 'SIGTERM')",
    isContained: false,
  },
  {
    shape: 'killItself',
    data: '"SIGKILL"',
    title: "process.kill(process.pid, 'SIGKILL')",
    isContained: false,
  },
  { shape: 'killItself', data: '"SIGSEGV"', title: 'a segmentation fault (SIGSEGV)', isContained: false },
  { shape: 'nativeTrap', title: 'a trap in native code', isContained: false },
  { shape: 'engineAbort', title: 'an abort of the engine', isContained: false },
  { shape: 'closesDescriptors', title: 'file descriptors of others are closed', isContained: false },
  { shape: 'leavesProcess', data: 'marker', title: 'a detached process is started', isContained: true },
];

const HOST_MS_MAX = 90_000;

/** Returns whether it is as documented: processes contain all of it, threads what they are said to. */
export async function uncontainedCampaign(only: string | undefined): Promise<boolean> {
  const rows: string[][] = [];
  const wrongs: string[] = [];
  const wanted = SHAPES.filter(
    ({ shape, title }) => only === undefined || `${shape} ${title}`.includes(only),
  );
  for (const { shape, data, title, isContained } of wanted) {
    const cells: string[] = [];
    for (const isolation of ISOLATIONS) {
      const { text, lives } = await tryShape(shape, data ?? 'null', isolation);
      cells.push(text);
      const expected = isolation === 'process' ? true : isContained;
      if (expected !== undefined && lives !== expected) wrongs.push(`${title} (${isolation}): ${text}`);
    }
    rows.push([title, ...cells]);
    console.error(title, cells);
  }
  printTable(['what a handler does', 'in a thread', "with isolation: 'process'"], rows);
  for (const wrong of wrongs) console.log(`WRONG ${wrong}`);
  return wrongs.length === 0;
}

async function tryShape(
  shape: string,
  data: string,
  isolation: Isolation,
): Promise<{ readonly text: string; readonly lives: boolean }> {
  const end = await runHost('./uncontained-host.ts', {
    args: [shape, data, isolation],
    limitMs: HOST_MS_MAX,
  });
  const told = end.reports[0] as Uncontained | undefined;
  // With an exit code of its own it has thrown, and nothing was proved.
  if (told === undefined && end.signal === null)
    return { text: `${endOf(end)}: ${end.noise.slice(0, 500)}`, lives: false };
  if (told === undefined) return { text: `the host ends (${endOf(end)})`, lives: false };
  const rest = told.left === undefined ? '' : `; left: ${told.left}`;
  if (told.neighbour !== 'next' || end.code !== 0)
    return {
      text: `${told.task}, but then ${endOf(end)}, and the next has ${String(told.neighbour)}`,
      lives: false,
    };
  return { text: `\`${told.task}\`${rest}`, lives: true };
}
