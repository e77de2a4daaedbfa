/** A call is begun by its thread or taken back by its host, never both; a place is never mistaken for another call's. */
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { Claims, PLACES, placesFor } from '../../../src/adapters/worker-threads/claims.ts';

const LAST_ID = 0x1fff_ffff;

describe('claims', () => {
  it('give a call to who comes first', () => {
    const host = new Claims();
    const thread = new Claims(host.memory);
    host.put(3, 7);
    expect(thread.begin(3, 7)).toBe(true);
    expect([host.takeBack(3, 7), thread.begin(3, 7)]).toEqual([false, false]);
    expect(host.isBegun(3, 7)).toBe(true);
    thread.end(3, 7);
    expect([host.isBegun(3, 7), host.takeBack(3, 7), thread.begin(3, 7)]).toEqual([false, false, false]);
    host.put(3, 8);
    expect(host.takeBack(3, 8)).toBe(true);
    expect([thread.begin(3, 8), host.takeBack(3, 8), host.isBegun(3, 8)]).toEqual([false, false, false]);
  });

  it('tell a call whose place went to another that it was taken back', () => {
    const host = new Claims();
    const thread = new Claims(host.memory);
    host.put(0, 1);
    host.takeBack(0, 1);
    host.put(0, 2);
    expect(thread.begin(0, 1)).toBe(false);
    expect(thread.begin(0, 2)).toBe(true);
    // The end of the earlier one, said late, is not that of this one.
    thread.end(0, 1);
    expect(host.isBegun(0, 2)).toBe(true);
  });

  it('know the last number before the numbers begin anew from the first after it', () => {
    const host = new Claims();
    const thread = new Claims(host.memory);
    for (const [id, other] of [
      [LAST_ID, 0],
      [0, 1],
      [LAST_ID - 1, LAST_ID],
    ] as const) {
      host.put(9, id);
      expect([thread.begin(9, other), host.takeBack(9, other), host.isBegun(9, other)]).toEqual([
        false,
        false,
        false,
      ]);
      expect(thread.begin(9, id)).toBe(true);
      thread.end(9, id);
    }
  });

  it('have a word of their own for each place', () => {
    const claims = new Claims();
    for (let place = 0; place < PLACES; place++) claims.put(place, place);
    for (let place = 0; place < PLACES; place += 2) expect(claims.begin(place, place)).toBe(true);
    for (let place = 0; place < PLACES; place++) expect(claims.takeBack(place, place)).toBe(place % 2 === 1);
  });

  it('have places for all calls that a handler may have executed at once, and for some that wait', () => {
    expect([placesFor([]), placesFor([1, 1])]).toEqual([PLACES, PLACES]);
    const claims = new Claims(placesFor([3, 10_000]));
    for (let place = 0; place < 10_001; place++) claims.put(place, place);
    for (let place = 0; place < 10_001; place++) expect(claims.begin(place, place)).toBe(true);
  });

  it('are won by exactly one of a host and a thread that want all at once', async () => {
    const claims = new Claims();
    const rounds = 50;
    // Round by round both go for every place; the words say who may, the counts say who thinks so.
    const turn = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(
      `const { parentPort, workerData: { memory, turn, places, rounds } } = require('node:worker_threads');
      const words = new Int32Array(memory);
      const won = [];
      for (let round = 1; round <= rounds; round++) {
        while (Atomics.load(turn, 0) < round) {}
        const mine = [];
        for (let place = 0; place < places; place++) {
          const waits = (round << 2) | 1;
          if (Atomics.compareExchange(words, place, waits, (round << 2) | 2) === waits) mine.push(place);
        }
        won.push(mine);
        Atomics.store(turn, 1, round);
      }
      parentPort.postMessage(won);`,
      { eval: true, workerData: { memory: claims.memory, turn, places: PLACES, rounds } },
    );
    const answer = new Promise<number[][]>((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
    });
    const taken: number[][] = [];
    for (let round = 1; round <= rounds; round++) {
      for (let place = 0; place < PLACES; place++) claims.put(place, round);
      Atomics.store(turn, 0, round);
      const mine: number[] = [];
      // From the other end, so that they meet.
      for (let place = PLACES - 1; place >= 0; place--) if (claims.takeBack(place, round)) mine.push(place);
      taken.push(mine);
      while (Atomics.load(turn, 1) < round) {}
    }
    const begun = await answer;
    await worker.terminate();
    const everyPlace = Array.from({ length: PLACES }, (_, place) => place);
    for (let i = 0; i < rounds; i++)
      expect([...(taken[i] as number[]), ...(begun[i] as number[])].sort((a, b) => a - b)).toEqual(
        everyPlace,
      );
  });
});
