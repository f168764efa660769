/**
 * A first-in, first-out queue; it moves items only when half of the array is empty.
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

  /** Removes and returns the first item; the queue must not be empty. */
  take() {
    const item = this.#items[this.#head++];
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }
}
