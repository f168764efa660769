/*
 * The clients of one run, in their own process: connections that send requests with a nonce each, and check that each response has the nonce of
 * its request. Prints nothing; the figures go to the parent process.
 */
import { connect } from 'node:net';
import { mulberry32 } from '../../test/support/mulberry.js';

/**
 * @typedef {object} Plan
 * @property {number} port
 * @property {number} connections
 * @property {number} pipelined requests that each connection has in flight
 * @property {number} requests in total; after them, or after `stop`, the run ends
 * @property {readonly string[]} paths to which the nonce is added; each request takes a random one
 * @property {number} seed
 * @property {boolean} isRandom whether the load changes at random, between none and all connections
 */

/** @type {Plan} */
const plan = JSON.parse(process.argv[2]);
const random = mulberry32(plan.seed);
const CHANGE_MS = 400;

let sent = 0;
let active = plan.connections;
/** @type {Record<string, number>} */
const statuses = {};
let mixedUp = 0;
let lost = 0;
/** Pairs of the time at which a response arrived, in milliseconds since the epoch, and how long it took. */
/** @type {number[]} */
let times = [];
/** @type {Connection[]} */
const all = [];

class Connection {
  /** @type {{ nonce: string, at: number }[]} */
  #pending = [];
  #text = '';
  #socket = connect({ port: plan.port, host: '127.0.0.1', noDelay: true });
  isOver = false;

  constructor(/** @type {number} */ number) {
    this.number = number;
    this.#socket.setEncoding('latin1').on('data', (text) => this.#onData(String(text)));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      lost += this.#pending.length;
      this.#end();
    });
  }

  fill() {
    let text = '';
    while (this.#pending.length < plan.pipelined && sent < plan.requests && this.number < active) {
      const nonce = `${process.pid}-${sent++}`;
      const path = plan.paths[Math.floor(random() * plan.paths.length)];
      this.#pending.push({ nonce, at: performance.now() });
      text += `GET ${path}${nonce} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    }
    if (text !== '') this.#socket.write(text);
    else if (this.#pending.length === 0 && sent >= plan.requests) this.#socket.destroy();
  }

  #onData(/** @type {string} */ text) {
    this.#text = this.#text === '' ? text : this.#text + text;
    let at = 0;
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n', at);
      if (end < 0) break;
      const head = this.#text.slice(at, end);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (this.#text.length < end + 4 + length) break;
      this.#onResponse(head.slice(9, 12), this.#text.slice(end + 4, end + 4 + length));
      at = end + 4 + length;
    }
    this.#text = this.#text.slice(at);
    this.fill();
  }

  #onResponse(/** @type {string} */ status, /** @type {string} */ body) {
    const request = this.#pending.shift();
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (request === undefined || (status === '200' && !body.endsWith(` ${request.nonce}`))) mixedUp++;
    const now = performance.now();
    times.push(Math.round(performance.timeOrigin + now), now - (request?.at ?? now));
    if (times.length >= 50_000) flush();
  }

  #end() {
    if (this.isOver) return;
    this.isOver = true;
    if (all.every(({ isOver }) => isOver)) finish();
  }
}

function flush() {
  process.send?.({ times });
  times = [];
}

function finish() {
  flush();
  process.send?.({ done: { sent, statuses, mixedUp, lost } }, () => process.exit(0));
}

process.on('message', () => {
  plan.requests = 0;
  active = plan.connections;
  for (const one of all) one.fill();
});
for (let i = 0; i < plan.connections; i++) all.push(new Connection(i));
for (const one of all) one.fill();
if (plan.isRandom) {
  setInterval(() => {
    // Squared: low load is as frequent as high load.
    active = plan.requests === 0 ? plan.connections : Math.ceil(random() ** 2 * plan.connections);
    for (const one of all) one.fill();
  }, CHANGE_MS).unref();
}
