/**
 * Checks what a persistence manager is constructed with: it is used by hosts, too.
 *
 * Owns: nothing. Who may call it: the persistence manager.
 */
import { invalidOption, reading } from '../../model/checks.ts';
import type { EventStore } from '../../ports/event-store.ts';

/**
 * Checks what a persistence manager is constructed with.
 * @throws OrchestratorError `OPTION_INVALID`
 */
export function checkGiven(store: unknown, owner: unknown): void {
  const at = 'new PersistenceManager';
  const allowed = 'an EventStore, such as new MemoryStore()';
  const isStore = (): boolean => {
    const { append, read, claim } = (store ?? {}) as Partial<EventStore>;
    return [append, read, claim].every((method) => typeof method === 'function');
  };
  if (!reading(`${at}/store`, allowed, isStore)) throw invalidOption(`${at}/store`, store, allowed);
  if (typeof owner !== 'string' || owner === '')
    throw invalidOption(`${at}/owner`, owner, 'a name that nobody else claims the store by');
}
