import { Ledger } from '../managers/resources/ledger.ts';
import type { ResourceSpec } from './limit-options.ts';

/** A ledger with these resources. */
export function ledgerOf(resources: readonly ResourceSpec[]): Ledger {
  const ledger = new Ledger();
  for (const { name, kind, capacity, perMs } of resources)
    ledger.declare({
      key: `resource:${name}`,
      name,
      kind,
      capacity,
      ...(perMs === undefined ? undefined : { perMs }),
    });
  return ledger;
}
