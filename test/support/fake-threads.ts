/** Threads that a test plays itself: each does one thing when it is told to, in any order, and can die at any moment. */
import { Claims } from '../../src/adapters/worker-threads/claims.ts';
import type { Link, LinkEnd, LinkFactory } from '../../src/adapters/worker-threads/link.ts';
import type {
  CallMessage,
  SessionStart,
  ToHost,
  ToThread,
} from '../../src/adapters/worker-threads/protocol.ts';

/** What all the threads of a test have executed. */
export class ThreadWitness {
  /** The paths of the calls that are executed now, with their threads. */
  readonly executing = new Map<string, FakeThread>();
  /** How often each call was begun, by its path. */
  readonly begun = new Map<string, number>();
  readonly attempts = new Map<string, Set<number>>();
  /** What must never be. */
  readonly wrongs: string[] = [];

  begin(call: CallMessage, thread: FakeThread): void {
    if (this.executing.has(call.path)) this.wrongs.push(`${call.path} is executed twice at the same time`);
    this.executing.set(call.path, thread);
    this.begun.set(call.path, (this.begun.get(call.path) ?? 0) + 1);
    const attempts = this.attempts.get(call.path) ?? new Set();
    this.attempts.set(call.path, attempts.add(call.attempt));
    for (const other of thread.executing) {
      const limit = thread.limitOf(call.name);
      if (other.name !== call.name || limit === 1)
        this.wrongs.push(`${call.path} is executed beside ${other.path}`);
    }
    if (thread.executing.size >= thread.limitOf(call.name))
      this.wrongs.push(`${call.path} is one too many in its thread`);
  }

  end(call: CallMessage): void {
    this.executing.delete(call.path);
  }
}

export class FakeThread implements Link {
  readonly start: SessionStart;
  readonly executing = new Set<CallMessage>();
  readonly aborted: number[] = [];
  isReady = false;
  isKilled = false;
  isOver = false;
  /** Told that nothing more will come. */
  isEnded = false;
  readonly #witness: ThreadWitness;
  readonly #claims: Claims | undefined;
  readonly #onDeath: () => void;
  #listener: (batch: readonly ToHost[]) => void = () => {};
  #onEnd: (end: LinkEnd) => void = () => {};
  #inbox: ToThread[][] = [];
  #waiting: CallMessage[] = [];
  #outbox: ToHost[] = [];

  constructor(start: SessionStart, witness: ThreadWitness, onDeath: () => void) {
    this.start = start;
    this.#witness = witness;
    this.#onDeath = onDeath;
    this.#claims = start.claims === undefined ? undefined : new Claims(start.claims);
  }

  // What the host does.

  post(batch: readonly ToThread[]): void {
    // As the structured clone does: nothing is shared but the memory of the claims.
    for (const message of batch)
      if (message.type === 'call' && message.inputData === UNSENDABLE) throw new Error('cannot be cloned');
    this.#inbox.push([...batch]);
  }

  onBatch(listener: (batch: readonly ToHost[]) => void): void {
    this.#listener = listener;
  }

  onEnd(listener: (end: LinkEnd) => void): void {
    this.#onEnd = listener;
  }

  kill(): void {
    this.isKilled = true;
  }

  // What the thread does.

  limitOf(name: string): number {
    return this.start.concurrent[name] ?? 1;
  }

  /** Loads its module. */
  load(names: readonly string[] = ['any']): void {
    if (this.isReady || this.isOver) return;
    this.isReady = true;
    this.say({ type: 'ready', threadId: 1, names });
    this.flush();
  }

  /** Cannot load its module. */
  refuse(): void {
    if (this.isReady || this.isOver) return;
    this.isReady = true;
    this.say({ type: 'unloadable', error: { kind: 'value', value: 'no such module' } });
    this.flush();
  }

  /** Takes what the host has posted; says whether there was something. */
  take(): boolean {
    const batch = this.#inbox.shift();
    for (const message of batch ?? []) {
      if (message.type === 'call') this.#waiting.push(message);
      else if (message.type === 'abort') this.aborted.push(message.id);
      else if (message.type === 'end') this.isEnded = true;
    }
    return batch !== undefined;
  }

  /** Begins the next call, if it may; says whether one was begun. */
  begin(): boolean {
    if (!this.isReady || this.isOver) return false;
    for (let call = this.#waiting[0]; call !== undefined; call = this.#waiting[0]) {
      const others = [...this.executing];
      const limit = this.limitOf(call.name);
      const mayBegin = others.every(({ name }) => name === call?.name) && others.length < limit;
      if (!mayBegin) return false;
      this.#waiting.shift();
      if (this.#claims !== undefined && !this.#claims.begin(call.slot, call.id)) continue;
      this.#witness.begin(call, this);
      this.executing.add(call);
      if (call.tellsBegin) {
        this.say({ type: 'begun', id: call.id });
        this.flush();
      }
      return true;
    }
    return false;
  }

  /** Ends one of the calls that it executes; what came of it is said, and posted later. */
  finish(index = 0, fails = false): boolean {
    const call = [...this.executing][index % Math.max(1, this.executing.size)];
    if (call === undefined || this.isOver) return false;
    this.executing.delete(call);
    this.#witness.end(call);
    if (fails) this.say({ type: 'failed', id: call.id, error: { kind: 'value', value: 'bad' } });
    else this.say({ type: 'ended', id: call.id, output: call.path, errors: undefined });
    this.#claims?.end(call.slot, call.id);
    return true;
  }

  say(message: ToHost): void {
    this.#outbox.push(message);
  }

  flush(): boolean {
    const batch = this.#outbox;
    this.#outbox = [];
    if (batch.length > 0) this.#listener(batch);
    return batch.length > 0;
  }

  /** Ends as it was told to, or is gone. What it has said and not posted is lost. */
  die(kind: 'crashed' | 'memory' | 'asTold'): boolean {
    if (this.isOver) return false;
    if (kind === 'asTold' && !this.isKilled && !(this.isEnded && this.executing.size === 0)) return false;
    if (kind === 'asTold' && !this.isKilled) this.flush();
    this.isOver = true;
    for (const call of this.executing) this.#witness.end(call);
    this.executing.clear();
    this.#onDeath();
    if (this.isKilled) this.#onEnd({ kind: 'killed' });
    else if (kind === 'asTold') this.#onEnd({ kind: 'ended' });
    else this.#onEnd({ kind, cause: new Error('it died') });
    return true;
  }
}

/** An input that cannot be sent. */
export const UNSENDABLE = 'cannot be sent';

export class FakeThreads implements LinkFactory {
  readonly sharesMemory: boolean;
  readonly witness = new ThreadWitness();
  /** Those that live. */
  readonly living: FakeThread[] = [];
  /** Fails the next start. */
  failsToStart = false;
  started = 0;

  constructor(sharesMemory = true) {
    this.sharesMemory = sharesMemory;
  }

  start(start: SessionStart): Link {
    if (this.failsToStart) throw new Error('no thread can be started');
    this.started++;
    const thread = new FakeThread(start, this.witness, () => {
      this.living.splice(this.living.indexOf(thread), 1);
    });
    this.living.push(thread);
    return thread;
  }

  async close(): Promise<void> {
    for (const thread of [...this.living]) {
      thread.kill();
      thread.die('asTold');
    }
  }
}
