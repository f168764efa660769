const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Checks the empty lines before a request, which are ignored (RFC 9112 section 2.2). llhttp accepts any CR there, but a CR without LF is
 * not a line end. HTTP thread only.
 */
export class EmptyLines {
  /** Whether the last checked byte is a CR: an LF must follow. */
  #endsWithReturn = false;

  /** Whether an empty line may start at `at`. Most requests have none. */
  areAt(bytes: Buffer, at: number): boolean {
    return this.#endsWithReturn || bytes[at] <= CARRIAGE_RETURN;
  }

  /**
   * Checks the empty lines from `from` up to `end`.
   * @returns `false` if they contain a bare CR
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
