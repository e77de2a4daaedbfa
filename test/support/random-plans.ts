/** Arbitraries for fast-check: plans of several shapes, and lists of intents that become commands. */
import fc from 'fast-check';
import type { FailurePolicy } from '../../src/model/workflow-data.ts';
import type { PlanSpec, TaskSpec } from './plan-spec.ts';

const SHAPES = ['random', 'layered', 'diamonds', 'chain', 'wide', 'loose'] as const;
type Shape = (typeof SHAPES)[number];

/** What is drawn for each task; the shape decides what `back` means. */
interface Traits {
  readonly links: readonly { readonly back: number; readonly settled: boolean }[];
  readonly maxAttempts: number;
  readonly limits: number;
  readonly when: boolean;
  readonly priority: number;
}

const traits: fc.Arbitrary<Traits> = fc.record({
  links: fc.array(fc.record({ back: fc.nat(11), settled: rarely(4) }), { maxLength: 3 }),
  maxAttempts: fc.constantFrom(1, 1, 2, 3),
  limits: fc.constantFrom(0, 0, 0, 1, 2, 3),
  when: rarely(5),
  priority: fc.constantFrom(0, 0, 0, 5, -3),
});

/** True once in so many times; shrinks to false. */
function rarely(times: number): fc.Arbitrary<boolean> {
  return fc.nat(times - 1).map((drawn) => drawn === times - 1);
}

/** Which earlier tasks a task depends on. */
function linksOf(shape: Shape, i: number, { links }: Traits): readonly number[] {
  if (i === 0) return [];
  switch (shape) {
    case 'random':
      return links.map(({ back }) => back % i);
    case 'layered': {
      const first = Math.floor(i / 3) * 3 - 3;
      return first < 0 ? [] : links.map(({ back }) => first + (back % 3));
    }
    case 'diamonds':
      return i % 3 === 0 ? [i - 2, i - 1] : [i - (i % 3)];
    case 'chain':
      return [i - 1];
    case 'wide':
      return i % 7 === 6
        ? [1, 2, 3, 4, 5].map((back) => i - back)
        : [Math.floor(i / 7) * 7].filter((d) => d < i);
    case 'loose':
      return [];
  }
}

function toSpec(
  shape: Shape,
  failurePolicy: FailurePolicy,
  drawn: readonly Traits[],
  reversed: boolean,
  childOf: (i: number) => PlanSpec | undefined,
): PlanSpec {
  const tasks = drawn.map((one, i): TaskSpec => {
    const child = childOf(i);
    return {
      taskId: `t${i}`,
      dependencies: linksOf(shape, i, one).map((target, k) => ({
        taskId: `t${target}`,
        on: one.links[k]?.settled === true ? 'settled' : 'completed',
      })),
      priority: one.priority,
      ...(one.maxAttempts > 1 ? { retry: { maxAttempts: one.maxAttempts, delay: 100 } } : undefined),
      ...((one.limits & 1) !== 0 ? { timeout: 500 } : undefined),
      ...((one.limits & 2) !== 0 ? { totalTimeout: 2_000 } : undefined),
      ...(one.when ? { when: true } : undefined),
      ...(child === undefined ? undefined : { child }),
    };
  });
  return { name: `${shape}-${failurePolicy}`, failurePolicy, tasks: reversed ? tasks.reverse() : tasks };
}

/** Plans of all shapes and all failure policies, with every option of a task that the machine knows. */
export function plans(maxTasks = 12): fc.Arbitrary<PlanSpec> {
  return plansWith(fc.array(traits, { maxLength: maxTasks }), () => undefined);
}

/** The same; some tasks open child scopes, whose plans have one more level below them. */
export function plansWithScopes(): fc.Arbitrary<PlanSpec> {
  const few = fc.array(traits, { maxLength: 3 });
  const leaf = plansWith(few, () => undefined);
  const middle = fc
    .tuple(leaf, rarely(2))
    .chain(([child, deep]) => plansWith(few, (i) => (deep && i === 0 ? child : undefined)));
  return middle.chain((child) =>
    plansWith(fc.array(traits, { maxLength: 5 }), (i) => (i < 2 ? child : undefined)),
  );
}

function plansWith(
  tasks: fc.Arbitrary<readonly Traits[]>,
  childOf: (i: number) => PlanSpec | undefined,
): fc.Arbitrary<PlanSpec> {
  return fc
    .record({
      shape: fc.constantFrom(...SHAPES),
      policy: fc.constantFrom<FailurePolicy>('fail-fast', 'finish-running', 'continue'),
      tasks,
      reversed: fc.boolean(),
    })
    .map(({ shape, policy, tasks: drawn, reversed }) => toSpec(shape, policy, drawn, reversed, childOf));
}

const KINDS = [
  ...['StartTask', 'StartTask', 'StartTask', 'ReportSuccess', 'ReportSuccess', 'ReportFailure', 'StopTask'],
  ...['AbandonTask', 'ExpireTask', 'RecordCondition', 'RecordCondition', 'RecordProgress', 'CancelTask'],
  ...['SetPriority', 'OpenScope', 'SkipTask', 'CloseScope', 'RestartTask'],
] as const;
const RARE_KINDS = [
  'CancelRun',
  'PauseRun',
  'ResumeRun',
  'ResumeRun',
  'HaltRun',
  'FinishRun',
  'StartRun',
] as const;

/** A wish for a command; which one it becomes depends on the run, so that a random list gets somewhere. */
export interface Intent {
  readonly kind: (typeof KINDS)[number] | (typeof RARE_KINDS)[number];
  /** Whether the task is looked for among those for which the command makes sense. */
  readonly fitting: boolean;
  readonly pick: number;
  readonly attemptOff: number;
  readonly yes: boolean;
  readonly later: number;
}

export const intents: fc.Arbitrary<readonly Intent[]> = fc.array(
  fc.record({
    kind: fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...KINDS) },
      { weight: 1, arbitrary: fc.constantFrom(...RARE_KINDS) },
    ),
    fitting: fc.nat(4).map((drawn) => drawn > 0),
    pick: fc.nat(1_000),
    attemptOff: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, -1),
    yes: fc.nat(3).map((drawn) => drawn > 0),
    later: fc.nat(300),
  }),
  { maxLength: 60 },
);
