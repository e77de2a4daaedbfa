/**
 * An ordered set that finds the first item whose amount fits into what is free.
 */

/** What {@link FitTree.insert} returns: it names one entry of one tree, for {@link FitTree.delete}. */
export interface FitNode<T> {
  /** The item that was inserted. */
  readonly item: T;
  /** What the item needs: a non-negative integer. */
  readonly amount: number;
}

/** The stored form of a node. All fields are set in the constructor, so that every node has one shape. */
class TreapNode<T> implements FitNode<T> {
  readonly item: T;
  readonly amount: number;
  readonly priority: number;
  /** The least amount in the subtree of this node, itself included. */
  least: number;
  left: TreapNode<T> | undefined;
  right: TreapNode<T> | undefined;
  parent: TreapNode<T> | undefined;
  /** The tree that holds the node; undefined once it was deleted. */
  owner: FitTree<T> | undefined;

  constructor(item: T, amount: number, priority: number, owner: FitTree<T>) {
    this.item = item;
    this.amount = amount;
    this.priority = priority;
    this.least = amount;
    this.left = undefined;
    this.right = undefined;
    this.parent = undefined;
    this.owner = owner;
  }
}

/**
 * A set of items in the order of `compare`, each with an amount, that answers "which is the first item whose
 * amount is at most `free`" in O(log n).
 *
 * It is a treap: a search tree by `compare` and a max-heap by priority. The priorities come from a hash of a
 * counter, so the shape is that of a random tree, yet the same operations always build the same tree. Every
 * node carries the least amount of its subtree. Items that compare as equal stand in the order of insertion.
 *
 * Source: R. Seidel and C. R. Aragon, "Randomized Search Trees", Algorithmica 16, 1996; the augmentation
 * follows Cormen, Leiserson, Rivest and Stein, "Introduction to Algorithms", chapter 14.
 */
export class FitTree<T> {
  readonly #compare: (a: T, b: T) => number;
  #root: TreapNode<T> | undefined = undefined;
  #first: TreapNode<T> | undefined = undefined;
  #size = 0;
  #counter = 0;

  /** @param compare - negative when `a` stands before `b`; it must not change for stored items. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  /** The number of stored items. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds an item in O(log n) and returns the node by which it can be deleted.
   *
   * @param amount - a non-negative integer.
   * @throws RangeError when the amount is negative or NaN, because such a node would be lost to the search.
   */
  insert(item: T, amount: number): FitNode<T> {
    if (!(amount >= 0)) throw new RangeError(`A fit tree takes amounts of 0 and above, not ${amount}.`);
    this.#counter = (this.#counter + 1) | 0;
    const node = new TreapNode(item, amount, scramble(this.#counter), this);
    this.#size += 1;
    this.#attach(node);
    for (
      let above = node.parent;
      above !== undefined && above.priority < node.priority;
      above = node.parent
    ) {
      this.#rotateUp(node, above);
    }
    return node;
  }

  /**
   * Takes out a node in O(log n).
   *
   * @throws Error when the node belongs to another tree or was deleted before.
   */
  delete(node: FitNode<T>): void {
    const gone = node as TreapNode<T>;
    if (gone.owner !== this) {
      throw new Error('The node is not in this fit tree: it was deleted before, or belongs to another tree.');
    }
    if (gone === this.#first) this.#first = gone.right === undefined ? gone.parent : leftmost(gone.right);
    this.#sink(gone);
    const child = gone.left ?? gone.right;
    const parent = gone.parent;
    if (child !== undefined) child.parent = parent;
    this.#replaceChild(parent, gone, child);
    settleUpwards(parent);
    gone.left = undefined;
    gone.right = undefined;
    gone.parent = undefined;
    gone.owner = undefined;
    this.#size -= 1;
  }

  /** The first item in order, or undefined when the tree is empty; O(1). */
  first(): T | undefined {
    return this.#first?.item;
  }

  /** The first item in order whose amount is at most `free`, or undefined when none fits; O(log n). */
  firstFitting(free: number): T | undefined {
    let node = this.#root;
    if (node === undefined || !(node.least <= free)) return undefined;
    // From here on the subtree of `node` holds a fitting item, so the walk never has to turn back.
    while (node !== undefined) {
      const left: TreapNode<T> | undefined = node.left;
      if (left !== undefined && left.least <= free) node = left;
      else if (node.amount <= free) return node.item;
      else node = node.right;
    }
    return undefined;
  }

  /** The items in order. The tree must not be changed while they are being read. */
  *values(): IterableIterator<T> {
    let node = this.#first;
    while (node !== undefined) {
      yield node.item;
      node = successor(node);
    }
  }

  /** Hangs a new node below the leaf where it belongs; the least amounts on the way are lowered to it. */
  #attach(node: TreapNode<T>): void {
    let parent: TreapNode<T> | undefined;
    let next = this.#root;
    let wentLeft = false;
    let isFirst = true;
    while (next !== undefined) {
      parent = next;
      if (node.amount < parent.least) parent.least = node.amount;
      wentLeft = this.#compare(node.item, parent.item) < 0;
      if (wentLeft) {
        next = parent.left;
      } else {
        next = parent.right;
        isFirst = false;
      }
    }
    node.parent = parent;
    if (parent === undefined) this.#root = node;
    else if (wentLeft) parent.left = node;
    else parent.right = node;
    if (isFirst) this.#first = node;
  }

  /** Rotates a node downwards until it has at most one child. */
  #sink(node: TreapNode<T>): void {
    for (;;) {
      const left = node.left;
      const right = node.right;
      if (left === undefined || right === undefined) return;
      this.#rotateUp(left.priority > right.priority ? left : right, node);
    }
  }

  /** Puts `node` in the place of its parent, which becomes its child. */
  #rotateUp(node: TreapNode<T>, parent: TreapNode<T>): void {
    const above = parent.parent;
    if (parent.left === node) {
      const inner = node.right;
      parent.left = inner;
      if (inner !== undefined) inner.parent = parent;
      node.right = parent;
    } else {
      const inner = node.left;
      parent.right = inner;
      if (inner !== undefined) inner.parent = parent;
      node.left = parent;
    }
    parent.parent = node;
    node.parent = above;
    this.#replaceChild(above, parent, node);
    // The rotated subtree holds the same nodes as before, so its least amount only changes its bearer.
    node.least = parent.least;
    parent.least = leastOf(parent);
  }

  /** Makes `above`, or the root, point to `next` where it pointed to `old`. */
  #replaceChild(above: TreapNode<T> | undefined, old: TreapNode<T>, next: TreapNode<T> | undefined): void {
    if (above === undefined) this.#root = next;
    else if (above.left === old) above.left = next;
    else above.right = next;
  }
}

/** The least amount of a node and its two subtrees. */
function leastOf<T>(node: TreapNode<T>): number {
  let least = node.amount;
  const left = node.left;
  if (left !== undefined && left.least < least) least = left.least;
  const right = node.right;
  if (right !== undefined && right.least < least) least = right.least;
  return least;
}

/** Corrects the least amounts from `start` to the root; the first one that is right ends the walk. */
function settleUpwards<T>(start: TreapNode<T> | undefined): void {
  let node = start;
  while (node !== undefined) {
    const least = leastOf(node);
    if (least === node.least) return;
    node.least = least;
    node = node.parent;
  }
}

/** The first node of a subtree. */
function leftmost<T>(start: TreapNode<T>): TreapNode<T> {
  let node = start;
  while (node.left !== undefined) node = node.left;
  return node;
}

/** The node that follows in order. */
function successor<T>(start: TreapNode<T>): TreapNode<T> | undefined {
  if (start.right !== undefined) return leftmost(start.right);
  let node = start;
  while (node.parent !== undefined && node.parent.right === node) node = node.parent;
  return node.parent;
}

/**
 * Scatters a counter over 32 bits. It is a bijection, so two priorities are only equal after 2^32 insertions.
 *
 * Source: C. Wellons, "Prospecting for Hash Functions" (the function `lowbias32`), 2018.
 */
function scramble(counter: number): number {
  let x = counter;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) | 0;
}
