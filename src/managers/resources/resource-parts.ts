/**
 * What a resource manager is made of, inside an orchestrator and alone.
 *
 * Owns: nothing. Who may call it: the resource manager, and whoever composes one.
 */
import type { OptimizeParts } from './allocation-plan.ts';
import type { Claims } from './claims.ts';
import type { ResourceUsageParts } from './resource-usage.ts';

/** What a resource manager is made of. */
export interface ResourceManagerParts extends ResourceUsageParts, OptimizeParts {
  readonly claims: Claims;
  /** Called when something may have become free. */
  readonly wake: () => void;
}
