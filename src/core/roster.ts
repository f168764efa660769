/** What a roster needs of its members. */
export interface Member {
  /** Its place in the roster; -1 if it is in none. Written by the roster only. */
  place: number;
}

/**
 * Objects that come and go often, in no order. A `Set` would keep those that have gone until the next major garbage collection: V8 leaves
 * each outgrown table of a Set or Map referring to its successor, so one that has survived a minor collection keeps alive all that follow
 * (docs/internals.md).
 */
export class Roster<T extends Member> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  add(member: T): void {
    member.place = this.#members.push(member) - 1;
  }

  /** No effect if it is no member. */
  delete(member: T): void {
    const { place } = member;
    if (place < 0) return;
    const last = this.#members.pop()!;
    if (last !== member) {
      this.#members[place] = last;
      last.place = place;
    }
    member.place = -1;
  }

  /** Those that are members now, even if they leave meanwhile. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#members.slice().values();
  }
}

/** The same for objects that are found by a number. Its Map has only places, which are no garbage worth mentioning. */
export class NumberedRoster<T> {
  readonly #places = new Map<number, number>();
  readonly #members: (T | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#places.size;
  }

  get(number: number): T | undefined {
    const place = this.#places.get(number);
    return place === undefined ? undefined : this.#members[place];
  }

  has(number: number): boolean {
    return this.#places.has(number);
  }

  /** Adds a member, or replaces the one with that number. */
  set(number: number, member: T): void {
    const place = this.#places.get(number) ?? this.#free.pop() ?? this.#members.length;
    this.#members[place] = member;
    this.#places.set(number, place);
  }

  /** `false` if there is no such member. */
  delete(number: number): boolean {
    const place = this.#places.get(number);
    if (place === undefined) return false;
    this.#places.delete(number);
    this.#members[place] = undefined;
    this.#free.push(place);
    return true;
  }

  /** In no order; those that are added or removed meanwhile may be missing. */
  *[Symbol.iterator](): Generator<T> {
    for (const member of this.#members) if (member !== undefined) yield member;
  }
}
