/**
 * Where streams stood that were removed not long ago, so that whoever goes through a list page by page can go on behind one.
 */

/** So many are remembered, the last ones: as many as one removal takes unless it is told otherwise. */
export const REMOVED_PLACES_MAX = 10_000;

export class RemovedPlaces {
  readonly #places = new Map<string, number>();

  add(name: string, place: number): void {
    this.#places.delete(name);
    this.#places.set(name, place);
    if (this.#places.size <= REMOVED_PLACES_MAX) return;
    for (const oldest of this.#places.keys()) {
      this.#places.delete(oldest);
      return;
    }
  }

  /** Of a stream that is not there now; nothing if it is not known where it stood. */
  find(name: string): number | undefined {
    return this.#places.get(name);
  }
}
