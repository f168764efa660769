import { connect } from 'node:net';

/** @typedef {import('./cases/case.js').Case} Case */
/** @typedef {{ status: number, body: string }} Answer */

const NO_CONTENT = 204;

/**
 * Splits `bytes` into complete responses by their lengths.
 * @param {Buffer} bytes
 * @param {boolean} isHead whether these are responses to HEAD, which have no bodies
 * @returns {Answer[]}
 */
export function parseAnswers(bytes, isHead) {
  const answers = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) return answers;
    const head = bytes.latin1Slice(at, end);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    const hasBody = !isHead && status >= 200 && status !== NO_CONTENT;
    const chunked = /\r\ntransfer-encoding: chunked/i.test(head);
    const length = hasBody ? Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0) : 0;
    at = end + 4 + length;
    if (at > bytes.length || chunked) return answers;
    answers.push({ status, body: bytes.latin1Slice(end + 4, at) });
  }
}

/** A raw connection that collects the bytes it receives. */
export class Wire {
  received = Buffer.alloc(0);
  ended = false;
  /** @type {Error | undefined} */
  failure;
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {number} port */
  constructor(port) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#wake();
    });
    this.socket.on('error', (error) => {
      this.failure = error;
    });
    for (const event of ['end', 'error', 'close']) {
      this.socket.on(event, () => {
        this.ended = true;
        this.#wake();
      });
    }
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /**
   * Resolves once `condition` holds or the server has ended the connection.
   * @param {() => boolean} condition
   */
  async until(condition) {
    while (!this.ended && !condition()) await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
  }
}

/**
 * Replays a case. Returns the responses, and whether the connection was closed. Sends another request on a connection that seems
 * to be open, to check that it is.
 * @param {number} port
 * @param {Case} one
 * @param {(wire: Wire, bytes: Buffer) => Promise<void> | void} [send] writes the bytes
 */
export async function replay(port, one, send = (wire, bytes) => void wire.socket.write(bytes)) {
  const wire = new Wire(port);
  const isHead = one.input.startsWith('HEAD ');
  await send(wire, Buffer.from(one.input, 'latin1'));
  if (one.ends) wire.socket.end();
  await wire.until(() => !one.closes && parseAnswers(wire.received, isHead).length >= one.answers.length);
  const answers = parseAnswers(wire.received, isHead);
  if (!wire.ended) {
    wire.received = Buffer.alloc(0);
    wire.socket.write('GET /sync/more HTTP/1.1\r\nHost: x\r\n\r\n');
    await wire.until(() => parseAnswers(wire.received, false).length > 0);
  }
  const goesOn = !wire.ended && parseAnswers(wire.received, false)[0]?.body === 'more';
  wire.socket.destroy();
  return { answers: answers.map(({ status }) => status), closes: !goesOn, body: answers.at(-1)?.body };
}
