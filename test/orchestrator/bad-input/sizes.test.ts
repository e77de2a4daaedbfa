import { defineWorkflow, type OrchestratorError, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../../support/errors.ts';
import { expectRefused } from '../../support/refusals.ts';
import { openVirtual } from '../../support/virtual-orchestrator.ts';

/** A text has two bytes per UTF-16 unit, and a few more. */
const LONGEST = 32 * 1024 * 1024 - 4;
const fits = 'x'.repeat(LONGEST);
const tooLong = `${fits}x`;
const tooLarge = 1n << (64n * 1024n * 1024n * 8n + 8n);

describe('a value that is one primitive has the limit of size that all values have', () => {
  it.each<readonly [string, unknown]>([
    ['a text', tooLong],
    ['a bigint', tooLarge],
  ])('%s as an output, an input, progress, and what an object holds', async (_, value) => {
    const { orchestrator } = await openVirtual();
    const run = async (id: string, work: Parameters<typeof task>[1]): Promise<OrchestratorError> => {
      const { error } = await (await orchestrator.scheduleTask(task(id, work))).settled();
      return error?.cause as OrchestratorError;
    };
    const found = 'found more than 67108864 bytes; allowed: plain data.';
    const output = await run('write', { run: () => value });
    expectRefused(output, 'VALUE_UNSERIALISABLE', 'output of task "write"');
    expect(output.message).toContain(found);
    const progressed = await run('tell', { run: ({ progress }) => progress(value) });
    expectRefused(progressed, 'VALUE_UNSERIALISABLE', 'progress of task "tell"');

    const workflow = defineWorkflow('w', { tasks: [task('t', { run: () => 1 })] });
    const input = await rejection(orchestrator.manageWorkflow(workflow, { input: value }));
    expectRefused(input, 'VALUE_UNSERIALISABLE', 'input of workflow "w"');
    expect(input.message).toContain(found);
    await orchestrator.close();
  });

  it('a text of just that size is carried', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.scheduleTask(task('t', { run: () => fits }));
    expect((await run.result()).outputs.t === fits).toBe(true);
    await orchestrator.close();
  });
});
