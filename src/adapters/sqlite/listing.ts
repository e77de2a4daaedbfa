/**
 * Finds streams by their names and facts.
 *
 * Owns: nothing. Who may call it: the engine.
 *
 * LI1  The cost of a page grows with the smallest set that one of the conditions alone finds, not with what is stored: of
 *      each condition it is counted, up to a bound, what its index has, and the smallest is looked through.
 */
import type { RemovedPlaces } from '../../base/removed-places.ts';
import type { ListRequest, StreamFacts, StreamInfo } from '../../ports/event-store.ts';
import { pageLost } from '../page-lost.ts';
import { type SqliteValue, type Statements, toNumber } from './database.ts';
import { attributeText } from './streams.ts';

/** Sets that are larger are taken for equally large. */
const COUNT_MAX = 1_000;

/** A condition that an index answers. */
interface Way {
  readonly from: string;
  /** The id of the stream, in the index that is gone through. */
  readonly id: 's.id' | 'a.stream_id';
  readonly where: string;
  readonly values: readonly SqliteValue[];
}

interface InfoRow {
  readonly id: number | bigint;
  readonly stream: string;
  readonly last_seq: number | bigint;
  readonly last_type: string;
  readonly last_at: number;
  readonly workflow_id: string | null;
  readonly status: string | null;
  readonly started_at: number | null;
  readonly attributes: string | null;
}

/** @param removed - where streams stood that were removed: their ids are never given to another one */
export function listStreams(
  db: Statements,
  request: ListRequest,
  removed: RemovedPlaces,
): readonly StreamInfo[] {
  const { after, limit } = request;
  let afterId = 0;
  if (after !== undefined) {
    const row = db.get<{ id: number | bigint }>('SELECT id FROM streams WHERE stream = ?', after);
    const id = row === undefined ? removed.find(after) : toNumber(row.id);
    if (id === undefined) throw pageLost(after);
    afterId = id;
  }
  const all = conditions(request);
  const where = all.map(({ where }) => where).join(' AND ');
  const values = all.flatMap((one) => one.values);
  // Each of a few ways gives its first `limit` in order, so the first `limit` of all are among them.
  const rows = chooseWays(db, request, afterId).flatMap((way) =>
    db.all<InfoRow>(
      `SELECT s.* FROM ${way.from} WHERE ${way.where} AND ${way.id} > ?${where === '' ? '' : ` AND ${where}`} ORDER BY ${way.id} LIMIT ?`,
      ...[...way.values, afterId, ...values, limit],
    ),
  );
  rows.sort((a, b) => toNumber(a.id) - toNumber(b.id));
  return rows.slice(0, limit).map(infoOf);
}

/** The conditions that a stream must fulfil, however it is found. */
function conditions(
  request: ListRequest,
): { readonly where: string; readonly values: readonly SqliteValue[] }[] {
  const { prefix, workflowId, statuses, startedFrom, startedBefore, attributes } = request;
  const all: { where: string; values: readonly SqliteValue[] }[] = [];
  if (prefix !== '') all.push({ where: 'substr(s.stream, 1, ?) = ?', values: [[...prefix].length, prefix] });
  if (workflowId !== undefined) all.push({ where: 's.workflow_id = ?', values: [workflowId] });
  if (statuses !== undefined)
    all.push({ where: `s.status IN (SELECT value FROM json_each(?))`, values: [JSON.stringify(statuses)] });
  if (startedFrom !== undefined) all.push({ where: 's.started_at >= ?', values: [startedFrom] });
  if (startedBefore !== undefined) all.push({ where: 's.started_at < ?', values: [startedBefore] });
  for (const [name, value] of Object.entries(attributes ?? {}))
    all.push({
      where: 'EXISTS (SELECT 1 FROM attributes AS o WHERE o.name = ? AND o.value = ? AND o.stream_id = s.id)',
      values: [name, attributeText(value)],
    });
  return all;
}

/** The ways to look through; they find no stream twice. */
function chooseWays(db: Statements, request: ListRequest, afterId: number): readonly Way[] {
  const choices = waysFor(request);
  if (choices.length === 1) return choices[0] as readonly Way[];
  let best = choices[0] as readonly Way[];
  let least = Number.POSITIVE_INFINITY;
  for (const ways of choices) {
    const count = ways.reduce((sum, way) => sum + countOf(db, way, afterId), 0);
    if (count < least) {
      best = ways;
      least = count;
    }
  }
  return best;
}

function countOf(db: Statements, { from, id, where, values }: Way, afterId: number): number {
  const row = db.get<{ n: number | bigint }>(
    `SELECT count(*) AS n FROM (SELECT 1 FROM ${from} WHERE ${where} AND ${id} > ? LIMIT ${COUNT_MAX})`,
    ...[...values, afterId],
  );
  return toNumber(row?.n);
}

/** One choice for each condition that an index answers. Where all find much, the first is taken. */
function waysFor(request: ListRequest): readonly (readonly Way[])[] {
  const { prefix, workflowId, statuses, startedFrom, startedBefore, attributes } = request;
  const choices: (readonly Way[])[] = [];
  for (const [name, value] of Object.entries(attributes ?? {}))
    choices.push([
      {
        from: 'attributes AS a CROSS JOIN streams AS s ON s.id = a.stream_id',
        id: 'a.stream_id',
        where: 'a.name = ? AND a.value = ?',
        values: [name, attributeText(value)],
      },
    ]);
  if (statuses !== undefined)
    choices.push([...new Set(statuses)].map((status) => byStatus(workflowId, status)));
  else if (workflowId !== undefined)
    choices.push([
      {
        from: 'streams AS s INDEXED BY streams_by_workflow',
        id: 's.id',
        where: 's.workflow_id = ?',
        values: [workflowId],
      },
    ]);
  if (startedFrom !== undefined || startedBefore !== undefined)
    choices.push([
      {
        from: 'streams AS s INDEXED BY streams_by_start',
        id: 's.id',
        where: 's.started_at >= ? AND s.started_at < ?',
        values: [startedFrom ?? Number.NEGATIVE_INFINITY, startedBefore ?? Number.POSITIVE_INFINITY],
      },
    ]);
  choices.push([byName(prefix)]);
  return choices;
}

function byStatus(workflowId: string | undefined, status: string): Way {
  if (workflowId === undefined)
    return {
      from: 'streams AS s INDEXED BY streams_by_status',
      id: 's.id',
      where: 's.status = ?',
      values: [status],
    };
  return {
    from: 'streams AS s INDEXED BY streams_by_workflow_status',
    id: 's.id',
    where: 's.workflow_id = ? AND s.status = ?',
    values: [workflowId, status],
  };
}

function byName(prefix: string): Way {
  if (prefix === '') return { from: 'streams AS s NOT INDEXED', id: 's.id', where: 'TRUE', values: [] };
  // A whole kind is listed in the order of its index; any other prefix by the names, which are then put in order.
  if (prefix.indexOf(':') === prefix.length - 1)
    return {
      from: 'streams AS s INDEXED BY streams_by_kind',
      id: 's.id',
      where: 's.kind = ?',
      values: [prefix],
    };
  return {
    from: 'streams AS s INDEXED BY sqlite_autoindex_streams_1',
    id: 's.id',
    where: 's.stream >= ? AND s.stream < ?',
    values: [prefix, `${prefix}\u{10ffff}`],
  };
}

function infoOf(row: InfoRow): StreamInfo {
  const facts = factsOf(row);
  return {
    stream: row.stream,
    lastSeq: toNumber(row.last_seq),
    lastType: row.last_type,
    lastAt: toNumber(row.last_at),
    ...(facts === undefined ? undefined : { facts }),
  };
}

function factsOf({
  workflow_id: workflowId,
  status,
  started_at: startedAt,
  attributes,
}: InfoRow): StreamFacts | undefined {
  if (workflowId === null || status === null || startedAt === null) return undefined;
  const facts = { workflowId, status, startedAt: toNumber(startedAt) };
  return attributes === null
    ? facts
    : { ...facts, attributes: JSON.parse(attributes) as StreamFacts['attributes'] };
}
