/** What a handler asks of the host's side in its first synchronous part, while the loop works, is served at once. */
import { defineWorkflow, task } from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { openStill } from '../support/virtual-orchestrator.ts';

describe('a handler that changes what there is', () => {
  it('lets a task start that waited for a capacity which the handler raises at once', async () => {
    const { orchestrator } = await openStill({ resources: { cpu: 0.5 } });
    orchestrator.resources.setCapacity('cpu', 0.5);
    const order: string[] = [];
    const waits = task('waits', { resourceRequirements: { cpu: 0.5 }, run: () => order.push('waits') });
    await orchestrator.resources.allocateResource({ cpu: 0.5 });
    const raises = task('raises', {
      run: () => {
        order.push('raises');
        orchestrator.resources.setCapacity('cpu', 1);
        return new Promise<void>(() => {});
      },
    });
    const run = await orchestrator.manageWorkflow(defineWorkflow('w', { tasks: [waits, raises] }));
    for await (const event of run.events()) if (event.type === 'TaskCompleted') break;
    expect(order).toEqual(['raises', 'waits']);
  });
});
