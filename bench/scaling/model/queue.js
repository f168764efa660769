/**
 * First in, first out; nothing moves until half of the array is empty.
 * @template T
 */
export class Queue {
  /** @type {T[]} */
  #items = [];
  #head = 0;

  get length() {
    return this.#items.length - this.#head;
  }

  /** The first item; undefined if there is none. */
  get first() {
    return this.#items[this.#head];
  }

  push(/** @type {T} */ item) {
    this.#items.push(item);
  }

  /** Takes the first item out; there must be one. */
  take() {
    const item = this.#items[this.#head++];
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }
}
