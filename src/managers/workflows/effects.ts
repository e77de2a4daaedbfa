/**
 * What is to be done in the world once an append is durable, in the order in which it was decided.
 *
 * Owns: two lists of equal length. Who may call it: the run loop.
 *
 * EF1  Over all runs, effects keep the order of their decisions, so that bodies start in the order of admission.
 */
import type { Instruction } from '../../machine/instructions.ts';
import type { LiveRun } from './live-run.ts';

export class Effects {
  readonly runs: LiveRun[] = [];
  readonly instructions: Instruction[] = [];

  get size(): number {
    return this.runs.length;
  }

  push(run: LiveRun, instruction: Instruction): void {
    this.runs.push(run);
    this.instructions.push(instruction);
  }

  /** Forgets the effects of one run. */
  drop(run: LiveRun): void {
    let kept = 0;
    for (let i = 0; i < this.runs.length; i++) {
      if (this.runs[i] === run) continue;
      this.runs[kept] = this.runs[i] as LiveRun;
      this.instructions[kept] = this.instructions[i] as Instruction;
      kept++;
    }
    this.runs.length = kept;
    this.instructions.length = kept;
  }
}
