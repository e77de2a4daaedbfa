import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Inbox } from '../../src/managers/workflows/inbox.ts';
import type { Envelope } from '../../src/managers/workflows/live-run.ts';

/** An envelope is looked at by nobody but its receiver, so a number in its place will do. */
function envelope(number: number): Envelope {
  return { number } as unknown as Envelope;
}

function numberOf(given: Envelope): number {
  return (given as unknown as { number: number }).number;
}

/** What a visit of the command with this number does: commands that come behind all, and commands put first. */
type Operation =
  | { readonly type: 'push'; readonly count: number }
  | { readonly type: 'putFirst'; readonly count: number }
  | { readonly type: 'drain'; readonly limit: number; readonly pushes: number; readonly putsFirst: number };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ type: fc.constant('push' as const), count: fc.nat(6) }),
  fc.record({ type: fc.constant('putFirst' as const), count: fc.nat(3) }),
  fc.record({
    type: fc.constant('drain' as const),
    limit: fc.integer({ min: 1, max: 5 }),
    pushes: fc.nat(2),
    putsFirst: fc.nat(1),
  }),
);

describe('Inbox', () => {
  it('hands out every command once, in the order of a simple list', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const inbox = new Inbox();
        let list: number[] = [];
        let next = 0;
        const pushBoth = (): void => {
          inbox.push(envelope(next));
          list.push(next++);
        };
        const putFirstBoth = (count: number): void => {
          const numbers = Array.from({ length: count }, () => next++);
          inbox.putFirst(numbers.map(envelope));
          list = [...numbers, ...list];
        };
        for (const step of operations) {
          if (step.type === 'push') for (let i = 0; i < step.count; i++) pushBoth();
          else if (step.type === 'putFirst') putFirstBoth(step.count);
          else {
            let visits = 0;
            inbox.drain(step.limit, (given) => {
              expect(numberOf(given)).toBe(list.shift());
              if (visits++ > 0) return;
              for (let i = 0; i < step.pushes; i++) pushBoth();
              if (step.putsFirst > 0) putFirstBoth(step.putsFirst);
            });
            expect(visits).toBeLessThanOrEqual(step.limit);
          }
          expect(inbox.size).toBe(list.length);
        }
        while (inbox.size > 0) inbox.drain(3, (given) => expect(numberOf(given)).toBe(list.shift()));
        expect(list).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('leaves what comes during a round for the next one', () => {
    const inbox = new Inbox();
    inbox.push(envelope(1));
    const seen: number[] = [];
    inbox.drain(10, (given) => {
      seen.push(numberOf(given));
      inbox.push(envelope(2));
    });
    expect(seen).toEqual([1]);
    expect(inbox.size).toBe(1);
  });
});
