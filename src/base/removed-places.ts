/**
 * Where streams stood that were removed not long ago, so that whoever goes through a list page by page can go on behind one.
 */

/** So many are remembered, the last ones: as many as one removal takes unless it is told otherwise. */
export const REMOVED_PLACES_MAX = 10_000;

interface Removed {
  readonly name: string;
  readonly place: number;
}

export class RemovedPlaces {
  readonly #places = new Map<string, Removed>();
  /** All in the order of their removal, around and around: to ask a map for its oldest entry costs what was deleted before it. */
  readonly #ring: Removed[] = [];
  #oldest = 0;

  add(name: string, place: number): void {
    const removed: Removed = { name, place };
    this.#places.set(name, removed);
    if (this.#ring.length < REMOVED_PLACES_MAX) {
      this.#ring.push(removed);
      return;
    }
    const forgotten = this.#ring[this.#oldest] as Removed;
    // A name that was removed twice is known by the later one.
    if (this.#places.get(forgotten.name) === forgotten) this.#places.delete(forgotten.name);
    this.#ring[this.#oldest] = removed;
    this.#oldest = (this.#oldest + 1) % REMOVED_PLACES_MAX;
  }

  /** Of a stream that is not there now; nothing if it is not known where it stood. */
  find(name: string): number | undefined {
    return this.#places.get(name)?.place;
  }
}
