/** A thread without work is given a call at once, not at the end of the turn in which that was asked for. */
import { expect, it, onTestFinished } from 'vitest';
import { stage } from '../../support/pool-stage.ts';

it('given two idle threads, when ten calls come in one turn, then each has its first before the turn is over', async () => {
  const played = stage({ threads: 2, warmUp: 2 });
  onTestFinished(() => played.pool.close());
  played.pool.warmUp(2);
  for (const thread of played.links.living) thread.load();
  await played.turn();
  for (let call = 0; call < 10; call++) played.submit('any');

  const begun = played.links.living.map((thread) => {
    thread.take();
    return thread.begin();
  });

  expect(begun.length).toBe(2);
  expect(begun.every(Boolean)).toBe(true);
  expect(played.pool.stats()).toMatchObject({ queued: 8, sent: 2 });
  await played.finishAll();
  played.check();
});
