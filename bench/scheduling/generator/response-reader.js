/**
 * Reads the responses of a connection as their bytes arrive. It supports what the servers of these benches send: a status line, headers,
 * and a body with content-length (RFC 9112 section 6). Anything else is an error.
 */
export class ResponseReader {
  /** The beginning of an incomplete head, one character per byte. */
  #head = '';
  #bodyBytesLeft = 0;
  #status = 0;
  #closes = false;
  #onResponse;

  /** @param {(status: number, closes: boolean) => void} onResponse for each complete response; `closes`: it is the last one */
  constructor(onResponse) {
    this.#onResponse = onResponse;
  }

  /**
   * @param {Buffer} buffer
   * @param {number} length number of new bytes
   * @throws Error if a response is not supported
   */
  push(buffer, length) {
    let offset = 0;
    while (offset < length) {
      offset += this.#bodyBytesLeft > 0 ? this.#skipBody(length - offset) : this.#readHead(buffer, offset, length);
    }
  }

  /** @param {number} available */
  #skipBody(available) {
    const taken = Math.min(available, this.#bodyBytesLeft);
    this.#bodyBytesLeft -= taken;
    if (this.#bodyBytesLeft === 0) this.#onResponse(this.#status, this.#closes);
    return taken;
  }

  /**
   * @param {Buffer} buffer
   * @param {number} from
   * @param {number} to
   */
  #readHead(buffer, from, to) {
    const before = this.#head.length;
    this.#head += buffer.latin1Slice(from, to);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return to - from;
    const head = this.#head.slice(0, end);
    this.#head = '';
    this.#bodyBytesLeft = this.#parseHead(head);
    // After 1xx, another response to the same request follows.
    if (this.#bodyBytesLeft === 0 && this.#status >= 200) this.#onResponse(this.#status, this.#closes);
    return end + 4 - before;
  }

  /**
   * @param {string} head
   * @returns {number} bytes of the body
   */
  #parseHead(head) {
    if (!/^HTTP\/1\.1 \d{3}/.test(head)) throw new Error(`not a response: ${head.slice(0, 80)}`);
    this.#status = Number(head.slice(9, 12));
    this.#closes = /\r\nconnection: *close/i.test(head);
    if (this.#status < 200 || this.#status === 204 || this.#status === 304) return 0;
    const length = head.match(/\r\ncontent-length: *(\d+)/i);
    if (!length) throw new Error(`a response without content-length: ${head.slice(0, 80)}`);
    return Number(length[1]);
  }
}
