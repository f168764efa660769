/** Bytes of framing that each byte of the body may bring with it: chunks of one byte have five. */
const FRAMING_PER_BODY_BYTE = 8;

/**
 * Counts what a chunked body has besides its data: sizes, extensions, trailer. Nothing of it is kept, but a client could
 * go on with it for ever (RFC 9112 section 7.1.1). HTTP thread only.
 */
export class Framing {
  /** Where the bytes that were not counted yet start, in the parser's memory. */
  from = 0;
  #counts = false;
  #bytes = 0;

  /** A head has ended at `at`. */
  begin(isChunked: boolean, at: number): void {
    this.#counts = isChunked;
    this.#bytes = 0;
    this.from = at;
  }

  /** Is what came up to `at`, with `bodyBytes` bytes of data in it, more than `limit` allows? */
  exceeds(at: number, bodyBytes: number, limit: number): boolean {
    if (!this.#counts) return false;
    this.#bytes += at - this.from;
    this.from = at;
    return this.#bytes - bodyBytes > limit + bodyBytes * FRAMING_PER_BODY_BYTE;
  }
}
