/** Workflows of mixed tasks by chance, and what has to come of each of their tasks. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AnyWorkflow,
  defineWorkflow,
  type HandlerContext,
  type Task,
  task,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';

type Fields = Readonly<Record<string, unknown>>;

/** What has to come of a task that is started and not cancelled: an output, or a failure with a code. */
export interface Expectation {
  readonly kind: string;
  readonly needs: readonly string[];
  readonly output?: unknown;
  readonly code?: string;
  /** Somebody cancels it: it may end so, in place of as it else would. */
  readonly isCancelled: boolean;
  /** It ends in no other way. */
  readonly hangs: boolean;
}

export interface Mix {
  readonly workflow: AnyWorkflow;
  readonly expected: ReadonlyMap<string, Expectation>;
  readonly isFailFast: boolean;
}

/** A kind of task: how often, what it is made of, and what comes of it. */
interface Kind {
  readonly name: string;
  readonly weight: number;
  readonly fields: (index: number) => Fields;
  readonly code?: string;
  readonly hangs?: true;
  /** Whether this task is one that somebody cancels. */
  readonly isCancelled?: true;
}

const workers = workerHandlers(new URL('./chaos-handlers.mjs', import.meta.url), {
  threads: 2,
  idle: '50ms',
  memory: 32,
  handlers: { nap: { concurrent: 16 } },
});

type Context = HandlerContext<unknown, unknown>;
const TRY_AGAIN = { maxAttempts: 2, delay: '1ms' } as const;

const KINDS: readonly Kind[] = [
  { name: 'inline', weight: 3_000, fields: (i) => ({ run: () => i }) },
  {
    name: 'inline, later',
    weight: 600,
    fields: (i) => ({ run: ({ clock }: Context) => clock.sleep(i % 5).then(() => i) }),
  },
  {
    name: 'inline, fails',
    weight: 500,
    code: 'E_HERE',
    fields: () => ({
      run: () => {
        throw Object.assign(new Error('as it has to'), { code: 'E_HERE' });
      },
    }),
  },
  {
    name: 'inline, too long',
    weight: 30,
    code: 'TASK_TIMEOUT',
    fields: () => ({ run: ({ clock }: Context) => clock.sleep('1h'), timeout: '20ms' }),
  },
  {
    name: 'inline, cancelled',
    weight: 150,
    isCancelled: true,
    fields: (i) => ({ run: ({ signal }: Context) => sleep(5, i, { signal }) }),
  },
  { name: 'worker', weight: 3_000, fields: () => ({ handler: workers.echo }) },
  { name: 'worker, concurrent', weight: 800, fields: () => ({ handler: workers.nap }) },
  { name: 'worker, progress', weight: 300, fields: () => ({ handler: workers.tells }) },
  { name: 'worker, locks', weight: 200, fields: () => ({ handler: workers.locks }) },
  { name: 'worker, fails', weight: 500, code: 'E_AWAY', fields: () => ({ handler: workers.fails }) },
  {
    name: 'worker, fails once',
    weight: 200,
    fields: () => ({ handler: workers.failsOnce, retry: TRY_AGAIN }),
  },
  {
    name: 'worker, crashes',
    weight: 30,
    code: 'WORKER_CRASHED',
    fields: () => ({ handler: workers.crashes }),
  },
  {
    name: 'worker, uncaught',
    weight: 20,
    code: 'WORKER_CRASHED',
    fields: () => ({ handler: workers.uncaught }),
  },
  {
    name: 'worker, memory',
    weight: 4,
    code: 'WORKER_OUT_OF_MEMORY',
    fields: () => ({ handler: workers.fillsMemory }),
  },
  {
    name: 'worker, too long',
    weight: 40,
    code: 'TASK_TIMEOUT',
    fields: () => ({ handler: workers.heeds, timeout: '30ms' }),
  },
  {
    name: 'worker, spins',
    weight: 20,
    code: 'TASK_TIMEOUT',
    fields: () => ({ handler: workers.spins, timeout: '30ms' }),
  },
  { name: 'worker, cancelled', weight: 150, isCancelled: true, fields: () => ({ handler: workers.nap }) },
  {
    name: 'worker, hangs',
    weight: 10,
    isCancelled: true,
    hangs: true,
    fields: () => ({ handler: workers.hangs }),
  },
];

const WEIGHTS = KINDS.reduce((sum, { weight }) => sum + weight, 0);

function kindBy(chance: number): Kind {
  let left = chance * WEIGHTS;
  for (const kind of KINDS) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return KINDS[0] as Kind;
}

/** A workflow of so many tasks, in which each may depend on a few of those before it. */
export function mixedWorkflow(name: string, count: number, random: () => number): Mix {
  const expected = new Map<string, Expectation>();
  const tasks: Task<string, unknown, never>[] = [];
  const below = (limit: number): number => Math.floor(random() * limit);
  for (let i = 0; i < count; i++) {
    const kind = kindBy(random());
    const needs =
      i > 0 && random() < 0.3 ? [...new Set(Array.from({ length: 1 + below(2) }, () => `t${below(i)}`))] : [];
    const fields: Fields = {
      inputData: i,
      dependencies: needs,
      priority: below(10),
      ...(random() < 0.4 ? { resourceRequirements: { slots: 1 + below(2) } } : undefined),
      ...(random() < 0.1 ? { locks: [`lock-${below(4)}`] } : undefined),
      ...kind.fields(i),
    };
    tasks.push(task(`t${i}`, fields as never) as never);
    expected.set(`t${i}`, {
      kind: kind.name,
      needs,
      isCancelled: kind.isCancelled === true,
      hangs: kind.hangs === true,
      ...(kind.code === undefined ? { output: i } : { code: kind.code }),
    });
  }
  const isFailFast = random() < 0.1;
  const workflow = defineWorkflow(name, {
    failurePolicy: isFailFast ? 'fail-fast' : 'continue',
    tasks: tasks as never,
  });
  return { workflow: workflow as AnyWorkflow, expected, isFailFast };
}
