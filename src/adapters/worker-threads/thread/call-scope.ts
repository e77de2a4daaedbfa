/**
 * The async context (`AsyncLocalStorage`) in which the calls of a thread start: that of the session, whatever the message
 * or the call was that made room for them.
 *
 * Owns: the context of the session. Who may call it: the thread session.
 *
 * CS1  No call sees what another has left there, not even by `enterWith`.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

export class CallScope {
  readonly #session = resource();
  /** Before Node 24 stores hang on the resource, so each call then needs a resource of its own. */
  readonly #isShared = sharesOneStore();

  /** Calls a function of two arguments in a clean context. */
  run<First, Second>(call: (first: First, second: Second) => void, first: First, second: Second): void {
    const scope = this.#isShared ? this.#session.runInAsyncScope(resource) : this.#session;
    scope.runInAsyncScope(call, undefined, first, second);
  }
}

function resource(): AsyncResource {
  // No destroy hook: nobody waits for the end of it.
  return new AsyncResource('TaskmasterThread', { requireManualDestroy: true });
}

/** Whether `enterWith` in one scope of a resource is seen in its next one. */
function sharesOneStore(): boolean {
  const probe = new AsyncLocalStorage<boolean>();
  const probed = resource();
  probed.runInAsyncScope(() => probe.enterWith(true));
  const isShared = probed.runInAsyncScope(() => probe.getStore()) === true;
  probe.disable();
  return isShared;
}
