/**
 * "Did you mean …": the known name that is closest to a mistyped one.
 */

/** No more candidates than this are looked at, so that a message never costs more than its cause. */
const MOST_CANDIDATES = 10_000;

/** Names longer than this are not compared: the cost grows with the square of the length. */
const LONGEST_NAME = 128;

/** No more cells of distance tables than this are computed in one search: some tens of milliseconds. */
const MOST_CELLS = 5_000_000;

/** The three rows of the distance table that are needed at a time. */
interface Rows {
  two: Uint8Array;
  one: Uint8Array;
  now: Uint8Array;
}

/**
 * The candidate that is closest to `name`, if any is close enough to be what was meant.
 *
 * Close means at most max(1, floor(length / 3)) insertions, deletions, substitutions and swaps of neighbours;
 * a candidate that differs in letter case only counts as one step away. Among equally close ones, the one
 * that is closer without regard to case wins, then the earlier one. At most 10,000 candidates are looked at
 * (fewer when they are long: the whole search is bounded), and names of more than 128 UTF-16 units are passed
 * over.
 *
 * Source: the optimal string alignment distance, a restriction of F. J. Damerau, "A technique for computer
 * detection and correction of spelling errors", CACM 7(3), 1964.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  const lower = name.toLowerCase();
  const rows: Rows = {
    two: new Uint8Array(LONGEST_NAME + 1),
    one: new Uint8Array(LONGEST_NAME + 1),
    now: new Uint8Array(LONGEST_NAME + 1),
  };
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3));
  let bestLower = Number.POSITIVE_INFINITY;
  let looked = 0;
  let cells = 0;
  for (const candidate of candidates) {
    if (candidate === name) return candidate;
    looked += 1;
    if (candidate.length <= LONGEST_NAME && Math.abs(candidate.length - name.length) <= bestDistance) {
      cells += name.length * (2 * bestDistance + 1);
      const folded = candidate.toLowerCase();
      const distance = folded === lower ? 1 : alignmentDistance(name, candidate, bestDistance, rows);
      if (distance <= bestDistance) {
        const lowerDistance = folded === lower ? 0 : alignmentDistance(lower, folded, bestDistance, rows);
        if (distance < bestDistance || lowerDistance < bestLower) {
          best = candidate;
          bestDistance = distance;
          bestLower = lowerDistance;
        }
      }
    }
    if (looked === MOST_CANDIDATES || cells > MOST_CELLS) break;
  }
  return best;
}

/**
 * The optimal string alignment distance of two texts, or `limit + 1` as soon as it must be greater than
 * `limit`. Only the cells within `limit` of the diagonal can matter, so only they are computed.
 */
function alignmentDistance(a: string, b: string, limit: number, rows: Rows): number {
  const over = limit + 1;
  // Lower-casing can lengthen a text, so the length is checked again where the rows would be too short.
  if (Math.abs(a.length - b.length) > limit || b.length > LONGEST_NAME) return over;
  let { two, one, now } = rows;
  for (let j = 0; j <= b.length; j += 1) one[j] = Math.min(j, over);
  for (let i = 1; i <= a.length; i += 1) {
    const from = Math.max(1, i - limit);
    const to = Math.min(b.length, i + limit);
    const unit = a.charCodeAt(i - 1);
    // The cells beside the band are read by the next rows, so they hold a distance that cannot win.
    now[from - 1] = from === 1 ? Math.min(i, over) : over;
    let least = now[from - 1] as number;
    for (let j = from; j <= to; j += 1) {
      const other = b.charCodeAt(j - 1);
      let cost = (one[j - 1] as number) + (unit === other ? 0 : 1);
      cost = Math.min(cost, (one[j] as number) + 1, (now[j - 1] as number) + 1);
      if (i > 1 && j > 1 && unit === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === other) {
        cost = Math.min(cost, (two[j - 2] as number) + 1);
      }
      if (cost > over) cost = over;
      now[j] = cost;
      if (cost < least) least = cost;
    }
    if (to < b.length) now[to + 1] = over;
    // A swap of neighbours reaches back two rows, so two rows must be hopeless before the rest is.
    if (least >= over && i < a.length && rowIsHopeless(one, from, to, over)) return over;
    const spare = two;
    two = one;
    one = now;
    now = spare;
  }
  return one[b.length] as number;
}

/** Whether no cell of the band is below `over`. */
function rowIsHopeless(row: Uint8Array, from: number, to: number, over: number): boolean {
  for (let j = from - 1; j <= to; j += 1) {
    if ((row[j] as number) < over) return false;
  }
  return true;
}
