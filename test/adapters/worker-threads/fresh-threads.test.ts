/** A session has its thread to itself, from the first line of its module to the end: none is used by two. */
import { expect, it } from 'vitest';
import { Claims } from '../../../src/adapters/worker-threads/claims.ts';
import type { Link, LinkEnd } from '../../../src/adapters/worker-threads/link.ts';
import type { SessionStart } from '../../../src/adapters/worker-threads/protocol.ts';
import { ThreadLinks } from '../../../src/adapters/worker-threads/thread-link.ts';
import { handlersFile, needsThreads, noThreads, WorkerBench } from '../../support/workers.ts';

const { settings } = new WorkerBench({ threads: 2 }).module;

const START: Omit<SessionStart, 'claims'> = {
  url: handlersFile('faults.mjs'),
  concurrent: {},
  isVirtual: false,
};

/** Starts a session: its thread, when it is ready, and how it ends when it is told to. */
async function session(links: ThreadLinks): Promise<{ threadId: number; end: () => Promise<LinkEnd> }> {
  const link: Link = links.start({ ...START, claims: new Claims().memory });
  const ended = new Promise<LinkEnd>((resolve) => link.onEnd(resolve));
  const threadId = await new Promise<number>((resolve) =>
    link.onBatch(([first]) => {
      if (first?.type === 'ready') resolve(first.threadId);
    }),
  );
  const end = (): Promise<LinkEnd> => {
    link.post([{ type: 'end' }], []);
    return ended;
  };
  return { threadId, end };
}

it.skipIf(noThreads !== undefined)(
  needsThreads('a session that begins the moment another has ended has a thread of its own'),
  async () => {
    const links = new ThreadLinks(settings);
    try {
      const seen = new Set<number>();
      for (let i = 0; i < 3; i++) {
        const { threadId, end } = await session(links);
        seen.add(threadId);
        expect(await end()).toEqual({ kind: 'ended' });
      }
      expect(seen.size).toBe(3);
    } finally {
      await links.close();
    }
  },
);
