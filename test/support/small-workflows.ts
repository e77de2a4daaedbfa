/** Small workflows for tests of faults: each is over in a few appends, and its outputs do not depend on luck. */
import {
  defineWorkflow,
  type HandlerContext,
  type OrchestratorOptions,
  type Run,
  settled,
  task,
  type Workflow,
} from '@taskmaster-ai/orchestrator';
import { nextTurn } from './gate.ts';
import type { Witness } from './witness.ts';

/** A workflow, and what an orchestrator must be opened with to run it. */
export interface SmallWorkflow {
  readonly name: string;
  readonly options: OrchestratorOptions;
  define(witness: Witness): Workflow<unknown>;
  /** What somebody asks of the run while it goes on, and the answers. */
  drive?(run: Run<unknown>): Promise<readonly unknown[]>;
}

type Body = (context: HandlerContext<unknown, unknown>) => Promise<string> | string;

/** Ends in the call itself. */
const atOnce: Body = ({ path, attempt }) => `${path}:${attempt}`;

/** Ends some turns of the event loop later, whatever appends are under way meanwhile. */
const afterTurns =
  (turns: number): Body =>
  async ({ path, attempt }) => {
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    return `${path}:${attempt}`;
  };

/** Ends some virtual time later. */
const afterMs =
  (ms: number): Body =>
  async ({ path, attempt, clock }) => {
    await clock.sleep(ms);
    return `${path}:${attempt}`;
  };

/** Fails as often as told, then does as `body` does. */
const failing =
  (times: number, body: Body): Body =>
  (context) => {
    if (context.attempt <= times) throw new Error(`attempt ${context.attempt} of ${context.path}`);
    return body(context);
  };

const chain: SmallWorkflow = {
  name: 'a chain',
  options: {},
  define: (witness) => {
    const a = task('a', { run: witness.handler(atOnce) });
    const b = task('b', { dependencies: { a }, run: witness.handler(afterTurns(2), ['a']) });
    const c = task('c', { dependencies: { b }, run: witness.handler(atOnce, ['b']) });
    return defineWorkflow('chain', { tasks: [a, b, c] });
  },
};

const diamond: SmallWorkflow = {
  name: 'a diamond with needs',
  options: { resources: { cpu: 2 }, concurrency: 3 },
  define: (witness) => {
    const cpu = { resourceRequirements: { cpu: 1 } };
    const a = task('a', { ...cpu, run: witness.handler(atOnce) });
    const left = task('left', {
      ...cpu,
      dependencies: { a },
      locks: ['door'],
      run: witness.handler(afterTurns(1), ['a'], 'door'),
    });
    const right = task('right', {
      ...cpu,
      dependencies: { a },
      locks: ['door'],
      run: witness.handler(afterMs(5), ['a'], 'door'),
    });
    const aside = task('aside', { resourceRequirements: { cpu: 2 }, run: witness.handler(afterTurns(3)) });
    const end = task('end', {
      ...cpu,
      dependencies: { left, right },
      run: witness.handler(atOnce, ['left', 'right']),
    });
    return defineWorkflow('diamond', { tasks: [a, left, right, aside, end] });
  },
};

const retries: SmallWorkflow = {
  name: 'retries',
  options: { random: { next: () => 0 } },
  define: (witness) => {
    const retry = { maxAttempts: 3, delay: 20 };
    const a = task('a', { retry, run: witness.handler(failing(2, atOnce)) });
    const b = task('b', { retry, timeout: '1h', run: witness.handler(failing(1, afterMs(7))) });
    const c = task('c', { dependencies: { a, b }, run: witness.handler(afterTurns(1), ['a', 'b']) });
    return defineWorkflow('retries', { tasks: [a, b, c] });
  },
};

const decisions: SmallWorkflow = {
  name: 'conditions, failures, settled ends',
  options: {},
  define: (witness) => {
    const a = task('a', { run: witness.handler(atOnce) });
    const no = task('no', { dependencies: { a }, when: () => false, run: witness.handler(atOnce, ['a']) });
    const yes = task('yes', {
      dependencies: { a },
      when: () => true,
      run: witness.handler(afterTurns(1), ['a']),
    });
    const bad = task('bad', { run: witness.handler(failing(9, atOnce)) });
    const below = task('below', { dependencies: { bad }, run: witness.handler(atOnce) });
    const care = task('care', {
      dependencies: { bad: settled(bad), no },
      run: witness.handler(atOnce),
    });
    return defineWorkflow('decisions', {
      tasks: [a, no, yes, bad, below, care],
      failurePolicy: 'continue',
    });
  },
};

const timeLimits: SmallWorkflow = {
  name: 'time limits and progress',
  options: { cancelGrace: 50 },
  define: (witness) => {
    const slow = task('slow', {
      timeout: 10,
      retry: { maxAttempts: 2, delay: 5 },
      run: witness.handler((context) => (context.attempt === 1 ? afterMs(1_000) : afterMs(3))(context)),
    });
    const told = task('told', {
      run: witness.handler(async (context) => {
        context.progress('half');
        await nextTurn();
        return 'told';
      }),
    });
    const end = task('end', { dependencies: { slow, told }, run: witness.handler(atOnce, ['slow', 'told']) });
    return defineWorkflow('limits', { tasks: [slow, told, end] });
  },
};

/** A run that somebody pauses, changes and resumes; the gate is opened by its priority, which all can see. */
const commanded: SmallWorkflow = {
  name: 'commands',
  options: { concurrency: 1 },
  define: (witness) => {
    const gate = task('gate', {
      run: witness.handler(async (context) => {
        while (!opened.has(context.runId)) await nextTurn();
        return 'open';
      }),
    });
    const drop = task('drop', { dependencies: { gate }, run: witness.handler(atOnce, ['gate']) });
    const last = task('last', { dependencies: { gate }, run: witness.handler(atOnce, ['gate']) });
    const soon = task('soon', { dependencies: { gate }, run: witness.handler(afterTurns(1), ['gate']) });
    return defineWorkflow('commanded', { tasks: [gate, drop, last, soon], failurePolicy: 'continue' });
  },
  drive: async (run) => {
    const answers: unknown[] = [await run.pause()];
    await run.setPriority('soon', 5);
    opened.add(run.runId);
    while (run.tasks()[0]?.status !== 'completed') await nextTurn();
    answers.push(run.status, await run.cancelTask('drop'), await run.cancelTask('gate'));
    answers.push(
      run.tasks().map((view) => view.reason ?? view.status),
      await run.resume(),
    );
    return answers;
  },
};

const opened = new Set<string>();

/** A run that is cancelled while a body is in progress. */
const cancelled: SmallWorkflow = {
  name: 'a cancellation',
  options: { cancelGrace: 50 },
  define: (witness) => {
    const hears = task('hears', { run: witness.handler(afterMs(86_400_000)) });
    const deaf = task('deaf', { run: witness.handler(afterTurns(30)) });
    const never = task('never', { dependencies: { hears }, run: witness.handler(atOnce, ['hears']) });
    return defineWorkflow('cancelled', { tasks: [hears, deaf, never] });
  },
  drive: async (run) => [await run.cancel('enough'), (await run.settled()).status, await run.cancel()],
};

export const SMALL_WORKFLOWS: readonly SmallWorkflow[] = [
  chain,
  diamond,
  retries,
  decisions,
  timeLimits,
  commanded,
  cancelled,
];

/** A task of a random workflow. */
export interface TaskRecipe {
  /** Which of the tasks before it it depends on, as bits. */
  readonly dependencies: number;
  readonly kind: 'at-once' | 'turns' | 'ms';
  readonly length: number;
  readonly failures: number;
  readonly locked: boolean;
  readonly cpu: number;
}

/** A workflow by recipe; its tasks are `t0`, `t1` …, and none of them fails for good. */
export function cook(recipes: readonly TaskRecipe[]): SmallWorkflow {
  return {
    name: 'random',
    options: { resources: { cpu: 2 }, random: { next: () => 0 } },
    define: (witness) =>
      defineWorkflow('random', {
        tasks: recipes.map((recipe, i) => {
          const dependencies = recipes.flatMap((_, d) =>
            d < i && (recipe.dependencies >> d) & 1 ? [`t${d}`] : [],
          );
          const body =
            recipe.kind === 'at-once'
              ? atOnce
              : recipe.kind === 'turns'
                ? afterTurns(recipe.length)
                : afterMs(recipe.length);
          const run = witness.handler(
            failing(recipe.failures, body),
            dependencies,
            recipe.locked ? 'door' : undefined,
          );
          return task(`t${i}`, {
            dependencies,
            ...(recipe.failures > 0 ? { retry: { maxAttempts: recipe.failures + 1, delay: 3 } } : undefined),
            ...(recipe.locked ? { locks: ['door'] } : undefined),
            ...(recipe.cpu > 0 ? { resourceRequirements: { cpu: recipe.cpu } } : undefined),
            run,
          });
        }),
      }),
  };
}
