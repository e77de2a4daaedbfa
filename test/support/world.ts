/**
 * The world around one run, as small as it can be: it carries out commands, keeps what the instructions have left
 * open, and can forget everything but the log, as a crash does.
 */
import type { Refusal, RunCommand } from '../../src/machine/commands.ts';
import type { RunEvent } from '../../src/machine/events.ts';
import { type Instruction, InstructionList } from '../../src/machine/instructions.ts';
import { resume } from '../../src/machine/react.ts';
import { replay, type StoredEvent } from '../../src/machine/replay.ts';
import { initialState, type PlanOf, pathIn, type RunState } from '../../src/machine/state.ts';
import { step } from '../../src/machine/step.ts';
import type { CompiledPlan } from '../../src/model/plan.ts';
import type { Ask } from './ask.ts';
import { failureOf } from './ask.ts';

type WorkKind = 'Schedule' | 'EvaluateCondition' | 'RetryAt' | 'Dispatch';

/** What is open for one task. */
export interface Work {
  readonly kind: WorkKind;
  readonly path: string;
  /** The attempt that runs, or the one to come. */
  readonly attempt: number;
  readonly dueAt: number | undefined;
  /** Why its body was told to stop. */
  stop: string | undefined;
  /** A process before this one may have begun its body. */
  readonly isCutOff: boolean;
}

export interface Told {
  readonly refusal: Refusal | undefined;
  readonly events: readonly RunEvent[];
  readonly instructions: readonly Instruction[];
}

export class World {
  readonly plan: CompiledPlan;
  readonly planOf: PlanOf | undefined;
  state: RunState;
  readonly log: RunEvent[] = [];
  /** By path. */
  work = new Map<string, Work>();
  held = false;
  /** How often the end of the run was told. */
  ends = 0;
  /** How often each attempt was scheduled, as `path 2`. */
  readonly scheduled = new Map<string, number>();
  /** How often a body was begun, by path. */
  readonly bodies = new Map<string, number>();
  /** How often a task may be started again. */
  maxRestarts = 10;
  at = 1_000;

  /** @param planOf - the plans of versions that the run can be moved to */
  constructor(plan: CompiledPlan, planOf?: PlanOf) {
    this.plan = plan;
    this.planOf = planOf;
    this.state = initialState('run-1', plan, planOf);
  }

  /** Gives a command and does what it brings about. */
  ask(ask: Ask): Told {
    const events: RunEvent[] = [];
    const list = new InstructionList();
    const refusal = step(this.state, { ...ask, at: ask.at ?? this.at } as RunCommand, events, list);
    const instructions = list.all;
    this.log.push(...events);
    for (const instruction of instructions) this.#obey(instruction, true);
    for (const event of events) this.#notice(event);
    return { refusal, events, instructions };
  }

  /** Forgets everything but the log, and begins again with what that says. */
  crash(): void {
    this.state = replay('run-1', this.plan, recordsOf(this.log), this.planOf);
    this.work = new Map();
    this.held = false;
    for (const instruction of resume(this.state)) this.#obey(instruction, false);
  }

  /** What is open, one line each, sorted. */
  open(): readonly string[] {
    const lines = [...this.work.values()].map(
      ({ kind, path, attempt, dueAt, stop }) =>
        `${kind} ${path} ${kind === 'EvaluateCondition' ? '' : attempt} ${dueAt ?? ''} ${stop ?? ''}`,
    );
    if (this.held) lines.push('Hold');
    return lines.sort();
  }

  #obey(instruction: Instruction, isLive: boolean): void {
    if (!('scope' in instruction)) {
      if (instruction.type === 'EndRun') this.#end();
      else if (instruction.type === 'Replan') this.#replan();
      else this.held = instruction.type === 'Hold';
      return;
    }
    const { scope, index } = instruction;
    const path = pathIn(scope, index);
    switch (instruction.type) {
      case 'Release':
        this.work.delete(path);
        return;
      case 'Reprioritise':
        return;
      case 'Abort': {
        const body = this.work.get(path);
        if (body?.kind !== 'Dispatch') throw new Error(`nothing to abort at ${path}`);
        body.stop = instruction.cause;
        return;
      }
      default: {
        const known = this.work.get(path);
        const attempt =
          instruction.type === 'Dispatch' ? instruction.attempt : (scope.attempts[index] ?? 0) + 1;
        // Only who asks knows whether the process has ended since: a list of random commands may ask at any time.
        const isAgain = known?.kind === 'Dispatch' && instruction.type === 'Dispatch';
        if (known !== undefined && !isAgain && !mayFollow(known.kind, instruction.type))
          throw new Error(`${instruction.type} at ${path}, where ${known.kind} is open`);
        if (isLive && instruction.type !== 'Dispatch') this.#count(instruction.type, path, attempt);
        const dueAt = instruction.type === 'RetryAt' ? instruction.dueAt : undefined;
        const isCutOff = !isLive && instruction.type === 'Dispatch';
        if (isLive && instruction.type === 'Dispatch')
          this.bodies.set(path, (this.bodies.get(path) ?? 0) + 1);
        this.work.set(path, { kind: instruction.type, path, attempt, dueAt, stop: undefined, isCutOff });
      }
    }
  }

  #count(kind: string, path: string, attempt: number): void {
    const key = `${kind === 'EvaluateCondition' ? 'condition of' : 'start of'} ${path} ${attempt}`;
    this.scheduled.set(key, (this.scheduled.get(key) ?? 0) + 1);
  }

  #notice(event: RunEvent): void {
    // The body of a task whose child scopes are open has nothing more to say.
    if (event.type === 'ScopeOpened') this.work.delete(event.path.replace(/(\[[^/]*\]|#\d+)?$/, ''));
    // The answer was no: there is nothing left to ask.
    if (event.type === 'TaskSkipped') this.work.delete(event.path);
  }

  /** What waits is given anew; what runs goes on. */
  #replan(): void {
    for (const [path, { kind }] of this.work) if (kind !== 'Dispatch') this.work.delete(path);
  }

  #end(): void {
    this.ends++;
    this.work = new Map();
    this.held = false;
  }
}

function mayFollow(before: WorkKind, after: WorkKind): boolean {
  return (
    (before === 'EvaluateCondition' && after === 'Schedule') ||
    ((before === 'Schedule' || before === 'RetryAt') && after === 'Dispatch')
  );
}

/** Events as a store returns them. */
export function recordsOf(log: readonly RunEvent[]): readonly StoredEvent[] {
  return log.map((event) => ({ type: event.type, seq: event.seq, schemaVersion: 1, payload: event }));
}

/** Does what is open until the run has ended; `choose` gives numbers that decide how each thing turns out. */
export function driveToEnd(world: World, choose: () => number, stepsMax = 2_000): number {
  const steps = driveSome(world, choose, stepsMax);
  if (world.ends === 0) throw new Error(`the run did not end in ${stepsMax} steps`);
  return steps;
}

/** The same for a number of steps. */
export function driveSome(world: World, choose: () => number, stepsMax: number): number {
  for (let steps = 0; steps < stepsMax; steps++) {
    if (world.ends > 0) return steps;
    const [next] = [...world.work.values()]
      .sort((a, b) => compare(a.path, b.path))
      .slice(choose() % Math.max(1, world.work.size));
    if (world.held && (next === undefined || next.kind === 'Schedule' || next.kind === 'RetryAt')) {
      must(world, { type: 'ResumeRun' });
      continue;
    }
    if (next === undefined) throw new Error(`nothing is open, and the run is ${world.state.status}`);
    for (const ask of answersTo(world, next, choose())) must(world, ask);
  }
  return stepsMax;
}

function must(world: World, ask: Ask): void {
  world.at += 7;
  const { refusal } = world.ask(ask);
  if (refusal !== undefined) throw new Error(`${ask.type} was refused: ${refusal.message}`);
}

function answersTo(
  world: World,
  { kind, path, attempt, stop, isCutOff }: Work,
  chance: number,
): readonly Ask[] {
  if (isCutOff && stop === undefined)
    return [{ type: 'RestartTask', path, attempt, maxRestarts: world.maxRestarts }];
  switch (kind) {
    case 'Schedule':
      return [{ type: 'StartTask', path }];
    case 'RetryAt':
      return chance % 5 === 0
        ? [{ type: 'ExpireTask', path, failure: failureOf('expired') }]
        : [{ type: 'StartTask', path }];
    case 'EvaluateCondition':
      return [{ type: 'RecordCondition', path, result: chance % 3 > 0 }];
    case 'Dispatch':
      if (stop !== undefined && chance % 2 === 0)
        return [{ type: 'AbandonTask', path, attempt, retry: true, random: 0 }];
      if (stop === undefined && chance % 4 > 0 && opensScopes(world, path))
        return scopesFor(world, path, chance);
      return chance % 3 === 0
        ? [{ type: 'ReportFailure', path, attempt, failure: failureOf('broke'), retry: true, random: 0 }]
        : [{ type: 'ReportSuccess', path, attempt, output: path }];
  }
}

function opensScopes(world: World, path: string): boolean {
  const slash = path.lastIndexOf('/');
  const scope = slash < 0 ? world.state.scopes[0] : world.state.scopeByPrefix.get(path.slice(0, slash));
  const isOpened = world.log.some(
    (event) =>
      event.type === 'ScopeOpened' &&
      /^(\[[^/]*\]|#\d+)?$/.test(event.path.slice(path.length)) &&
      event.path.startsWith(path),
  );
  const mayOpen = !world.state.halted && world.state.cancelReason === undefined;
  return mayOpen && !isOpened && scope?.plan.children?.has(path.slice(slash + 1)) === true;
}

function scopesFor(world: World, path: string, chance: number): readonly Ask[] {
  if (chance % 3 === 0) return [{ type: 'OpenScope', path }];
  if (chance % 3 === 1) return [{ type: 'OpenScope', path: `${path}#3` }];
  // A scope without tasks is folded at once and completes its task, so that a second one would come too late.
  const items = childSizeOf(world, path) === 0 ? ['doc-17'] : ['doc-17', 'doc-4', '__proto__'];
  return items.map((item) => ({ type: 'OpenScope', path: `${path}[${item}]` }));
}

function childSizeOf(world: World, path: string): number | undefined {
  const slash = path.lastIndexOf('/');
  const scope = slash < 0 ? world.state.scopes[0] : world.state.scopeByPrefix.get(path.slice(0, slash));
  return scope?.plan.children?.get(path.slice(slash + 1))?.size;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
