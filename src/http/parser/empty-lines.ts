const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * The empty lines in front of a request, which are ignored (RFC 9112 section 2.2). llhttp takes any CR there, and one that no
 * LF follows is not a line end. HTTP thread only.
 */
export class EmptyLines {
  /** The last byte that was checked is a CR: what comes next must be an LF. */
  #endsWithReturn = false;

  /** Is there anything to check from `at` on? For most requests there is not. */
  areAt(bytes: Buffer, at: number): boolean {
    return this.#endsWithReturn || bytes[at] <= CARRIAGE_RETURN;
  }

  /**
   * Checks the empty lines from `from` on, of what stands there up to `end`.
   * @returns `false` if there is a bare CR among them
   */
  check(bytes: Buffer, from: number, end: number): boolean {
    let at = from;
    if (this.#endsWithReturn && at < end) {
      this.#endsWithReturn = false;
      if (bytes[at++] !== LINE_FEED) return false;
    }
    for (; at < end; at++) {
      if (bytes[at] === LINE_FEED) continue;
      if (bytes[at] !== CARRIAGE_RETURN) return true;
      this.#endsWithReturn = ++at === end;
      if (at < end && bytes[at] !== LINE_FEED) return false;
    }
    return true;
  }
}
