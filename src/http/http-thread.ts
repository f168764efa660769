import type { AddressInfo, Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import {
  HEAD_FIELD_LIMIT_OFFSET,
  HEAD_INDEX_OFFSET,
  HEAD_TARGET_LIMIT_OFFSET,
  HEAD_TOTAL_LIMIT_OFFSET,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import type { ShardPool } from '../pool/shard-pool.js';
import type { RouteTable } from '../protocol.js';
import type { AccessLog } from './access-log.js';
import { Admission } from './admission.js';
import { Completions } from './completions.js';
import { Connection, type ConnectionHost, type ConnectionLimits } from './connection.js';
import type { Exchange } from './exchange.js';
import { Listener, type Listening } from './listen.js';
import { Parsers } from './llhttp.js';
import { Schedule, type Timeouts } from './patience.js';
import { reclaim, refuseWaiting } from './reclaim.js';
import type { RequestParser } from './request-parser.js';
import { Router } from './router.js';
import type { UpgradeListener } from './upgrade.js';

export interface HttpThreadOptions extends ConnectionLimits, Timeouts {
  listening: Listening;
  maxConnections: number;
  maxTargetBytes: number;
  maxHeadBytes: number;
  maxHeaderFields: number;
  accessLog: AccessLog | undefined;
  onAcceptError(error: Error): void;
  /** The upgrade listener has thrown. */
  onUpgradeError(error: unknown): void;
}

/** Everything between the sockets and the rings. Runs no user code. */
export class HttpThread implements ConnectionHost {
  readonly core: CoreMemory;
  readonly parsers: Parsers;
  readonly limits: ConnectionLimits;
  readonly accessLog: AccessLog | undefined;
  upgradeListener: UpgradeListener | undefined;
  draining = false;
  readonly #options: HttpThreadOptions;
  readonly #pool: ShardPool;
  readonly #admission: Admission;
  readonly #completions: Completions;
  readonly #connections = new Set<Connection>();
  readonly #listener: Listener;
  #watch: NodeJS.Timeout | undefined;
  #connectionsRefused = 0;
  #onDrained: (() => void) | undefined;

  constructor(pool: ShardPool, table: RouteTable, options: HttpThreadOptions) {
    this.core = pool.core;
    this.parsers = new Parsers(pool.core);
    this.limits = options;
    this.accessLog = options.accessLog;
    this.#options = options;
    this.#pool = pool;
    this.#admission = new Admission(pool, new Router(table), table.hasNotFound);
    this.#completions = new Completions(pool, this.#admission.exchanges, (exchange) => this.release(exchange));
    this.#listener = new Listener(options.listening, options, (socket) => this.#onConnection(socket));
    const limits = HEAD_INDEX_OFFSET >> 2;
    this.core.i32[limits + (HEAD_TARGET_LIMIT_OFFSET >> 2)] = options.maxTargetBytes;
    this.core.i32[limits + (HEAD_TOTAL_LIMIT_OFFSET >> 2)] = options.maxHeadBytes;
    this.core.i32[limits + (HEAD_FIELD_LIMIT_OFFSET >> 2)] = options.maxHeaderFields;
  }

  /** @throws LoopShardError PORT_IN_USE, LISTEN_FAILED */
  async listen(): Promise<void> {
    await this.#listener.listen(this.#options.onAcceptError);
    this.#watchConnections();
  }

  /** The listening address; `port` is 0 and `family` `Unix` for a Unix socket. */
  address(): AddressInfo {
    const address = this.#listener.address();
    if (address !== null && typeof address === 'object') return address;
    return { address: address ?? '', family: 'Unix', port: 0 };
  }

  /** @throws LoopShardError OPTION_INVALID, TLS_INVALID */
  setSecureContext(options: SecureContextOptions): void {
    this.#listener.setSecureContext(options);
  }

  /** One interval looks after all timeouts. */
  #watchConnections(): void {
    const { intervalMs, looks } = new Schedule(this.#options);
    const watch = () => {
      for (const connection of this.#connections) connection.watch(looks);
    };
    this.#watch = setInterval(watch, intervalMs).unref();
  }

  #onConnection(socket: Socket): void {
    const isFull = this.#connections.size >= this.#options.maxConnections;
    if (isFull) this.#connectionsRefused++;
    if (isFull || this.draining) {
      socket.destroy();
      return;
    }
    this.#connections.add(new Connection(this, socket));
  }

  // ── what connections need ───────────────────────────────────────────────────────────────────────────────────────

  admit(request: RequestParser, connection: Connection): Exchange {
    const exchange = this.#admission.admit(request, connection);
    if (exchange.slot >= 0) this.#completions.submitted();
    return exchange;
  }

  release(exchange: Exchange): void {
    if (exchange.slot < 0) return;
    // Nothing large outlives its answer.
    exchange.connection = undefined;
    exchange.body = undefined;
    this.#pool.slots.release(exchange.slot);
    if (this.draining) this.#checkDrained();
  }

  abort(exchange: Exchange): void {
    if (exchange.slot < 0 || exchange.ready) return;
    this.#pool.abort(exchange.shard, exchange.slot, exchange.sequence);
  }

  onUpgradeError(error: unknown): void {
    this.#options.onUpgradeError(error);
  }

  onConnectionClosed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#checkDrained();
  }

  // ── shards that end ─────────────────────────────────────────────────────────────────────────────────────────────

  /** The shard's thread has exited: its requests are answered or passed on. */
  onShardLost(shard: number): void {
    reclaim(shard, this.#pool, this.#admission.exchanges, this.#completions);
  }

  /** No thread has taken the shard's place: what waits for one is refused. */
  onShardMissing(shard: number): void {
    refuseWaiting(shard, this.#pool, this.#admission.exchanges, this.#completions);
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Accepts no more, and resolves when every request in hand is answered and every connection closed. */
  drain(): Promise<void> {
    this.draining = true;
    this.#listener.close();
    for (const connection of this.#connections) connection.drain();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.#checkDrained();
    });
  }

  #checkDrained(): void {
    if (!this.draining || this.#connections.size > 0 || this.#completions.outstanding > 0) return;
    clearInterval(this.#watch);
    this.#onDrained?.();
  }

  destroy(): void {
    this.draining = true;
    this.#completions.stop();
    clearInterval(this.#watch);
    this.#listener.destroy();
    for (const connection of this.#connections) connection.destroy();
    this.#onDrained?.();
  }

  stats() {
    return {
      connections: this.#connections.size,
      connectionsRefused: this.#connectionsRefused + this.#listener.refused,
      outstanding: this.#completions.outstanding,
      slots: { free: this.#pool.slots.free, total: this.#pool.plan.slots },
      lostWakeUps: this.#completions.lostWakeUps,
    };
  }
}
