/** What a handler may give back and a run may be given, on every store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineWorkflow, type EventStore, type OrchestratorError, task } from '@taskmaster-ai/orchestrator';
import { afterAll, describe, expect, it } from 'vitest';
import { difference, guarded } from '../../support/codec-samples.ts';
import { rejection } from '../../support/errors.ts';
import {
  expectRefused,
  lateProxy,
  revokedProxy,
  throwingProxy,
  withThrowingGetter,
} from '../../support/refusals.ts';
import { unless } from '../../support/sqlite.ts';
import { STORES } from '../../support/stores-here.ts';
import { openVirtual } from '../../support/virtual-orchestrator.ts';

const folder = mkdtempSync(join(tmpdir(), 'values-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let places = 0;

class Account {
  readonly id = 1;
}

function cyclic(): object {
  const value: Record<string, unknown> = { list: [] };
  (value.list as unknown[]).push(value);
  return value;
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i += 1) value = [value];
  return value;
}

const shared = { id: 1 };

/** What comes back as it was, also where JSON would change it. */
const CARRIED: readonly (readonly [what: string, value: unknown])[] = [
  ['undefined', undefined],
  ['undefined inside', { a: undefined, b: [undefined] }],
  ['null', null],
  ['a bigint', -(10n ** 40n)],
  ['a map', new Map<unknown, unknown>([[{ key: 1 }, new Map([['a', new Date(1)]])]])],
  ['a set', new Set([1, 'a', [2]])],
  ['a date', new Date(1_700_000_000_000)],
  ['an invalid date', new Date(Number.NaN)],
  ['NaN', Number.NaN],
  ['infinity', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
  ['minus zero', -0],
  ['a Buffer', Buffer.from('bytes')],
  ['an array of floats', Float64Array.of(0.5, -0)],
  ['an error', new TypeError('odd', { cause: new Error('why') })],
  ['an object in two places', { first: shared, second: [shared] }],
  ['a lone surrogate and a NUL', '\ud800 \u0000'],
  ['what looks like a tag of the store', [['~u'], '~', { '~d': 1 }]],
  ['a key __proto__', JSON.parse('{"__proto__":{"isAdmin":true}}')],
  ['an own toJSON that is data', { toJSON: 'text' }],
  ['100 levels', nested(100)],
];

/** What is refused at its place; each is made anew, as some are spoilt by being read. */
const REFUSED: readonly (readonly [what: string, make: () => unknown, pointer: string])[] = [
  ['a function', () => () => 1, ''],
  ['a function inside', () => ({ a: [() => 1] }), '/a/0'],
  ['a symbol', () => Symbol('s'), ''],
  ['a symbol key', () => ({ a: { [Symbol('s')]: 1 } }), '/a'],
  ['a cycle', cyclic, '/list/0'],
  ['a class instance', () => ({ account: new Account() }), '/account'],
  ['a proxy that throws', () => [throwingProxy()], '/0'],
  ['a proxy that throws late', () => ({ a: lateProxy({ b: 1 }) }), '/a'],
  ['a revoked proxy', () => ({ a: revokedProxy() }), '/a'],
  ['a regular expression', () => [/x/], '/0'],
  ['a depth of 5,000', () => nested(5_000), '/0'.repeat(100)],
  ['a toJSON that throws', () => ({ a: { toJSON: () => expect.unreachable() } }), '/a/toJSON'],
  ['a getter that throws', () => ({ a: withThrowingGetter('b') }), '/a/b'],
  [
    'a getter that changes what it is in',
    () => {
      let count = 0;
      return Object.defineProperty({}, 'next', { enumerable: true, get: () => count++ });
    },
    '/next',
  ],
];

/** More than the 64 MiB of a value; the text is made of parts that take no memory of their own. */
const HUGE = 'x'.repeat(300 * 1024 * 1024);

describe.each(STORES)('$name', (kind) => {
  describe.skipIf(kind.missing !== undefined)(unless(kind.missing, 'values of the host'), () => {
    const at = (): string => join(folder, `store-${places++}`);
    const echo = (make: (input: unknown) => unknown) =>
      defineWorkflow('echo', { tasks: [task('give', { run: ({ input }) => make(input) })] });
    const opened = (store: EventStore) => openVirtual({ store, workflows: [echo((input) => input)] });

    it('A13 results and inputs come back as they were, in this process and in the next one', async () => {
      const place = at();
      const first = await opened(kind.open(place));
      const runs: (readonly [what: string, value: unknown, runId: string])[] = [];
      for (const [what, value] of CARRIED) {
        const run = await first.orchestrator.manageWorkflow(
          echo((input) => input),
          { input: value },
        );
        const { outputs } = await run.result();
        expect(difference(outputs.give, guarded(value)), what).toBeUndefined();
        runs.push([what, value, run.runId]);
      }
      await first.orchestrator.close();
      const second = await opened(kind.open(place));
      for (const [what, value, runId] of runs) {
        const { tasks, input } = await second.orchestrator.persistence.loadState(runId);
        expect(difference(tasks[0]?.output, guarded(value)), what).toBeUndefined();
        expect(difference(input, guarded(value)), what).toBeUndefined();
      }
    });

    it('A13 A14 results and inputs that cannot be carried are refused at their place', async () => {
      const { orchestrator } = await opened(kind.open(at()));
      for (const [what, make, pointer] of REFUSED) {
        const place = pointer === '' ? '' : ` ${pointer}`;
        const run = await orchestrator.manageWorkflow(echo(make));
        const { status, error } = await run.settled();
        expect(status, what).toBe('failed');
        expectRefused(
          error?.cause as OrchestratorError,
          'VALUE_UNSERIALISABLE',
          `output of task "give"${place}`,
        );
        run.release();
        const input = make();
        const refused = await rejection(
          orchestrator.manageWorkflow(
            echo(() => 1),
            { input },
          ),
        );
        expectRefused(refused, 'VALUE_UNSERIALISABLE', `input of workflow "echo"${place}`);
        expect(orchestrator.runs(), what).toEqual([]);
      }
    });

    it('A13 a text of 600 MB is refused, and not copied before', async () => {
      const { orchestrator } = await opened(kind.open(at()));
      const run = await orchestrator.manageWorkflow(echo(() => ({ text: HUGE })));
      const { error } = await run.settled();
      expect(error?.cause).toMatchObject({ code: 'VALUE_UNSERIALISABLE' });
      const refused = await rejection(
        orchestrator.manageWorkflow(
          echo(() => 1),
          { input: [HUGE] },
        ),
      );
      expect(refused.code).toBe('VALUE_UNSERIALISABLE');
    });

    it('A15 what is changed after it was given changes nothing that is stored', async () => {
      const place = at();
      const first = await opened(kind.open(place));
      const input = { list: [1], at: new Date(1), map: new Map([['a', [1]]]) };
      const result = { list: [2], set: new Set([1]) };
      const workflow = echo(() => result);
      const run = await first.orchestrator.manageWorkflow(workflow, { input });
      input.list.push(2);
      input.at.setTime(2);
      input.map.get('a')?.push(2);
      const { outputs } = await run.result();
      result.list.push(3);
      result.set.add(2);
      (outputs.give as typeof result).set.add(3);
      const again = await first.orchestrator.manageWorkflow(workflow, { input });
      await again.result();
      await first.orchestrator.close();
      const { orchestrator } = await opened(kind.open(place));
      const [one, two] = await Promise.all(
        [run, again].map(({ runId }) => orchestrator.persistence.loadState(runId)),
      );
      expect(one?.input).toEqual({ list: [1], at: new Date(1), map: new Map([['a', [1]]]) });
      expect(one?.tasks[0]?.output).toEqual({ list: [2], set: new Set([1]) });
      expect(two?.input).toEqual({ list: [1, 2], at: new Date(2), map: new Map([['a', [1, 2]]]) });
      expect(two?.tasks[0]?.output).toEqual({ list: [2, 3], set: new Set([1, 2]) });
    });
  });
});
