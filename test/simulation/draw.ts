/**
 * Draws a scenario from a seed: first which features there are at all, then how much of each. So that every seed tries
 * few things together, and all of them meet each other in some seed.
 */
import { Chance } from './chance.ts';
import {
  type Action,
  type Behaviour,
  type Deed,
  type Fault,
  type LockSpec,
  SAFETY_MS,
  type Scenario,
  type TaskSpec,
  type WorkflowSpec,
} from './scenario.ts';

const FEATURES = [
  'retries',
  'timeouts',
  'locks',
  'nestedLocks',
  'resources',
  'agents',
  'priorities',
  'conditions',
  'settled',
  'limits',
  'cancels',
  'pauses',
  'keys',
  'checkpoints',
  'forks',
  'moves',
  'hostHolds',
  'crashes',
  'openingCrashes',
  'storeFaults',
  'takeovers',
  'reopens',
  'skew',
  'deafness',
  'badMonitor',
  'removals',
  'largeOutputs',
] as const;

type Feature = (typeof FEATURES)[number];

/** Features that are in fewer seeds: each of them costs time, or hides what others would show. */
const RARE: ReadonlyMap<Feature, number> = new Map([
  ['takeovers', 0.15],
  ['reopens', 0.25],
  ['openingCrashes', 0.3],
  ['skew', 0.3],
  ['moves', 0.4],
  ['forks', 0.3],
  ['storeFaults', 0.35],
  ['nestedLocks', 0.35],
  ['deafness', 0.25],
  ['badMonitor', 0.15],
  ['removals', 0.25],
  ['largeOutputs', 0.12],
]);

const LOCKS = ['la', 'lb', 'lc'];
const RESOURCES = ['cpu', 'mem'];
const AGENTS = ['ann', 'bob'];

interface Draft {
  readonly chance: Chance;
  readonly has: ReadonlySet<Feature>;
}

/** The scenario of a seed. */
export function drawScenario(seed: number): Scenario {
  const chance = new Chance(seed);
  const has = new Set(FEATURES.filter((feature) => chance.chance(RARE.get(feature) ?? 0.5)));
  const draft: Draft = { chance, has };
  const workflows = Array.from({ length: chance.pick([1, 1, 2]) }, (_, i) => drawWorkflow(draft, `w${i}`));
  const { options, capacities } = drawOptions(draft);
  return {
    seed,
    store: {
      isImmediate: chance.chance(0.15),
      latency: chance.pick([0, 1, 3, 6]),
      hasCheckpoints: chance.chance(0.9),
    },
    options: { ...options, resources: capacities },
    hasBadMonitor: has.has('badMonitor'),
    workflows,
    actions: drawActions(draft, workflows),
    faults: drawFaults(draft),
  };
}

function drawOptions({ chance, has }: Draft): {
  options: Omit<Scenario['options'], 'resources'>;
  capacities: Readonly<Record<string, number>>;
} {
  return {
    options: {
      policy: chance.pick(['fifo', 'priority', 'critical-path']),
      ...(has.has('limits') ? { concurrency: chance.int(1, 4) } : undefined),
      cancelGrace: chance.pick([0, 5, 20, 50]),
      maxRestarts: chance.pick([0, 1, 2, 10]),
      agents: has.has('agents') ? Object.fromEntries(AGENTS.map((name) => [name, chance.int(1, 2)])) : {},
      retainRuns: chance.pick([0, 1, 100]),
    },
    capacities: has.has('resources')
      ? Object.fromEntries(RESOURCES.map((name) => [name, chance.int(2, 4)]))
      : {},
  };
}

function drawWorkflow(draft: Draft, name: string): WorkflowSpec {
  const { chance, has } = draft;
  const size = chance.chance(0.04) ? chance.int(12, 25) : chance.int(1, 6);
  const shape = chance.pick(['chain', 'random', 'wide', 'none']);
  const tasks = Array.from({ length: size }, (_, i) => drawTask(draft, i, shape));
  return {
    name,
    failurePolicy: chance.pick(['fail-fast', 'finish-running', 'continue']),
    ...(has.has('limits') && chance.chance(0.3) ? { concurrency: chance.int(1, 3) } : undefined),
    versions: has.has('moves') ? [tasks, changed(draft, tasks)] : [tasks],
  };
}

/** Another version: one task changed, one gone that nobody needs, one more. */
function changed(draft: Draft, tasks: readonly TaskSpec[]): readonly TaskSpec[] {
  const { chance } = draft;
  const at = chance.int(0, tasks.length - 1);
  const again = tasks.map((spec, i) =>
    i === at ? { ...spec, priority: (spec.priority ?? 0) + 1, timeout: (spec.timeout ?? 200) + 1 } : spec,
  );
  const needed = new Set(again.flatMap(({ dependencies }) => dependencies.map(({ id }) => id)));
  const free = again.filter(({ id }) => !needed.has(id));
  const gone = again.length > 1 && chance.chance(0.5) ? chance.pick(free) : undefined;
  const kept = again.filter((spec) => spec !== gone);
  if (chance.chance(0.5)) return kept;
  const dependencies = chance.some(kept, 0.4).map(({ id }) => ({ id, settled: false }));
  const behaviours = [{ ...drawBehaviour(draft, true), end: 'return' as const }];
  return [...kept, { id: 'added', dependencies, behaviours }];
}

function drawTask(draft: Draft, index: number, shape: string): TaskSpec {
  const { chance, has } = draft;
  const retries = has.has('retries') && chance.chance(0.5);
  const behaviours = Array.from({ length: retries ? chance.int(1, 3) : 1 }, (_, i) =>
    drawBehaviour(draft, i === 0 && !retries),
  );
  const hangs = behaviours.some(({ end, waits }) => end === 'hang' || waits.some((ms) => ms > 100));
  const limit = hangs || (has.has('timeouts') && chance.chance(0.4)) ? chance.int(2, 40) : undefined;
  const limits = ['timeout', 'totalTimeout', ...(has.has('timeouts') ? ['heartbeatTimeout'] : [])];
  return {
    id: `t${index}`,
    dependencies: drawDependencies(draft, index, shape),
    behaviours,
    ...(has.has('priorities') && chance.chance(0.5) ? { priority: chance.int(-2, 5) } : undefined),
    ...(has.has('agents') && chance.chance(0.5) ? { agent: chance.pick(AGENTS) } : undefined),
    ...(has.has('resources') && chance.chance(0.5) ? { resources: drawNeeds(draft) } : undefined),
    ...(has.has('locks') && chance.chance(0.4) ? { locks: drawLocks(draft) } : undefined),
    ...(retries
      ? {
          retry: {
            maxAttempts: chance.int(1, 4),
            delay: chance.int(0, 15),
            factor: chance.pick([1, 2]),
            jitter: chance.pick([0, 0.5]),
          },
        }
      : undefined),
    ...(limit === undefined ? undefined : { [chance.pick(limits)]: limit }),
    ...(chance.chance(0.2) ? { maxRestarts: chance.int(0, 3) } : undefined),
    ...(has.has('conditions') && chance.chance(0.25)
      ? { when: chance.pick([true, false, false, 'throws'] as const) }
      : undefined),
  };
}

function drawDependencies(
  { chance, has }: Draft,
  index: number,
  shape: string,
): { readonly id: string; readonly settled: boolean }[] {
  const before = Array.from({ length: index }, (_, i) => i);
  const chosen =
    shape === 'chain'
      ? before.slice(-1)
      : shape === 'wide'
        ? before.slice(0, 1)
        : shape === 'random'
          ? chance.some(before, 2 / Math.max(2, index))
          : [];
  return chosen.map((i) => ({ id: `t${i}`, settled: has.has('settled') && chance.chance(0.3) }));
}

function drawNeeds({ chance }: Draft): Readonly<Record<string, number>> {
  const names = chance.some(RESOURCES, 0.6);
  return Object.fromEntries((names.length === 0 ? ['cpu'] : names).map((name) => [name, chance.int(1, 2)]));
}

function drawLocks({ chance }: Draft): LockSpec[] {
  const names = chance.some(LOCKS, 0.4);
  return (names.length === 0 ? ['la'] : names).map((name) => ({
    name,
    mode: chance.chance(0.35) ? 'shared' : 'exclusive',
  }));
}

function drawBehaviour({ chance, has }: Draft, isLikelyGood: boolean): Behaviour {
  const nested = has.has('nestedLocks') && chance.chance(0.4);
  const isSlow = nested || chance.chance(0.65);
  const waits = isSlow
    ? Array.from({ length: chance.int(nested ? 2 : 1, 3) }, () =>
        chance.chance(0.02) ? 500 : chance.int(0, 12),
      )
    : [];
  const end = chance.chance(isLikelyGood ? 0.88 : 0.45)
    ? 'return'
    : chance.pick(['throw', 'throw', 'throw', 'throw_null', 'fatal', 'hang'] as const);
  const isDeaf = has.has('deafness') && chance.chance(0.5) && end !== 'hang';
  // Long enough to end beside the attempt after it.
  if (isDeaf && chance.chance(0.7)) waits.push(chance.int(10, 60));
  return {
    waits,
    end,
    ...(isDeaf ? { deaf: true as const } : undefined),
    ...(isSlow && chance.chance(0.2)
      ? { tells: chance.pick(['progress', 'heartbeat'] as const) }
      : undefined),
    ...(nested
      ? {
          locks: drawNested(chance),
          ...(chance.chance(0.25) ? { keepsLocks: true as const } : undefined),
          ...(chance.chance(0.2) ? { lockTimeout: chance.int(1, 20) } : undefined),
        }
      : undefined),
    ...(isSlow && chance.chance(0.05) ? { changesOutput: true as const } : undefined),
    ...(has.has('largeOutputs') && chance.chance(0.6) ? { isLarge: true as const } : undefined),
  };
}

/** Other locks than those that tasks hold from their start, so that asking for them is no mistake. */
function drawNested(chance: Chance): LockSpec[] {
  const names = chance.chance(0.5) ? ['na', 'nb'] : ['nb', 'na'];
  return names
    .slice(0, chance.int(1, 2))
    .map((name) => ({ name, mode: chance.chance(0.25) ? 'shared' : 'exclusive' }));
}

function drawActions(draft: Draft, workflows: readonly WorkflowSpec[]): readonly Action[] {
  const { chance, has } = draft;
  const actions: Action[] = [];
  const starts = chance.pick([1, 1, 2, 2, 3]);
  for (let i = 0; i < starts; i++) {
    const at = i === 0 ? 0 : chance.int(0, 60);
    const start: Deed = {
      type: 'start',
      workflow: chance.int(0, workflows.length - 1),
      ...(has.has('keys') && chance.chance(0.7) ? { key: `k${chance.int(0, 1)}` } : undefined),
      ...(has.has('priorities') ? { priority: chance.int(-1, 1) } : undefined),
      input: chance.chance(0.9) ? 1 : 2,
    };
    actions.push({ at, deed: start });
  }
  const more = chance.int(0, 5);
  const started = actions.length;
  for (let i = 0; i < more; i++) {
    const run = chance.int(0, started - 1);
    const deed = drawDeed(draft, workflows, actions, run);
    if (deed === undefined) continue;
    const at = chance.int(0, chance.pick(deed.type === 'prune' ? [150, 300] : [20, 60, 150]));
    actions.push({ at, deed });
    // What a state has to keep while something is on its way is kept seldom by chance.
    if ('run' in deed && draft.has.has('checkpoints') && chance.chance(0.4))
      actions.push({ at: at + chance.int(0, 3), deed: { type: 'save', run } });
    if (deed.type === 'cancel' && chance.chance(0.4)) actions.push({ at: at + chance.int(0, 8), deed });
  }
  if (has.has('removals')) drawRemoval(chance, actions);
  return actions;
}

/** Ended runs are removed; then somebody starts one of them again, under its key or without. */
function drawRemoval(chance: Chance, actions: Action[]): void {
  const at = chance.int(30, 250);
  actions.push({ at, deed: drawPrune(chance) });
  const { deed } = chance.pick(actions.filter((one) => one.deed.type === 'start')) as Action;
  if (chance.chance(0.7)) actions.push({ at: at + chance.int(0, 60), deed });
}

function drawDeed(
  { chance, has }: Draft,
  workflows: readonly WorkflowSpec[],
  actions: readonly Action[],
  run: number,
): Deed | undefined {
  const started = actions[run]?.deed;
  const spec = started?.type === 'start' ? workflows[started.workflow] : undefined;
  const task = chance.pick(spec?.versions[0] ?? [])?.id ?? 't0';
  const resource = chance.pick(RESOURCES);
  const holdMs = chance.int(0, 30);
  const choices: Deed[] = [{ type: 'list' }, { type: 'recover' }];
  if (has.has('cancels')) choices.push({ type: 'cancel', run }, { type: 'cancelTask', run, task });
  if (has.has('pauses'))
    choices.push(
      { type: 'pause', run },
      { type: 'resume', run },
      { type: 'pauseAll' },
      { type: 'resumeAll' },
    );
  if (has.has('checkpoints'))
    choices.push({ type: 'checkpoint', run }, { type: 'save', run }, { type: 'save', run });
  if (has.has('forks'))
    choices.push({ type: 'fork', run }, { type: 'retry', run }, { type: 'rerun', run, task });
  if (has.has('moves')) choices.push({ type: 'move', run, version: 2 }, { type: 'move', run, version: 1 });
  if (has.has('priorities')) choices.push({ type: 'setPriority', run, task, priority: chance.int(-5, 9) });
  if (has.has('removals')) choices.push(drawPrune(chance));
  if (has.has('hostHolds'))
    choices.push({ type: 'lock', lock: { name: chance.pick([...LOCKS, 'na']), mode: 'exclusive' }, holdMs });
  if (has.has('resources'))
    choices.push(
      { type: 'grant', resource, amount: chance.int(1, 2), holdMs },
      { type: 'capacity', resource, capacity: chance.int(2, 5) },
    );
  return chance.pick(choices);
}

function drawPrune(chance: Chance): Deed {
  const olderThan = chance.chance(0.3) ? { olderThan: chance.int(1, 50) } : undefined;
  return { type: 'prune', keepLast: chance.pick([0, 0, 1]), ...olderThan };
}

function drawFaults({ chance, has }: Draft): readonly Fault[] {
  const faults: Fault[] = [];
  if (has.has('crashes')) {
    for (let i = chance.int(1, 3); i > 0; i--)
      faults.push(
        chance.chance(0.75)
          ? { type: 'crash', append: chance.int(1, 30), when: chance.pick(['before', 'during', 'after']) }
          : { type: 'crash_at', at: chance.int(0, 150) },
      );
  }
  if (has.has('openingCrashes'))
    for (let i = chance.int(1, 2); i > 0; i--)
      faults.push({ type: 'crash_opening', process: chance.int(1, 4), call: chance.int(1, 12) });
  if (has.has('checkpoints') && chance.chance(0.4))
    faults.push({
      type: 'crash_saving',
      checkpoint: chance.int(1, 3),
      when: chance.pick(['during', 'after']),
    });
  if (has.has('removals') && chance.chance(0.4))
    faults.push({
      type: 'crash_removing',
      removal: chance.int(1, 3),
      when: chance.pick(['during', 'after']),
    });
  if (has.has('largeOutputs') && chance.chance(0.3))
    faults.push({ type: 'blob_fails', blob: chance.int(1, 5) });
  // A fork is read back by whoever has made it.
  if (has.has('forks') && chance.chance(0.2)) faults.push({ type: 'read_fails', read: chance.int(6, 24) });
  if (has.has('storeFaults')) for (let i = chance.int(1, 2); i > 0; i--) faults.push(drawStoreFault(chance));
  if (has.has('takeovers')) faults.push({ type: 'takeover', at: chance.int(1, 80), ms: chance.int(1, 30) });
  if (has.has('reopens'))
    faults.push({ type: 'reopen', at: chance.int(1, 100), grace: chance.pick([0, 5, 50]) });
  if (has.has('skew'))
    faults.push({
      type: 'skew',
      at: chance.int(0, chance.pick([30, 80, SAFETY_MS])),
      ms: chance.pick([-3_600_000, -50, 50, 3_600_000]),
    });
  return faults;
}

function drawStoreFault(chance: Chance): Fault {
  const append = chance.int(1, 25);
  switch (chance.int(0, 6)) {
    case 0:
      return { type: 'slow', append, ms: chance.int(10, 60) };
    case 1:
    case 2:
      return {
        type: 'read_fails',
        read: chance.int(2, chance.pick([12, 25, 50])),
        times: chance.pick([1, 1, 2, 4]),
      };
    case 3:
      return { type: 'append_fails', append, how: 'poisoned', times: 1 };
    default:
      return {
        type: 'append_fails',
        append,
        how: chance.pick(['unwritten', 'written']),
        times: chance.pick([1, 1, 2, 3]),
      };
  }
}
