/** A side that expects a message stays awake for it as long as that pays, and not a moment longer. */
import { availableParallelism } from 'node:os';
import { setImmediate as turnOver } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { LOOK_MS, PASSED_OVER_MAX, ShortWait } from '../../../src/adapters/worker-threads/short-wait.ts';
import { canRunPrograms, runProgram } from '../../support/child-program.ts';
import { stage } from '../../support/pool-stage.ts';
import { handlersFile } from '../../support/workers.ts';

/** A wait whose time and turns the test makes. */
function played(processors = 2) {
  const planned: (() => void)[] = [];
  const state = { now: 0, isExpecting: true, turns: 0 };
  const wait = new ShortWait({
    isExpecting: () => state.isExpecting,
    processors,
    now: () => state.now,
    soon: (turn) => planned.push(turn),
  });
  /** One turn of the event loop that takes so long; returns whether it was looked again. */
  const turn = (ms: number): boolean => {
    state.now += ms;
    const next = planned.shift();
    if (next === undefined) return false;
    state.turns++;
    next();
    return true;
  };
  /** Begins a wait that nothing ends; returns whether it was looked at all. */
  const missed = (): boolean => {
    wait.begin();
    const looked = planned.length > 0;
    for (let turns = 0; turns < 100 && turn(LOOK_MS / 4); turns++);
    return looked;
  };
  return { wait, state, turn, missed, isLooking: () => planned.length > 0 };
}

describe('a short wait', () => {
  it('looks in every turn, and ends after its time', () => {
    const { wait, state, turn, isLooking } = played();
    wait.begin();
    for (let turns = 0; turns < 3; turns++) expect(turn(LOOK_MS / 4)).toBe(true);
    expect(isLooking()).toBe(true);
    turn(LOOK_MS / 4);
    expect(isLooking()).toBe(false);
    expect(state.turns).toBe(4);
  });

  it('that was worth it goes on with the next one, for as long as that lasts', () => {
    const { wait, turn, isLooking } = played();
    wait.begin();
    for (let answers = 0; answers < 100; answers++) {
      turn(LOOK_MS * 0.9);
      wait.heard();
      wait.begin();
      expect(isLooking()).toBe(true);
    }
  });

  it('that was not worth it is tried less and less: it costs one look in so many waits', () => {
    const { missed } = played();
    const passedOver: number[] = [];
    for (let wait = 0, since = 0; wait < 500; wait++, since++) {
      if (!missed()) continue;
      if (wait > 0) passedOver.push(since - 1);
      since = 0;
    }
    expect(passedOver.slice(0, 7)).toEqual([1, 2, 4, 8, 16, 32, PASSED_OVER_MAX]);
    expect(new Set(passedOver.slice(7))).toEqual(new Set([PASSED_OVER_MAX]));
  });

  it('is tried each time again after some in a row that were worth it', () => {
    const { wait, turn, missed, isLooking } = played();
    for (let waits = 0; waits < 200; waits++) missed();
    while (!isLooking()) wait.begin();
    for (let answers = 0; answers <= Math.log2(PASSED_OVER_MAX); answers++) {
      turn(LOOK_MS / 2);
      wait.heard();
    }
    while (turn(LOOK_MS));
    expect([missed(), missed(), missed()]).toEqual([false, true, false]);
  });

  it('that was worth it once in a while, by chance, is not tried more for it', () => {
    const { wait, turn, isLooking } = played();
    let looks = 0;
    for (let waits = 0; waits < 1_000; waits++) {
      wait.begin();
      if (!isLooking()) continue;
      looks++;
      if (looks % 5 === 0) {
        turn(LOOK_MS / 2);
        wait.heard();
      }
      while (turn(LOOK_MS));
    }
    expect(looks).toBeLessThan(35);
  });

  it('is made no longer by what is said meanwhile', () => {
    const { wait, turn, isLooking } = played();
    wait.begin();
    for (let turns = 0; turns < 4; turns++) {
      turn(LOOK_MS / 4);
      wait.begin();
    }
    // The last one that began is one that goes by.
    expect(isLooking()).toBe(false);
  });

  it('ends in the next turn when nothing is expected any more', () => {
    const { wait, state, turn, isLooking } = played();
    wait.begin();
    state.isExpecting = false;
    turn(0);
    expect(isLooking()).toBe(false);
  });

  it('that ended because nothing was expected is no reason to try less', () => {
    const { wait, state, turn, missed } = played();
    wait.begin();
    state.isExpecting = false;
    turn(LOOK_MS * 10);
    state.isExpecting = true;
    expect(missed()).toBe(true);
  });

  it('never looks where there is one processor', () => {
    const { wait, missed, isLooking } = played(1);
    for (let waits = 0; waits < 200; waits++) expect(missed()).toBe(false);
    wait.heard();
    wait.begin();
    expect(isLooking()).toBe(false);
  });
});

const looks = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Immediate').length;

describe('the host', () => {
  it('looks while a call is in a thread, and stops when that takes long', async () => {
    const played = stage({});
    onTestFinished(() => played.pool.close());
    const { call } = played.submit('slow');
    await played.turn();
    const before = looks();
    for (const thread of played.links.living) thread.load();
    await played.turn();
    if (availableParallelism() > 1) expect(looks()).toBeGreaterThan(before);
    // Nobody answers: this ends only when it is looked no more.
    await vi.waitUntil(() => looks() <= before, { timeout: 5_000, interval: 1 });
    expect(call.isOver).toBe(false);
  });

  it('stops in the next turn when the call is over', async () => {
    const played = stage({});
    onTestFinished(() => played.pool.close());
    played.submit('quick');
    await played.turn();
    const before = looks();
    await played.finishAll();
    await turnOver();
    expect(looks()).toBeLessThanOrEqual(before);
  });

  it.skipIf(!canRunPrograms)(
    `ends by itself while a thread stays awake for it${canRunPrograms ? '' : ' (skipped: this Node runs no TypeScript)'}`,
    async () => {
      const { code, stdout, stderr } = await runProgram(`
        import { workerHandlers } from ${JSON.stringify(new URL('../../../src/index.ts', import.meta.url).href)};
        const { echo } = workerHandlers(${JSON.stringify(handlersFile('faults.mjs'))}, { idle: '1ms' });
        const orchestrator = await Orchestrator.open();
        for (let i = 0; i < 200; i++) {
          const run = await orchestrator.manageWorkflow(defineWorkflow('one', { tasks: [task('echo', { handler: echo, inputData: i })] }));
          const { outputs } = await run.result();
          if (outputs.echo !== i) throw new Error('wrong');
          await run.release();
        }
        process.on('exit', () => console.log(process.getActiveResourcesInfo().filter((name) => name === 'Immediate').length));
      `);
      expect({ code, stdout: stdout.trim(), stderr }).toEqual({ code: 0, stdout: '0', stderr: '' });
    },
  );
});
