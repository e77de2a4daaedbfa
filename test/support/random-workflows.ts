/** Arbitraries for fast-check: workflows in plain data, with ids that nobody expects and every option that JSON can tell. */
import type { TaskData, WorkflowData } from '@taskmaster-ai/orchestrator';
import fc from 'fast-check';

/** Ids that mean something to JavaScript, Mermaid, DOT, HTML or a regular expression. */
const ODD_IDS = [
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '10', '2', '1e3', 'end', 'graph', 'subgraph'],
  ...['"', '\\', '\\"', 'a\\', '\\n', '\\N', '%%{init: {}}%%', '`x`', '<b>', '&amp;', '&', ';', ':::added'],
  ...[
    'style:x',
    'a-->b',
    'a --- b',
    '$1',
    '{}',
    '()',
    "it's",
    'naïve',
    '日本',
    'Ω…',
    '🙂',
    't0',
    'e0',
    '|',
    '@{ x }',
  ],
];

/** Ids that are allowed. */
export const ids: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[a-z][a-z0-9-]{0,5}$/) },
  { weight: 3, arbitrary: fc.constantFrom(...ODD_IDS) },
  {
    weight: 1,
    arbitrary: fc
      .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
      .map((text) => text.normalize('NFC').trim())
      .filter(
        (text) => text.length > 0 && !/[/[\]#]|[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u.test(text),
      ),
  },
);

const durations = fc.oneof(
  fc.integer({ min: 1, max: 1_000_000 }),
  fc.constantFrom('250ms', '2m', '1h30m', 'PT5S'),
);
const data = fc
  .jsonValue({ maxDepth: 3 })
  .filter((value) => !/-0\b(?!\.)/.test(JSON.stringify(value)) && !hasMinusZero(value));
const records = fc.dictionary(fc.string(), data, { maxKeys: 3 });
const tags = fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { maxLength: 3 });

function hasMinusZero(value: unknown): boolean {
  if (Object.is(value, -0)) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(hasMinusZero);
}

const options = fc.record(
  {
    description: fc.string({ maxLength: 20 }),
    agentAssigned: ids,
    inputData: data,
    priority: fc.integer({ min: -5, max: 5 }),
    estimatedDuration: durations,
    resourceRequirements: fc.dictionary(ids, fc.constantFrom(0.5, 1, 20), { maxKeys: 3 }),
    locks: fc.uniqueArray(
      fc.oneof(ids, fc.record({ name: ids, mode: fc.constantFrom('exclusive' as const, 'shared' as const) })),
      {
        maxLength: 3,
        selector: (lock) => (typeof lock === 'string' ? lock : lock.name),
      },
    ),
    retry: fc.record(
      {
        maxAttempts: fc.integer({ min: 1, max: 9 }),
        delay: durations,
        factor: fc.constantFrom(1, 1.5),
        jitter: fc.constantFrom(0, 0.5),
      },
      { requiredKeys: [] },
    ),
    runOn: fc.constantFrom('inline' as const, 'worker' as const, 'process' as const),
    timeout: durations,
    totalTimeout: durations,
    heartbeatTimeout: durations,
    maxRestarts: fc.integer({ min: 0, max: 1_000 }),
    tags,
    metadata: records,
  },
  { requiredKeys: [] },
);

const handlers = fc.oneof(
  fc.constantFrom('search', 'parse'),
  fc.record({
    kind: fc.constant('registered' as const),
    name: fc.constant('write'),
    version: fc.constantFrom('1', '2'),
  }),
);

const traits = fc.record({
  id: ids,
  options,
  handler: handlers,
  links: fc.array(
    fc.record({ back: fc.nat(9), settled: fc.boolean(), as: fc.option(ids, { nil: undefined }) }),
    { maxLength: 3 },
  ),
});

/** The tasks of a graph without cycles, in any order. */
function tasksOf(
  drawn: readonly (typeof traits extends fc.Arbitrary<infer One> ? One : never)[],
): TaskData[] {
  return drawn.map(({ id, options: given, handler, links }, i) => ({
    ...given,
    taskId: id,
    handler,
    dependencies:
      i === 0
        ? []
        : links.map(({ back, settled, as }) => {
            const taskId = (drawn[back % i] as { id: string }).id;
            return settled || as !== undefined
              ? {
                  taskId,
                  ...(settled ? { on: 'settled' as const } : undefined),
                  ...(as === undefined ? undefined : { as }),
                }
              : taskId;
          }),
  }));
}

/** Workflows of up to so many tasks, some of them not listed. */
export function workflows(maxTasks = 10): fc.Arbitrary<WorkflowData> {
  return fc
    .record({
      name: ids,
      drawn: fc.uniqueArray(traits, { maxLength: maxTasks, selector: ({ id }) => id }),
      listed: fc.nat(maxTasks),
      reversed: fc.boolean(),
      about: fc.record(
        {
          workflowId: ids,
          description: fc.string({ maxLength: 20 }),
          failurePolicy: fc.constantFrom(
            'fail-fast' as const,
            'finish-running' as const,
            'continue' as const,
          ),
          concurrency: fc.integer({ min: 1, max: 9 }),
          tags,
          metadata: records,
          revision: fc.nat(3),
        },
        { requiredKeys: [] },
      ),
    })
    .map(({ name, drawn, listed, reversed, about }) => {
      const tasks = tasksOf(drawn);
      if (reversed) tasks.reverse();
      return { ...about, name, tasks: tasks.slice(0, listed), joined: tasks.slice(listed) };
    });
}
