/** Who may read while runs are removed, and how long a removal waits. */
import { describe, expect, it } from 'vitest';
import { RemovalGate } from '../../src/managers/persistence/removal-gate.ts';
import { rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';

describe('a removal that waits for a reader', () => {
  it('given a signal, then it ends with WAIT_ABORTED, removes nothing, and others read again', async () => {
    const gate = new RemovalGate();
    const held = createGate();
    const reading = gate.read(() => held.promise);
    const stop = new AbortController();
    let removed = 0;
    const remove = async (): Promise<number> => ++removed;
    const waiting = rejection(gate.remove(remove, stop.signal));
    const later = gate.read(async () => 'read');
    await nextTurn();
    expect(gate.isRemoving).toBe(true);
    stop.abort('enough');
    expect(await waiting).toMatchObject({ code: 'WAIT_ABORTED', cause: 'enough' });
    expect(await later).toBe('read');
    expect([gate.isRemoving, removed]).toEqual([false, 0]);
    held.open();
    await reading;
    expect(await gate.remove(remove)).toBe(1);
  });

  it('given readers without end, then it comes before those that come later, and they come after it', async () => {
    const gate = new RemovalGate();
    const order: string[] = [];
    const held = createGate();
    const first = gate.read(async () => {
      await held.promise;
      order.push('first');
    });
    const removal = gate.remove(async () => {
      await nextTurn();
      order.push('removal');
    });
    const later = Array.from({ length: 50 }, (_, i) => gate.read(async () => order.push(`later ${i}`)));
    const second = gate.remove(async () => order.push('second removal'));
    held.open();
    await Promise.all([first, removal, second, ...later]);
    expect(order.slice(0, 2)).toEqual(['first', 'removal']);
    expect(order).toHaveLength(53);
  });

  it('given a reader or a removal that fails, then nobody waits for it', async () => {
    const gate = new RemovalGate();
    const fail = (): never => {
      throw new Error('as it should');
    };
    await expect(gate.read(fail)).rejects.toThrow('as it should');
    await expect(gate.remove(fail)).rejects.toThrow('as it should');
    expect(await gate.remove(async () => 1)).toBe(1);
    expect(await gate.read(async () => 2)).toBe(2);
  });
});
