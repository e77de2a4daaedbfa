/**
 * A page of a listing, looked for in slices: a search for few streams among many does not keep the event loop.
 *
 * Owns: nothing. Who may call it: the store.
 *
 * LI1  Between two slices streams may begin, change and go, as between two pages: none is listed twice, and one that was
 *      there all the time, and was asked for all the time, is listed.
 */
import type { ListRequest, StreamInfo } from '../../ports/event-store.ts';
import { nextTurn } from '../next-turn.ts';
import type { Catalog } from './catalog.ts';

/** Looking at so many takes a few milliseconds. */
const LOOKS_A_TURN = 4_096;

/** @throws OrchestratorError `PAGE_LOST` */
export async function listStreams(catalog: Catalog, request: ListRequest): Promise<readonly StreamInfo[]> {
  const page: StreamInfo[] = [];
  let behind = request.after === undefined ? 0 : catalog.placeOf(request.after);
  for (;;) {
    const limit = request.limit - page.length;
    const { found, reached } = catalog.find({ ...request, limit }, behind, LOOKS_A_TURN);
    page.push(...found);
    if (page.length >= request.limit || reached === Number.POSITIVE_INFINITY) return page;
    behind = reached;
    await nextTurn();
  }
}
