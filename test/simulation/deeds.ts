/**
 * What a host does when a scenario wants it done, and what it writes down of the answer.
 *
 * Owns: nothing. Who may call it: the host.
 */

import type { AnyWorkflow, Orchestrator, Run } from '@taskmaster-ai/orchestrator';
import { OrchestratorError } from '@taskmaster-ai/orchestrator';
import type { Host } from './host.ts';
import type { Action, Deed } from './scenario.ts';

type On<Type extends Deed['type']> = Extract<Deed, { readonly type: Type }>;

/** Refusals that a caller has to expect, given that others act on the same runs. */
const EXPECTED: ReadonlySet<string> = new Set([
  'RUN_NOT_FOUND',
  'RUN_FINISHED',
  'RUN_RELEASED',
  'RUN_MOVE_REFUSED',
  'RUN_KEY_CONFLICT',
  'TRANSITION_ILLEGAL',
  'TASK_NOT_FOUND',
  'ORCHESTRATOR_CLOSED',
  'STORE_UNAVAILABLE',
  'STORE_CONFLICT',
  'STORE_FENCED',
  'WAIT_TIMEOUT',
  'WAIT_ABORTED',
  'RESOURCE_UNSCHEDULABLE',
  'CHECKPOINT_UNSUPPORTED',
  'RUN_PRUNED',
]);

export class Deeds {
  readonly #host: Host;
  /** Calls that are not answered yet. */
  readonly open = new Set<number>();

  constructor(host: Host) {
    this.#host = host;
  }

  async act(number: number): Promise<void> {
    const { common, process, orchestrator } = this.#host;
    const { world, scenario } = common;
    const { deed } = scenario.actions[number] as Action;
    this.open.add(number);
    const about = { kind: 'ack', process: process.number, action: number, what: deed.type } as const;
    try {
      const { answer, run } = await this.#do(number, deed, orchestrator as Orchestrator);
      if (!process.isAlive) return;
      common.done.add(number);
      this.open.delete(number);
      world.note({ ...about, t: world.now, answer, ...(run === undefined ? undefined : { run }) });
    } catch (error) {
      if (!process.isAlive) return;
      this.open.delete(number);
      const code = OrchestratorError.is(error) ? error.code : undefined;
      if (code === undefined || !EXPECTED.has(code))
        this.#host.wrong('API', `${deed.type} is refused with ${String(error)}`);
      world.note({ ...about, t: world.now, answer: undefined, refused: code ?? 'none' });
    }
  }

  async #do(
    number: number,
    deed: Deed,
    orchestrator: Orchestrator,
  ): Promise<{ readonly answer: unknown; readonly run?: string }> {
    switch (deed.type) {
      case 'start':
        return this.#start(number, deed, orchestrator);
      case 'lock':
        return { answer: await this.#lock(number, deed, orchestrator) };
      case 'grant':
        return { answer: await this.#grant(number, deed, orchestrator) };
      case 'pauseAll':
        return { answer: orchestrator.pause() };
      case 'resumeAll':
        return { answer: orchestrator.resume() };
      case 'recover':
        return { answer: (await orchestrator.recoverState()).recovered };
      case 'list':
        return { answer: (await orchestrator.listRuns()).map(({ runId, status }) => [runId, status]) };
      case 'prune': {
        const { keepLast, olderThan } = deed;
        return { answer: { ...(await orchestrator.pruneRuns({ keepLast, olderThan })) } };
      }
      case 'capacity':
        return { answer: orchestrator.resources.setCapacity(deed.resource, deed.capacity) };
      default:
        return this.#onRun(number, deed, orchestrator);
    }
  }

  async #start(
    number: number,
    deed: On<'start'>,
    orchestrator: Orchestrator,
  ): Promise<{ answer: string; run: string }> {
    const { key, priority, input } = deed;
    const workflow = this.#host.workflows[deed.workflow]?.[0] as AnyWorkflow;
    const run = (await orchestrator.manageWorkflow(workflow, {
      key,
      priority,
      input,
    } as never)) as Run<unknown>;
    if (this.#host.process.isAlive) {
      this.#host.common.runOf.set(number, run.runId);
      this.#host.watch(run);
    }
    return { answer: run.runId, run: run.runId };
  }

  /** What is done to a run; one that this process does not know is none of its business. */
  async #onRun(
    number: number,
    deed: Exclude<
      Deed,
      On<'start' | 'lock' | 'grant' | 'pauseAll' | 'resumeAll' | 'recover' | 'list' | 'capacity' | 'prune'>
    >,
    orchestrator: Orchestrator,
  ): Promise<{ readonly answer: unknown; readonly run?: string }> {
    const { runOf } = this.#host.common;
    const runId = runOf.get(deed.run);
    if (runId === undefined) return { answer: 'unknown' };
    const run = orchestrator.getRun(runId) as Run<unknown>;
    const { persistence } = orchestrator;
    switch (deed.type) {
      case 'cancel':
        return { answer: await run.cancel('not wanted any more'), run: runId };
      case 'pause':
        return { answer: await run.pause(), run: runId };
      case 'resume':
        return { answer: await run.resume(), run: runId };
      case 'checkpoint':
        return {
          answer: (await persistence.createCheckpoint(runId, { name: `c${number}` })).seq,
          run: runId,
        };
      case 'save':
        return { answer: (await persistence.saveState(runId)).seq, run: runId };
      case 'cancelTask':
        return { answer: await run.cancelTask(deed.task), run: runId };
      case 'setPriority':
        return { answer: await run.setPriority(deed.task, deed.priority), run: runId };
      case 'move':
        return { answer: { ...(await run.moveTo(deed.version)) }, run: runId };
      case 'fork':
        return this.#made(number, await run.fork());
      case 'retry':
        return this.#made(number, await run.retry());
      case 'rerun':
        return this.#made(number, await run.rerunFrom(deed.task));
    }
  }

  #made(number: number, run: Run<unknown>): { answer: string; run: string } {
    if (this.#host.process.isAlive) {
      this.#host.common.runOf.set(number, run.runId);
      this.#host.watch(run);
    }
    return { answer: run.runId, run: run.runId };
  }

  async #lock(id: number, deed: On<'lock'>, orchestrator: Orchestrator): Promise<number> {
    const { lock, holdMs, timeout } = deed;
    const held = await orchestrator.concurrency.acquireLock([lock], { timeout });
    this.#hold(id, holdMs, { lock }, () => held.release());
    return held.token;
  }

  async #grant(id: number, deed: On<'grant'>, orchestrator: Orchestrator): Promise<number> {
    const { resource, amount, holdMs } = deed;
    const held = await orchestrator.resources.allocateResource({ [resource]: amount });
    this.#hold(id, holdMs, { resource: { name: resource, amount } }, () => held.release());
    return amount;
  }

  #hold(id: number, holdMs: number, what: object, release: () => void): void {
    const { common, process } = this.#host;
    const { world } = common;
    const note = (kind: 'host_holds' | 'host_releases'): void =>
      world.note({ kind, process: process.number, t: world.now, id, ...what });
    if (!process.isAlive) return;
    note('host_holds');
    world.after(
      holdMs,
      () => {
        note('host_releases');
        // Closing has taken it back already, perhaps.
        if (this.#host.isClosed) return;
        release();
      },
      process,
    );
  }
}
