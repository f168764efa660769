import { createServer, type Server as NetServer, type Socket } from 'node:net';
import {
  HEAD_FIELD_LIMIT_OFFSET,
  HEAD_INDEX_OFFSET,
  HEAD_TARGET_LIMIT_OFFSET,
  HEAD_TOTAL_LIMIT_OFFSET,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import type { ShardPool } from '../pool/shard-pool.js';
import type { RouteTable } from '../protocol.js';
import { Connection, type ConnectionHost } from './connection.js';
import type { Exchange } from './exchange.js';
import { Parsers } from './llhttp.js';
import type { RequestParser } from './request-parser.js';
import { Scheduler, type SchedulerEvents, type SchedulerOptions } from './scheduler.js';

export interface HttpThreadOptions extends SchedulerOptions {
  host: string;
  port: number;
  bodyLimitBytes: number;
  maxTargetBytes: number;
  maxHeadBytes: number;
  maxHeaderFields: number;
}

export interface HttpThreadEvents extends Omit<SchedulerEvents, 'onReleased'> {
  onAcceptError(error: Error): void;
}

/** Connections the kernel holds until they are accepted. */
const BACKLOG = 1024;

/** Everything between the sockets and the rings. Runs no user code. */
export class HttpThread implements ConnectionHost {
  readonly core: CoreMemory;
  readonly parsers: Parsers;
  readonly bodyLimitBytes: number;
  draining = false;
  readonly #options: HttpThreadOptions;
  readonly #events: HttpThreadEvents;
  readonly scheduler: Scheduler;
  readonly #connections = new Set<Connection>();
  readonly #server: NetServer;
  #onDrained: (() => void) | undefined;

  /** @throws LoopShardError ROUTE_INVALID, ROUTE_DUPLICATE */
  constructor(pool: ShardPool, table: RouteTable, options: HttpThreadOptions, events: HttpThreadEvents) {
    this.core = pool.core;
    this.parsers = new Parsers(pool.core);
    this.bodyLimitBytes = options.bodyLimitBytes;
    this.#options = options;
    this.#events = events;
    this.scheduler = new Scheduler(pool, table, options, {
      ...events,
      onReleased: () => {
        if (this.draining) this.#checkDrained();
      },
    });
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
      this.#onConnection(socket),
    );
    const limits = HEAD_INDEX_OFFSET >> 2;
    this.core.i32[limits + (HEAD_TARGET_LIMIT_OFFSET >> 2)] = options.maxTargetBytes;
    this.core.i32[limits + (HEAD_TOTAL_LIMIT_OFFSET >> 2)] = options.maxHeadBytes;
    this.core.i32[limits + (HEAD_FIELD_LIMIT_OFFSET >> 2)] = options.maxHeaderFields;
  }

  /** @throws LoopShardError PORT_IN_USE, LISTEN_FAILED */
  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const refuse = (cause: NodeJS.ErrnoException) => reject(listenError(cause, host, port));
      this.#server.once('error', refuse);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', refuse);
        // A connection that could not be accepted; the next one may be.
        this.#server.on('error', this.#events.onAcceptError);
        resolve();
      });
    });
  }

  address() {
    return this.#server.address();
  }

  #onConnection(socket: Socket): void {
    if (this.draining) {
      socket.destroy();
      return;
    }
    this.#connections.add(new Connection(this, socket));
  }

  // ── what connections need ───────────────────────────────────────────────────────────────────────────────────────

  admit(request: RequestParser, connection: Connection): Exchange {
    return this.scheduler.admit(request, connection);
  }

  release(exchange: Exchange): void {
    this.scheduler.release(exchange);
  }

  announceAbort(exchange: Exchange): void {
    this.scheduler.announceAbort(exchange);
  }

  abandon(exchange: Exchange): void {
    this.scheduler.abandon(exchange);
  }

  onConnectionClosed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#checkDrained();
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Accepts no more, and resolves when every request in hand is answered and every connection closed. */
  drain(): Promise<void> {
    this.draining = true;
    this.#server.close();
    for (const connection of this.#connections) connection.drain();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.#checkDrained();
    });
  }

  #checkDrained(): void {
    if (this.draining && this.#connections.size === 0 && this.scheduler.outstanding === 0) this.#onDrained?.();
  }

  destroy(): void {
    this.draining = true;
    this.scheduler.stop();
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
    this.#onDrained?.();
  }

  /** Open ones. */
  get connections(): number {
    return this.#connections.size;
  }
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): LoopShardError {
  if (cause.code === 'EADDRINUSE') {
    return new LoopShardError(
      'PORT_IN_USE',
      `Port ${port} of ${host} is in use; stop what listens there, or choose another port.`,
      { cause },
    );
  }
  return new LoopShardError('LISTEN_FAILED', `Cannot listen on port ${port} of ${host}: ${cause.message}.`, { cause });
}
