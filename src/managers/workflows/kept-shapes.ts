/**
 * Keeps one small run alive for as long as the process.
 *
 * V8 forgets the hidden class of an object when no object of that class is left, and with it all optimised code
 * that relied on it. An orchestrator that has gone idle would so start slowly again after each full collection.
 * One example of each kind of object on the path of a task prevents that.
 *
 * Owns: a run of two tasks that is in no table and never runs. Who may call it: the composition, once.
 *
 * KS1  Nothing here is ever started, listened to or stored.
 */
import { Batch } from '../../base/batch.ts';
import type { RunEvent } from '../../machine/events.ts';
import { InstructionList } from '../../machine/instructions.ts';
import type { ScopeState } from '../../machine/state.ts';
import { step } from '../../machine/step.ts';
import { compile } from '../../model/compile.ts';
import { defineWorkflow, task } from '../../model/define.ts';
import type { Executor } from '../../ports/executor.ts';
import { Ledger } from '../resources/ledger.ts';
import { NeedsBook } from '../scheduling/needs-book.ts';
import { Ticket } from '../scheduling/ticket.ts';
import { Attempt, type AttemptServices } from './attempt.ts';
import { CommitGroup } from './commit-group.ts';
import { LiveRun } from './live-run.ts';

const kept: unknown[] = [];

/** Makes the examples, the first time it is called. */
export function keepShapes(services: AttemptServices, executor: Executor): void {
  if (kept.length === 0) kept.push(...examples(services, executor));
}

function examples(services: AttemptServices, executor: Executor): readonly unknown[] {
  const first = task('first', { run: () => undefined });
  const plan = compile(
    defineWorkflow('shapes', {
      tasks: [task('second', { dependencies: ['first'], run: () => undefined }), first],
    }),
  );
  const ledger = new Ledger();
  const run = new LiveRun({
    runId: 'shapes',
    plan,
    bound: new NeedsBook(ledger, undefined, new Map()).bind(plan),
    submission: 0,
  });
  const events = new Batch<RunEvent>();
  const instructions = new InstructionList();
  step(
    run.state,
    { type: 'StartRun', at: 0, workflowVersion: 1, input: undefined, priority: 0 },
    events,
    instructions,
  );
  const scope = run.state.scopes[0] as ScopeState;
  const ticket = new Ticket(run, scope, 0, 0);
  run.setTicket(scope, 0, ticket);
  const attempt = new Attempt(run, ticket, first.run, executor, services);
  return [run, ledger, events, instructions, attempt, new CommitGroup()];
}
