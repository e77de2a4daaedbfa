/** Orchestrators in virtual time, closed when the test that opened them has ended. */
import { Orchestrator, type OrchestratorOptions } from '@taskmaster-ai/orchestrator';
import { VirtualClock } from '@taskmaster-ai/orchestrator/testing';
import { onTestFinished } from 'vitest';

export interface VirtualOrchestrator {
  readonly orchestrator: Orchestrator;
  readonly clock: VirtualClock;
}

/** An orchestrator whose time passes by itself whenever there is nothing left to do but wait. */
export async function openVirtual(options: OrchestratorOptions = {}): Promise<VirtualOrchestrator> {
  return openWith(new VirtualClock(), options);
}

/** An orchestrator whose time stands still until the test calls `clock.advance`. */
export async function openStill(options: OrchestratorOptions = {}): Promise<VirtualOrchestrator> {
  return openWith(new VirtualClock({ auto: false }), options);
}

async function openWith(clock: VirtualClock, options: OrchestratorOptions): Promise<VirtualOrchestrator> {
  const orchestrator = await Orchestrator.open({ ...options, clock });
  onTestFinished(() => orchestrator.close({ grace: 0 }));
  return { orchestrator, clock };
}
