/** Calls wait first come first served; one at its handler's limit stands aside and holds nobody back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Call } from '../../../src/adapters/worker-threads/call.ts';
import { CallQueue } from '../../../src/adapters/worker-threads/call-queue.ts';
import { invocationOf, moduleOf, NO_LIMITS } from '../../support/pool-stage.ts';

/** None was started yet: one may be. */
const NO_THREADS: ReadonlySet<never> = new Set<never>();
const few = { ...NO_LIMITS, concurrency: 2 };
const short = { ...NO_LIMITS, queue: 2 };

const callOf = (name: string, limits = NO_LIMITS): Call => new Call(invocationOf(name), limits, () => {});

function next(queue: CallQueue): Call | undefined {
  const call = queue.peek();
  if (call !== undefined) queue.shift();
  return call;
}

describe('the calls that wait', () => {
  it('go in the order of their arrival, what came back from a dead thread first', () => {
    const queue = new CallQueue(moduleOf({}), NO_THREADS);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => callOf(name)) as [Call, Call, Call, Call];
    for (const call of [a, b, c, d]) expect(queue.push(call)).toBeUndefined();
    expect([next(queue), next(queue)]).toEqual([a, b]);
    queue.putBack([a, b]);
    expect(queue.size).toBe(4);
    expect([next(queue), next(queue), next(queue), next(queue), next(queue)]).toEqual([
      a,
      b,
      c,
      d,
      undefined,
    ]);
  });

  it('that came back go in front of those that came back before', () => {
    const queue = new CallQueue(moduleOf({}), NO_THREADS);
    const [a, b] = [callOf('a'), callOf('b')];
    queue.putBack([a]);
    queue.putBack([b]);
    expect([next(queue), next(queue)]).toEqual([b, a]);
  });

  it('of a handler at its limit stand aside', () => {
    const queue = new CallQueue(moduleOf({}), NO_THREADS);
    const [one, two, three, other] = [
      callOf('few', few),
      callOf('few', few),
      callOf('few', few),
      callOf('any'),
    ];
    for (const call of [one, two, three, other]) queue.push(call);
    expect([next(queue), next(queue), next(queue), next(queue)]).toEqual([one, two, other, undefined]);
    expect(queue.size).toBe(1);
    expect(queue.over(other)).toBe(false);
    expect(queue.over(one)).toBe(true);
    expect(next(queue)).toBe(three);
    expect(queue.over(one)).toBe(false);
    expect([queue.over(two), queue.over(three), queue.size]).toEqual([false, false, 0]);
  });

  it('go when those ahead of them came back from a dead thread and left', () => {
    const queue = new CallQueue(moduleOf({}), NO_THREADS);
    const [one, two, three] = [callOf('few', few), callOf('few', few), callOf('few', few)];
    for (const call of [one, two, three]) queue.push(call);
    expect([next(queue), next(queue), next(queue)]).toEqual([one, two, undefined]);
    queue.putBack([one, two]);
    expect([queue.remove(one), queue.remove(two)]).toEqual([true, true]);
    expect(next(queue)).toBe(three);
  });

  it('are refused beyond the limit of the module, and beyond that of their handler', () => {
    const queue = new CallQueue(moduleOf({ queue: 3 }), NO_THREADS);
    // A thread is free for the first.
    for (let i = 0; i < 3; i++) expect(queue.push(callOf('short', short))).toBeUndefined();
    expect(queue.push(callOf('short', short))).toMatchObject({
      code: 'QUEUE_FULL',
      details: { limit: 2, handler: 'short' },
    });
    expect(queue.push(callOf('any'))).toBeUndefined();
    expect(queue.push(callOf('any'))).toMatchObject({
      code: 'QUEUE_FULL',
      details: { limit: 3, handler: 'any' },
    });
    expect(queue.size).toBe(4);
  });

  it('can leave from anywhere', () => {
    const queue = new CallQueue(moduleOf({}), NO_THREADS);
    const calls = [callOf('few', few), callOf('few', few), callOf('few', few), callOf('any')];
    for (const call of calls) queue.push(call);
    queue.shift();
    queue.shift();
    queue.peek();
    expect(calls.map((call) => queue.remove(call))).toEqual([false, false, true, true]);
    expect(queue.drain()).toEqual([]);
  });

  it('keep books that agree with what happened, whatever that was', () => {
    const step = fc.record({
      does: fc.constantFrom('push', 'next', 'over', 'back', 'remove'),
      n: fc.nat(30),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new CallQueue(moduleOf({ queue: 20 }), NO_THREADS);
        const waiting = new Set<Call>();
        const underWay: Call[] = [];
        for (const { does, n } of steps) {
          if (does === 'push') {
            const call = n % 3 === 0 ? callOf('few', few) : callOf('any');
            if (queue.push(call) === undefined) waiting.add(call);
            // Those that may wait, and the one for which a thread is free.
            else expect(waiting.size).toBe(21);
          } else if (does === 'next') {
            const call = next(queue);
            if (call !== undefined) {
              expect(waiting.delete(call)).toBe(true);
              underWay.push(call);
            } else for (const left of waiting) expect(left.limits).toBe(few);
          } else if (does === 'remove') {
            const call = [...waiting][n % Math.max(1, waiting.size)];
            if (call !== undefined) expect(queue.remove(call)).toBe(waiting.delete(call));
          } else {
            const [call] = underWay.splice(n % Math.max(1, underWay.length), 1);
            if (call !== undefined && does === 'back') {
              queue.putBack([call]);
              waiting.add(call);
            } else if (call !== undefined) queue.over(call);
          }
          expect(queue.size).toBe(waiting.size);
          expect(underWay.filter(({ limits }) => limits === few).length).toBeLessThanOrEqual(2);
        }
        // Given that all is over, nothing keeps what still waits.
        for (const call of underWay.splice(0)) queue.over(call);
        for (let call = next(queue); call !== undefined; call = next(queue)) {
          expect(waiting.delete(call)).toBe(true);
          queue.over(call);
        }
        expect([queue.size, waiting.size]).toEqual([0, 0]);
      }),
    );
  });
});
