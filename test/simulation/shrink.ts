/**
 * Makes a scenario that fails as small as it can, so that it still fails in the same way: takes away faults, actions,
 * workflows, versions and tasks, in halves and one by one, then options, one by one.
 *
 * Who may call it: the campaign.
 */
import type { Scenario, TaskSpec, WorkflowSpec } from './scenario.ts';

/** Whether a scenario fails in the way that is looked for. */
export type Fails = (scenario: Scenario) => Promise<boolean>;

const TRIES_MAX = 2_000;

/** @param mayGoOn - asked before each try; the smallest scenario so far is the result when it says no */
export async function shrink(
  scenario: Scenario,
  fails: Fails,
  mayGoOn = (): boolean => true,
): Promise<Scenario> {
  let smallest = scenario;
  let tries = 0;
  const attempt = async (candidate: Scenario | undefined): Promise<boolean> => {
    if (candidate === undefined || tries++ >= TRIES_MAX || !mayGoOn()) return false;
    if (!(await fails(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (let before = ''; before !== JSON.stringify(smallest); ) {
    before = JSON.stringify(smallest);
    await shorten(
      (one) => one.faults,
      (one, faults) => ({ ...one, faults }),
    );
    await shorten((one) => one.actions, withActions);
    for (let w = 0; w < smallest.workflows.length; w++) await shrinkWorkflow(w);
    for (const candidate of simpler(smallest)) await attempt(candidate);
  }
  return smallest;

  async function shorten<Item>(
    listOf: (one: Scenario) => readonly Item[],
    withList: (one: Scenario, list: readonly Item[]) => Scenario | undefined,
  ): Promise<void> {
    for (
      let size = Math.ceil(listOf(smallest).length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    )
      for (let from = 0; from < listOf(smallest).length; ) {
        const list = listOf(smallest);
        const rest = [...list.slice(0, from), ...list.slice(from + size)];
        if (!(await attempt(withList(smallest, rest)))) from += size;
      }
  }

  async function shrinkWorkflow(w: number): Promise<void> {
    const versions = (one: Scenario) => (one.workflows[w] as WorkflowSpec).versions;
    if (versions(smallest).length > 1)
      await attempt(withVersions(smallest, w, versions(smallest).slice(0, 1)));
    const ids = [...new Set(versions(smallest).flatMap((tasks) => tasks.map(({ id }) => id)))];
    for (const id of ids)
      await attempt(
        withVersions(
          smallest,
          w,
          versions(smallest).map((tasks) => without(tasks, id)),
        ),
      );
    for (const id of ids)
      for (const key of TASK_OPTIONS)
        await attempt(
          withVersions(
            smallest,
            w,
            versions(smallest).map((tasks) => stripped(tasks, id, key)),
          ),
        );
  }
}

const TASK_OPTIONS = [
  'priority',
  'agent',
  'resources',
  'locks',
  'retry',
  'timeout',
  'totalTimeout',
  'heartbeatTimeout',
  'maxRestarts',
  'when',
] as const;

/** Actions name each other by number: what is taken away must not be what others name. */
function withActions(scenario: Scenario, actions: Scenario['actions']): Scenario | undefined {
  const moved = new Map(scenario.actions.map((action, i) => [i, actions.indexOf(action)]));
  const renamed = actions.map(({ at, deed }) => {
    if (!('run' in deed)) return { at, deed };
    return { at, deed: { ...deed, run: moved.get(deed.run) ?? -1 } };
  });
  const isWhole = renamed.every(({ deed }) => !('run' in deed) || deed.run >= 0);
  return isWhole ? { ...scenario, actions: renamed } : undefined;
}

function withVersions(
  scenario: Scenario,
  w: number,
  versions: WorkflowSpec['versions'],
): Scenario | undefined {
  if (versions.some((tasks) => tasks.length === 0)) return undefined;
  const workflows = scenario.workflows.map((one, i) => (i === w ? { ...one, versions } : one));
  return { ...scenario, workflows };
}

function without(tasks: readonly TaskSpec[], gone: string): readonly TaskSpec[] {
  return tasks
    .filter(({ id }) => id !== gone)
    .map((spec) => ({ ...spec, dependencies: spec.dependencies.filter(({ id }) => id !== gone) }));
}

function stripped(tasks: readonly TaskSpec[], id: string, key: keyof TaskSpec): readonly TaskSpec[] {
  return tasks.map((spec) => {
    if (spec.id !== id) return spec;
    const { [key]: _, ...rest } = spec;
    return rest as TaskSpec;
  });
}

function simpler(scenario: Scenario): readonly Scenario[] {
  const { store, options } = scenario;
  const { concurrency: _, ...unlimited } = options;
  return [
    { ...scenario, hasBadMonitor: false },
    { ...scenario, store: { ...store, latency: 0 } },
    { ...scenario, options: unlimited },
    { ...scenario, options: { ...options, policy: 'fifo' } },
  ].filter((one) => JSON.stringify(one) !== JSON.stringify(scenario)) as readonly Scenario[];
}
