/**
 * A set in the order of arrival that knows its oldest member at once.
 *
 * The first value of a built-in set costs as much as was deleted before it: its table keeps the places of what was
 * deleted until it is made anew. A queue that is emptied from its front, or a list of the last so many, would pay
 * that for each.
 */

interface Link<Member> {
  readonly member: Member;
  before: Link<Member> | undefined;
  behind: Link<Member> | undefined;
}

export class LinkedSet<Member extends object> {
  readonly #links = new Map<Member, Link<Member>>();
  #oldest: Link<Member> | undefined;
  #newest: Link<Member> | undefined;

  get size(): number {
    return this.#links.size;
  }

  /** The member that has been in it longest. */
  get oldest(): Member | undefined {
    return this.#oldest?.member;
  }

  has(member: Member): boolean {
    return this.#links.has(member);
  }

  /** Puts it behind all others; one that is in it keeps its place. */
  add(member: Member): void {
    if (this.#links.has(member)) return;
    const link: Link<Member> = { member, before: this.#newest, behind: undefined };
    if (this.#newest === undefined) this.#oldest = link;
    else this.#newest.behind = link;
    this.#newest = link;
    this.#links.set(member, link);
  }

  /** `false` if it is not in it. */
  delete(member: Member): boolean {
    const link = this.#links.get(member);
    if (link === undefined) return false;
    this.#links.delete(member);
    if (link.before === undefined) this.#oldest = link.behind;
    else link.before.behind = link.behind;
    if (link.behind === undefined) this.#newest = link.before;
    else link.behind.before = link.before;
    // A link that has grown old would keep its neighbours alive until the next full collection.
    link.before = undefined;
    link.behind = undefined;
    return true;
  }

  /** From the oldest on; nothing may be changed meanwhile. */
  *[Symbol.iterator](): IterableIterator<Member> {
    for (let link = this.#oldest; link !== undefined; link = link.behind) yield link.member;
  }
}
