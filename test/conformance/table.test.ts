/**
 * The whole table of classes and methods that the mission names: each exists, and each is proved in this folder by its
 * effect and by a refusal. A test proves a method when its title begins with the method's name, inside the block of
 * its class; one that proves a refusal says `refuse` in its title.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Orchestrator, Task, Workflow } from '@taskmaster-ai/orchestrator';
import * as managers from '@taskmaster-ai/orchestrator/managers';
import { describe, expect, it } from 'vitest';

const TABLE: Readonly<Record<string, readonly string[]>> = {
  Orchestrator: [
    'manageWorkflow',
    'scheduleTask',
    'monitorTask',
    'handleTaskError',
    'allocateResources',
    'persistState',
    'recoverState',
  ],
  WorkflowManager: [
    'createWorkflow',
    'getWorkflow',
    'updateWorkflow',
    'deleteWorkflow',
    'versionWorkflow',
    'rollbackWorkflow',
    'validateWorkflow',
  ],
  TaskScheduler: ['scheduleTask', 'executeTask', 'prioritizeTasks', 'handleTaskDependencies', 'getTaskById'],
  ConcurrencyController: [
    'acquireLock',
    'releaseLock',
    'manageConcurrency',
    'executeTask',
    'detectDeadlocks',
    'resolveConflicts',
  ],
  ResourceManager: [
    'allocateResource',
    'releaseResource',
    'monitorResourceUsage',
    'optimizeResourceAllocation',
  ],
  PersistenceManager: ['saveState', 'loadState', 'createCheckpoint', 'restoreFromCheckpoint'],
  MonitoringService: ['logEvent', 'trackMetrics', 'recordTaskDuration', 'generateAlerts', 'createDashboard'],
  ErrorHandler: ['logError', 'handleTaskError', 'handleWorkflowError'],
  Workflow: ['addTask', 'removeTask', 'updateStatus', 'incrementVersion'],
  Task: ['updateStatus', 'setOutputData', 'updatePriority', 'addDependency', 'removeDependency'],
};

const CLASSES: Readonly<Record<string, { readonly prototype: object }>> = {
  ...(managers as unknown as Readonly<Record<string, { readonly prototype: object }>>),
  Orchestrator,
  Workflow,
  Task,
};

/** The titles of the tests in the blocks of each class. */
function titlesByClass(): ReadonlyMap<string, readonly string[]> {
  const titles = new Map<string, string[]>();
  for (const file of readdirSync(import.meta.dirname)) {
    if (!file.endsWith('.test.ts') || file === 'table.test.ts') continue;
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    for (const block of text.split(/\bdescribe\(/).slice(1)) {
      const name = /^['"`](\w+)/.exec(block)?.[1] ?? '';
      const found = [...block.matchAll(/\bit(?:\.each\([\s\S]*?\))?\(\s*(['"`])(.*?)\1/g)].map(
        (match) => match[2] as string,
      );
      titles.set(name, [...(titles.get(name) ?? []), ...found]);
    }
  }
  return titles;
}

const rows = Object.entries(TABLE).flatMap(([name, methods]) =>
  methods.map((method) => [name, method] as const),
);

describe('every method of the mission', () => {
  const titles = titlesByClass();

  it.each(rows)('%s.%s is there, and is proved by its effect and by a refusal', (name, method) => {
    const prototype = CLASSES[name]?.prototype as Readonly<Record<string, unknown>> | undefined;
    expect(typeof prototype?.[method]).toBe('function');
    const own = (titles.get(name) ?? []).filter((title) => new RegExp(`^(?:\\S+ )?${method}\\b`).test(title));
    expect(own.filter((title) => !title.includes('refuse')).length).toBeGreaterThan(0);
    expect(own.filter((title) => title.includes('refuse')).length).toBeGreaterThan(0);
  });
});
