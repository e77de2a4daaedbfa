/**
 * Plays scenes, so many by the second, and knows which have not come to their end.
 *
 * Owns: what is under way. Who may call it: the child.
 */
import type { Orchestrator, Run, SettledRun } from '@taskmaster-ai/orchestrator';
import { digestOf, digestOfTasks } from './digest.ts';
import type { Line } from './protocol.ts';
import { type Act, type Ending, type Outputs, SCENES, type Scene } from './scenes.ts';
import type { Input } from './workload.ts';

/** Scenes under way at once; more than that wait, and the throughput falls. */
const AT_ONCE = 100;
const TICK_MS = 20;
/** Of so many runs one has a key: what is left of a key that is removed stays for ever, and would look like a leak. */
const KEYED_EACH = 60;
/** What could not be started in time is made up for, as far as it is no more than the starts of a second. */
const DEBT_S_MAX = 1;

export interface LoadParts {
  readonly orchestrator: Orchestrator;
  readonly process: number;
  readonly isDurable: boolean;
  /** Scenes by the second. */
  readonly perSecond: number;
  /** A scene that has not ended by then never will, in milliseconds. */
  readonly stuckMs: number;
  readonly random: () => number;
  /** Names of scenes; all if there are none. */
  readonly scenes: readonly string[];
  readonly say: (line: Line) => void;
  /** A run has ended. */
  readonly onEnd: (run: Run) => void;
}

interface Playing {
  readonly scene: string;
  readonly begunAt: number;
  readonly runs: Run[];
  isTold: boolean;
}

export class Load {
  readonly #parts: LoadParts;
  readonly #playing = new Set<Playing>();
  readonly #chosen: readonly Scene[];
  readonly scenes: Record<string, number> = {};
  /** Runs that have ended. */
  finished = 0;
  #n = 0;
  #debt = 0;
  #tickedAt = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(parts: LoadParts) {
    this.#parts = parts;
    this.#chosen = SCENES.filter(({ name }) => parts.scenes.length === 0 || parts.scenes.includes(name));
  }

  begin(): void {
    this.#tickedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Starts nothing more, and waits for what is under way. @returns whether all of it has ended */
  async rest(): Promise<boolean> {
    clearInterval(this.#timer);
    const until = performance.now() + this.#parts.stuckMs + 1_000;
    while (this.#isBusy() && performance.now() < until) {
      this.tellStuck();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return !this.#isBusy();
  }

  /** Says which scenes have been under way for too long, each once. */
  tellStuck(): void {
    const { stuckMs } = this.#parts;
    for (const playing of this.#playing) {
      if (playing.isTold || performance.now() - playing.begunAt < stuckMs) continue;
      playing.isTold = true;
      const runs = playing.runs.map((run) => `${run.runId} (${run.status}): ${whyNot(run)}`);
      this.#fault(`${playing.scene} has not ended after ${stuckMs / 1_000} s: ${runs.join('; ')}`);
    }
  }

  /** Waits for runs that an earlier process has begun. */
  recovered(runs: readonly Run[]): void {
    for (const run of runs) {
      const { act, playing } = this.#enter('recovered');
      playing.runs.push(run);
      this.#follow(playing, async () => {
        // Whoever has paused it is dead.
        await run.resume();
        if (run.workflowId === 'endless') await run.cancel('who has started it is dead');
        await act.end(run, 'completed', 'failed', 'cancelled');
      });
    }
  }

  play(scene: Scene): void {
    const { act, playing } = this.#enter(scene.name);
    this.#follow(playing, () => scene.play(act));
  }

  /** A scene that was told of as stuck is not waited for once more. */
  #isBusy(): boolean {
    for (const { isTold } of this.#playing) if (!isTold) return true;
    return false;
  }

  #tick(): void {
    const now = performance.now();
    const { perSecond } = this.#parts;
    this.#debt = Math.min(this.#debt + ((now - this.#tickedAt) / 1_000) * perSecond, perSecond * DEBT_S_MAX);
    this.#tickedAt = now;
    while (this.#debt >= 1 && this.#playing.size < AT_ONCE) {
      this.#debt--;
      this.play(this.#choose());
    }
  }

  #follow(playing: Playing, play: () => Promise<void>): void {
    play()
      .catch((error: unknown) =>
        this.#fault(`${playing.scene}: ${error instanceof Error ? error.stack : String(error)}`),
      )
      .finally(() => this.#playing.delete(playing));
  }

  #choose(): Scene {
    const weights = this.#chosen.reduce((sum, { weight }) => sum + weight, 0);
    let left = this.#parts.random() * weights;
    for (const scene of this.#chosen) {
      left -= scene.weight;
      if (left < 0) return scene;
    }
    return this.#chosen[0] as Scene;
  }

  #enter(scene: string): { readonly act: Act; readonly playing: Playing } {
    const { orchestrator, isDurable, random } = this.#parts;
    const n = this.#n++;
    const playing: Playing = { scene, begunAt: performance.now(), runs: [], isTold: false };
    this.#playing.add(playing);
    this.scenes[scene] = (this.scenes[scene] ?? 0) + 1;
    const act: Act = {
      ...{ orchestrator, n, isDurable, random },
      start: async (name, options) => {
        const run = await this.#start(name, n, options);
        playing.runs.push(run);
        return run;
      },
      end: (run, ...allowed) => this.#end(run, allowed),
      fault: (what) => this.#fault(what),
    };
    return { act, playing };
  }

  async #start(name: string, n: number, options: Parameters<Act['start']>[1] = {}): Promise<Run> {
    const { orchestrator, process, isDurable, say } = this.#parts;
    const { version, ...settings } = options;
    const { workflow } = orchestrator.workflows.getWorkflow(name, version);
    // A later process can ask for the same run again: what it needs for that is in the key.
    const key = settings.key ?? (n % KEYED_EACH === 0 ? `${process}-${n}-${name}` : undefined);
    const input: Input = { n };
    const run: Run = await orchestrator.manageWorkflow(workflow, {
      ...settings,
      input,
      attributes: { process, name },
      ...(key === undefined ? undefined : { key }),
    });
    if (isDurable && key !== undefined) say({ type: 'key', run: run.runId, key });
    return run;
  }

  async #end(run: Run, allowed: readonly Ending[]): Promise<SettledRun<Outputs>> {
    const { isDurable, say, onEnd } = this.#parts;
    const settled: SettledRun<Outputs> = await run.settled();
    const { status, outputs, error } = settled;
    this.finished++;
    if (!allowed.includes(status))
      this.#fault(`run ${run.runId} of ${run.workflowId} ends as ${status}: ${String(error?.message)}`);
    if (isDurable) say({ type: 'end', run: run.runId, status, digest: digestOfTasks(digests(outputs)) });
    onEnd(run);
    return settled;
  }

  #fault(what: string): void {
    this.#parts.say({ type: 'fault', what: what.slice(0, 2_000) });
  }
}

function digests(outputs: Outputs): Record<string, string> {
  return Object.fromEntries(Object.entries(outputs).map(([path, output]) => [path, digestOf(output)]));
}

function whyNot(run: Run): string {
  return run
    .tasks()
    .filter(({ status }) => status === 'in_progress' || status === 'waiting' || status === 'retrying')
    .map(({ path }) => run.explain(path).text)
    .join(' ');
}
