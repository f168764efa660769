import { serve } from 'loopshard';
import { CoreMemory } from 'loopshard/core';
import { SLOT_DATA_OFFSET } from '../../build/assembly/layout.js';
import { readMemoryMap } from '../../build/src/contract/memory-map.js';
import { parseAnswers, Wire } from '../conformance/replay.js';
import { createInput, split } from './mutate.js';

/** @typedef {import('./mutate.js').Random} Random */
/** @typedef {import('loopshard').Server} Server */

const AT_ONCE = 16;
/** Rounds between two checks of the server as a whole. */
const CONNECTIONS_OF_ROUND = 200;
const PATIENCE_MS = 20_000;
const RESETS = 0.15;
/** Maximum number of requests in flight: 64 for each connection. The slots beyond these are full of canaries. */
const USED_SLOTS = AT_ONCE * 64;
const SLOTS = USED_SLOTS + 64;
const CANARY = 0xa5;
/** Larger than the largest body of the corpus. */
const BODY_LIMIT_BYTES = 2 * 2 ** 20;
const EXPECTED = new Set([100, 200, 204, 400, 404, 405, 408, 413, 414, 417, 421, 431, 501, 505]);

/** Sends mutated cases of the conformance table to a server, on several connections at once. */
export class Campaign {
  connections = 0;
  /** @type {Map<number, number>} */
  statuses = new Map();
  #random;
  /** @type {Server | undefined} */
  #server;
  /** @type {Uint8Array[]} */
  #canaries = [];

  /** @param {Random} random */
  constructor(random) {
    this.#random = random;
  }

  async start() {
    const { create } = CoreMemory;
    /** @type {CoreMemory | undefined} */
    let core;
    CoreMemory.create = (bytes) => {
      core = create.call(CoreMemory, bytes);
      return core;
    };
    const module = new URL('../fixtures/fuzz-app.js', import.meta.url);
    this.#server = await serve(module, {
      port: 0,
      shards: 2,
      memory: { slots: SLOTS, slotBytes: 4_096 },
      limits: { maxBodyBytes: BODY_LIMIT_BYTES },
    });
    CoreMemory.create = create;
    if (core === undefined) throw new Error('the server has not created its memory');
    const { slotsAddress, slotStride } = readMemoryMap(core.buffer);
    for (let slot = USED_SLOTS; slot < SLOTS; slot++) {
      const start = slotsAddress + slot * slotStride;
      this.#canaries.push(core.u8.subarray(start + SLOT_DATA_OFFSET, start + slotStride).fill(CANARY));
    }
  }

  get server() {
    if (this.#server === undefined) throw new Error('the campaign has not started');
    return this.#server;
  }

  /** Runs some connections, then checks that the server is in its original state. */
  async round() {
    let left = CONNECTIONS_OF_ROUND;
    const worker = async () => {
      while (left-- > 0) await this.#attack();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    await this.#checkServer();
  }

  /** Runs one connection: it must end, and everything received before its end must be valid responses. */
  async #attack() {
    const random = this.#random;
    const input = createInput(random);
    const pieces = split(input, random);
    const resetAfter = random() < RESETS ? Math.floor(random() * pieces.length) : -1;
    const wire = new Wire(this.server.address().port);
    this.connections++;
    for (const [i, piece] of pieces.entries()) {
      if (i === resetAfter || wire.ended) break;
      await new Promise((resolve) => wire.socket.write(piece, () => setImmediate(resolve)));
    }
    if (resetAfter >= 0) {
      wire.socket.resetAndDestroy();
      return;
    }
    wire.socket.end();
    const timer = setTimeout(() => wire.socket.destroy(new Error('late')), PATIENCE_MS);
    await wire.until(() => false);
    clearTimeout(timer);
    if (wire.failure?.message === 'late')
      throw new Error(`a connection did not end: ${JSON.stringify(input.toString('latin1'))}`);
    this.#checkAnswers(wire.received, input);
    wire.socket.destroy();
  }

  /**
   * @param {Buffer} received
   * @param {Buffer} input
   */
  #checkAnswers(received, input) {
    // Responses to HEAD have no body, so if there may be one, only the first response is checked.
    const head = /^HTTP\/1\.1 (\d{3}) [\w ]*\r\n/.exec(received.latin1Slice(0, 64));
    if (received.length > 0 && head === null)
      throw new Error(`no response to ${JSON.stringify(input.toString('latin1'))}`);
    const hasHead = input.includes('HEAD');
    const answers = hasHead ? (head ? [{ status: Number(head[1]) }] : []) : parseAnswers(received, false);
    for (const { status } of answers) {
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      if (!EXPECTED.has(status)) throw new Error(`${status} to ${JSON.stringify(input.toString('latin1'))}`);
    }
  }

  async #checkServer() {
    const response = await fetch(`http://127.0.0.1:${this.server.address().port}/sync/healthy`);
    if ((await response.text()) !== 'healthy') throw new Error(`a healthy request got ${response.status}`);
    const deadline = performance.now() + PATIENCE_MS;
    while (!this.#isConserved()) {
      if (performance.now() > deadline)
        throw new Error(`resources have leaked: ${JSON.stringify(this.server.stats())}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    for (const slot of this.#canaries) {
      if (!slot.every((byte) => byte === CANARY)) throw new Error('a slot that was not in use was written to');
    }
  }

  /** Checks that all slots and permits are free, and that only the healthy client's connection is open. */
  #isConserved() {
    const { slots, outstanding, shards, connections } = this.server.stats();
    const back = shards.every(({ queued, permits }) => queued === 0 && permits.available === permits.limit);
    return slots.free === slots.total && outstanding === 0 && back && connections <= 1;
  }
}
