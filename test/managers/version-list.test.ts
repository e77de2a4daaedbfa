import { describe, expect, it } from 'vitest';
import { VersionList, type WorkflowVersion } from '../../src/managers/workflows/version-list.ts';
import { compile } from '../../src/model/compile.ts';
import { defineWorkflow, task } from '../../src/model/define.ts';
import type { OpenWorkflow } from '../../src/model/workflow.ts';

const run = (): void => undefined;

function chain(ids: readonly string[], description = ''): OpenWorkflow {
  const tasks = ids.map((id, index) =>
    task(id, { dependencies: index === 0 ? [] : [ids[index - 1] as string], run }),
  );
  return defineWorkflow('chain', { description, tasks }) as OpenWorkflow;
}

function versionOf(workflow: OpenWorkflow, version: number): WorkflowVersion {
  const plan = compile(workflow);
  return { workflowId: 'chain', name: 'chain', version, workflow, rollbackOf: undefined, plan };
}

function listOf(...workflows: readonly OpenWorkflow[]): VersionList {
  const list = new VersionList('chain');
  workflows.forEach((workflow, index) => void list.put(versionOf(workflow, index + 1)));
  return list;
}

describe('the versions of one workflow', () => {
  it('finds the version of a content, wherever it stands', () => {
    const list = listOf(chain(['a', 'b']), chain(['a', 'b', 'c']), chain(['b', 'a']));
    expect(list.withContent(compile(chain(['a', 'b'])), true)?.version).toBe(1);
    expect(list.withContent(compile(chain(['a', 'b', 'c'])), true)?.version).toBe(2);
    expect(list.withContent(compile(chain(['b', 'a'])), true)?.version).toBe(3);
    expect(list.withContent(compile(chain(['a', 'c'])), true)).toBeUndefined();
    expect(list.withContent(compile(chain(['a', 'b'])), false)).toBeUndefined();
  });

  it.each([2, 8, 9, 40])('tells %i versions of one structure apart', (count) => {
    const texts = Array.from({ length: count }, (_, index) => `text ${index}`);
    const list = listOf(...texts.map((text) => chain(['a', 'b'], text)));
    const found = texts.map((text) => list.withContent(compile(chain(['a', 'b'], text)), true)?.version);
    expect(found).toEqual(texts.map((_, index) => index + 1));
    expect(list.withContent(compile(chain(['a', 'b'], 'no such text')), true)).toBeUndefined();
  });

  it.each([
    [1, 2],
    [2, 1],
  ])('gives the newest of those that have a content, put as %i, %i', (first, second) => {
    const list = new VersionList('chain');
    list.put(versionOf(chain(['a']), first));
    list.put(versionOf(chain(['a']), second));
    list.put(versionOf(chain(['b']), 3));
    expect(list.withContent(compile(chain(['a'])), true)?.version).toBe(2);
    // What was not there when it was asked for the first time is found as well.
    list.put(versionOf(chain(['a']), 4));
    list.put(versionOf(chain(['b']), 5));
    expect(list.withContent(compile(chain(['a'])), true)?.version).toBe(4);
  });

  it('gives for an earlier object of a version that object and its plan, not those that stand for it now', () => {
    const [first, second] = [chain(['a']), chain(['a'])];
    const list = listOf(first);
    list.put(versionOf(second, 1));
    expect(list.newest.workflow).toBe(second);
    expect(list.of(second)).toBe(list.newest);
    expect(list.of(first)).toEqual({ ...list.newest, workflow: first, plan: compile(first) });
    expect(list.of(first)?.plan).toBe(compile(first));
    expect(list.of(chain(['a']))).toBeUndefined();
  });
});
