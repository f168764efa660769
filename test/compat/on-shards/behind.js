/* Runs an app on LoopShard in the thread of a test suite, behind a server of the suite. */
import { Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { definitionOf } from '../../../build/src/app/definition.js';
import { resolveOptions } from '../../../build/src/options/resolve.js';
import { startLocally } from '../../../build/src/server/local-shard.js';
import { RunningServer } from '../../../build/src/server/server.js';
import { note } from './used.js';

/** @typedef {import('node:net').Socket} Socket */
/** @typedef {import('../../../build/src/app/app.js').App} App */
/** @typedef {HttpServer | HttpsServer} Server */
/** @typedef {Server & { maxHeaderSize?: number }} Configured with the option that node:http keeps but does not document */

/** Small, because a suite starts a server for each test. */
const MEMORY = { slots: 64, extentBytes: 16 * 2 ** 20 };
const NO_LOG = { error() {}, warn() {}, info() {} };
const ignore = () => {};

/**
 * The LoopShard server behind a server of the suite. That one listens, so that its port is known at once; its connections are given to `take`.
 */
export class Behind {
  #server;
  #app;
  /** @type {Promise<RunningServer> | undefined} */
  #running;
  /** @type {((socket: Socket) => void) | undefined} */
  #onConnection;
  /** @type {Socket[]} */
  #waiting = [];

  /** @param {Server} server @param {App} app */
  constructor(server, app) {
    this.#server = server;
    this.#app = app;
  }

  /** @param {Socket} socket */
  take(socket) {
    note();
    // LoopShard listens for errors once it has the connection.
    socket.on('error', ignore);
    if (this.#onConnection !== undefined) return this.#onConnection(socket);
    this.#waiting.push(socket);
  }

  /** Starts LoopShard: some tests give a server that listens a few milliseconds to respond. */
  start() {
    this.#running ??= this.#start();
  }

  async #start() {
    const { keepAliveTimeout, maxHeaderSize, maxRequestsPerSocket } = /** @type {Configured} */ (this.#server);
    const heads = maxHeaderSize ? { maxHeadBytes: maxHeaderSize, maxTargetBytes: maxHeaderSize } : {};
    const options = resolveOptions({
      shards: 0,
      memory: MEMORY,
      // As the usual servers of fetch apps do; Node apps are told anyway.
      abortOnHalfClose: true,
      limits: { ...heads, maxRequestsPerConnection: maxRequestsPerSocket ?? 0 },
      timeouts: { keepAliveTimeoutMs: keepAliveTimeout > 0 ? keepAliveTimeout : 65_000 },
    });
    const listening = { ...options.listening, source: this };
    // The connections are given after their handshakes; that there were some makes requests secure.
    if (this.#server instanceof HttpsServer) listening.tls = { SNICallback: ignore };
    const definition = /** @type {import('../../../build/src/app/definition.js').AppDefinition} */ (
      definitionOf(this.#app)
    );
    const running = new RunningServer(
      '',
      { ...options, listening },
      NO_LOG,
      startLocally(async () => definition),
    );
    await running.start();
    return running;
  }

  /**
   * For LoopShard, which calls it again when it stops accepting.
   * @param {(socket: Socket) => void} onConnection
   */
  open(onConnection) {
    this.#onConnection = onConnection;
    for (const socket of this.#waiting.splice(0)) onConnection(socket);
  }

  /** @param {'close' | 'destroy'} how */
  async end(how) {
    await (await this.#running)?.[how]();
  }
}
