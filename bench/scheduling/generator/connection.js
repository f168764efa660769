import { connect } from 'node:net';
import { ResponseReader } from './response-reader.js';

/** All connections read into the same buffer, because each read is processed before the next one. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * A connection with one request at a time. It reconnects when the server ends it.
 * @typedef {object} ConnectionEvents
 * @property {(connection: Connection, status: number) => void} onAnswer
 * @property {(connection: Connection) => void} onLost called if the server ended it before responding
 * @property {(connection: Connection) => void} onReady called when it can carry a request (again)
 * @property {(error: Error) => void} onFailure called if the load cannot continue
 */

export class Connection {
  /** The current request: the number of its kind, and when it was due, in ms of the load's clock. */
  kind = 0;
  dueMs = 0;
  isBusy = false;
  #port;
  #events;
  /** @type {import('node:net').Socket | undefined} */
  #socket;
  #isEnded = false;
  #closesAfterAnswer = false;

  /**
   * @param {number} port on 127.0.0.1
   * @param {ConnectionEvents} events
   */
  constructor(port, events) {
    this.#port = port;
    this.#events = events;
  }

  open() {
    const reader = new ResponseReader((status, closes) => this.#onResponse(status, closes));
    const onread = { buffer: READ_BUFFER, callback: (/** @type {number} */ bytes) => this.#onBytes(reader, bytes) };
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true, onread });
    this.#socket = socket;
    socket.once('connect', () => this.#events.onReady(this));
    // Once connected, errors are handled in 'close', which always follows.
    socket.on('error', (error) => {
      if (socket.connecting || /** @type {NodeJS.ErrnoException} */ (error).syscall === 'connect') this.#fail(error);
    });
    socket.once('close', () => this.#onClose());
  }

  /** @param {Buffer} request */
  send(request) {
    this.isBusy = true;
    this.#socket?.write(request);
  }

  end() {
    this.#isEnded = true;
    this.#socket?.destroy();
  }

  /**
   * @param {ResponseReader} reader
   * @param {number} bytes
   */
  #onBytes(reader, bytes) {
    try {
      if (!this.#isEnded) reader.push(READ_BUFFER, bytes);
    } catch (error) {
      this.#fail(/** @type {Error} */ (error));
    }
    return true;
  }

  /**
   * @param {number} status
   * @param {boolean} closes
   */
  #onResponse(status, closes) {
    if (!this.isBusy) throw new Error(`an unexpected response (${status})`);
    this.isBusy = false;
    this.#closesAfterAnswer = closes;
    this.#events.onAnswer(this, status);
    if (closes) this.#socket?.end();
    else if (!this.#isEnded) this.#events.onReady(this);
  }

  #onClose() {
    if (this.#isEnded) return;
    if (this.isBusy || !this.#closesAfterAnswer) this.#events.onLost(this);
    this.isBusy = false;
    this.#closesAfterAnswer = false;
    this.open();
  }

  /** @param {Error} error */
  #fail(error) {
    if (this.#isEnded) return;
    this.end();
    this.#events.onFailure(error);
  }
}
