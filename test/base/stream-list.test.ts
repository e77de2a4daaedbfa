/** Lists of streams against a plain model, and what a page of one costs. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { StreamList } from '../../src/base/stream-list.ts';
import { countWork } from '../support/count-work.ts';

vi.hoisted(async () => (await import('../support/count-work.ts')).startCounting());

interface Facts {
  readonly workflowId: string;
  readonly status: string;
  readonly startedAt: number;
}

interface Entry {
  readonly name: string;
  readonly order: number;
  facts: Facts | undefined;
}

const STATUSES = ['going', 'done', 'failed', 'cancelled'];
const factsWith = (status: string): Facts => ({ workflowId: 'w', status, startedAt: 1 });
const entryOf = (order: number): Entry => ({ name: `run:${order}`, order, facts: undefined });

/** All but every hundredth have ended. */
function listOf(count: number): { readonly list: StreamList<Facts, Entry>; readonly entries: Entry[] } {
  const list = new StreamList<Facts, Entry>();
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    const entry = entryOf(i + 1);
    entries.push(entry);
    list.add(entry);
    list.setFacts(entry, factsWith('going'));
  }
  // They end in another order than that in which they began.
  for (let i = 0; i < count; i++) {
    const entry = entries[(i * 7_919) % count] as Entry;
    if (entry.order % 100 > 0) list.setFacts(entry, factsWith(STATUSES[1 + (i % 3)] as string));
  }
  return { list, entries };
}

/** The same page, of searches that look at few each. */
function inSlices(
  list: StreamList<Facts, Entry>,
  asked: { readonly prefix: string; readonly limit: number; readonly statuses: string[] | undefined },
  behind: number,
  looks: number,
): Entry[] {
  const page: Entry[] = [];
  for (let at = behind; at < Number.POSITIVE_INFINITY && page.length < asked.limit; ) {
    const { found, reached } = list.find({ ...asked, limit: asked.limit - page.length }, at, looks);
    page.push(...found);
    at = reached;
  }
  return page;
}

describe('streams by their status', () => {
  it('given any changes, then every page is that of a plain list', () => {
    const step = fc.record({
      act: fc.constantFrom('add', 'change', 'change', 'remove'),
      pick: fc.nat(),
      status: fc.constantFrom(...STATUSES),
    });
    const page = fc.record({
      statuses: fc.option(fc.array(fc.constantFrom(...STATUSES, 'none'), { maxLength: 4 }), {
        nil: undefined,
      }),
      behind: fc.nat(2_000),
      limit: fc.integer({ min: 1, max: 30 }),
    });
    fc.assert(
      fc.property(fc.nat(1_500), fc.array(step, { maxLength: 300 }), fc.array(page), (many, steps, pages) => {
        const { list, entries } = listOf(many);
        let orders = many;
        for (const { act, pick, status } of steps) {
          const entry = entries[pick % Math.max(1, entries.length)];
          if (act === 'add' || entry === undefined) {
            // Also out of order, as a log that is read anew gives them.
            const added = entryOf(++orders + (pick % 3 === 0 ? 0.5 : 0) - (pick % 5 === 0 ? 40.25 : 0));
            if (entries.some(({ order }) => order === added.order)) continue;
            entries.push(added);
            list.add(added);
          } else if (act === 'change') list.setFacts(entry, factsWith(status));
          else {
            entries.splice(entries.indexOf(entry), 1);
            list.remove(entry);
            list.remove(entry);
          }
        }
        entries.sort((a, b) => a.order - b.order);
        for (const { statuses, behind, limit } of pages) {
          const fitting = entries.filter(
            ({ order, facts }) =>
              order > behind && (statuses === undefined || statuses.includes(facts?.status ?? '')),
          );
          const asked = { prefix: '', limit, statuses };
          expect(list.find(asked, behind).found).toEqual(fitting.slice(0, limit));
          expect(inSlices(list, asked, behind, 1 + (many % 7))).toEqual(fitting.slice(0, limit));
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['most', ['done', 'failed', 'cancelled']],
    ['all', undefined],
    ['few', ['going']],
  ])(
    'given a request for %s of them, then a page costs its length, however many there are',
    (_, statuses) => {
      const measure = (count: number): number => {
        const { list } = listOf(count);
        return countWork(() => {
          const { found: page } = list.find({ prefix: 'run:', limit: 50, statuses }, count / 4);
          expect(page).toHaveLength(50);
        });
      };
      const [small, large] = [measure(8_000), measure(64_000)];
      expect(large / small).toBeLessThan(1.2);
    },
  );

  it('given many, then ending or removing one costs about the same as among few', () => {
    const measure = (count: number): number => {
      const { list, entries } = listOf(count);
      return countWork(() => {
        for (let i = 0; i < 200; i++) {
          const entry = entries[(i * 104_729) % count] as Entry;
          list.setFacts(entry, factsWith('going'));
          list.setFacts(entry, factsWith('done'));
          list.remove(entry);
        }
      });
    };
    const [small, large] = [measure(8_000), measure(64_000)];
    expect(large / small).toBeLessThan(1.8);
  });
});
