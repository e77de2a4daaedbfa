/**
 * The harness's side of a peer's process: starts it, asks it one thing at a time, ends it. A process that dies
 * (out of memory, stack overflow outside a promise), or that does not answer in time, is a refusal of the request
 * under way, never a hang.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { PeerName } from './adapter.ts';
import type { Envelope, Reply, RequestKind, Requests } from './peer-process.ts';

/** Far above the slowest peer's largest graph: only what never ends gets here. */
const ANSWER_MS_MAX = 300_000;

export class Peer<Name extends string = PeerName> {
  readonly name: Name;
  private readonly child: ChildProcess;
  private settle: ((reply: Reply) => void) | undefined;

  constructor(name: Name) {
    this.name = name;
    this.child = fork(new URL('./peer-process.ts', import.meta.url), [name], {
      // Collections are asked for between samples; compiled code that was idle for some must survive them.
      execArgv: ['--expose-gc', '--no-flush-bytecode'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.child.on('message', (reply) => this.finish(reply as Reply));
    this.child.on('exit', (code, signal) => {
      this.finish({ ok: false, error: `its process ended with ${signal ?? `code ${code}`}` });
    });
  }

  async ask<Kind extends RequestKind>(
    kind: Kind,
    ask: Requests[Kind]['ask'],
  ): Promise<Requests[Kind]['answer']> {
    if (this.settle !== undefined) throw new Error(`${this.name} is still busy`);
    if (this.child.exitCode !== null) throw new Error(`the process of ${this.name} has ended`);
    const overdue = setTimeout(() => this.child.kill('SIGKILL'), ANSWER_MS_MAX);
    const reply = await new Promise<Reply>((resolve) => {
      this.settle = resolve;
      const envelope: Envelope = { kind, ask };
      this.child.send(envelope);
    });
    clearTimeout(overdue);
    if (!reply.ok) throw new Error(`${this.name}, ${kind} ${JSON.stringify(ask)}: ${reply.error}`);
    return reply.value as Requests[Kind]['answer'];
  }

  /** An idle orchestrator may hold open handles, so the process is ended, not waited for. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.kill('SIGKILL');
    await exited;
  }

  private finish(reply: Reply): void {
    const settle = this.settle;
    this.settle = undefined;
    settle?.(reply);
  }
}

/** One request to a process that did nothing before and does nothing after. */
export async function askFresh<Kind extends RequestKind>(
  name: PeerName,
  kind: Kind,
  ask: Requests[Kind]['ask'],
): Promise<Requests[Kind]['answer']> {
  const peer = new Peer(name);
  try {
    return await peer.ask(kind, ask);
  } finally {
    await peer.stop();
  }
}
