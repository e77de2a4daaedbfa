/**
 * The groups that may be served, best first.
 *
 * Owns: the order of active groups. Who may call it: the ledger.
 *
 * AG1  `#best` comes before everything in the tree; with one active group the tree is empty and nothing is
 *      allocated, which is how it mostly is.
 */
import { type FitNode, FitTree } from '../../base/fit-tree.ts';
import { compareGroups, type NeedGroup } from './need-group.ts';
import type { Row } from './row.ts';

type Group = NeedGroup<Row>;

export class ActiveGroups {
  readonly #others = new FitTree<Group>(compareGroups);
  #best: Group | undefined;

  /** The group whose first member comes first. */
  first(): Group | undefined {
    return this.#best;
  }

  /** Adds a group that has members and stands nowhere. */
  add(group: Group): void {
    group.isPlaced = true;
    const best = this.#best;
    if (best === undefined) {
      this.#best = group;
    } else if (compareGroups(group, best) < 0) {
      this.#best = group;
      best.node = this.#others.insert(best, 0);
    } else {
      group.node = this.#others.insert(group, 0);
    }
  }

  /** Takes a group out. */
  remove(group: Group): void {
    if (group !== this.#best) {
      this.#others.delete(group.node as FitNode<Group>);
      group.node = undefined;
      return;
    }
    const next = this.#others.first();
    this.#best = next;
    if (next === undefined) return;
    this.#others.delete(next.node as FitNode<Group>);
    next.node = undefined;
  }
}
