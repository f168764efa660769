import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { resolve as resolvePath } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { LoopShardError } from './errors.js';
import { AccessLog } from './http/access-log.js';
import { HttpThread } from './http/http-thread.js';
import type { UpgradeListener } from './http/upgrade.js';
import { type Logger, type ResolvedOptions, resolveOptions, type ServeOptions } from './options.js';
import type { ShardCounters } from './pool/counters.js';
import { DISPATCH_POLICIES } from './pool/dispatch.js';
import type { ShardState } from './pool/shard-handle.js';
import { ShardPool } from './pool/shard-pool.js';
import type { FailureReport } from './protocol.js';

/** A moment's figures of a server. */
export interface ServerStats {
  state: ServerState;
  connections: number;
  /** Connections that were closed at once, because there were `maxConnections`. */
  connectionsRefused: number;
  /** Answers that shards owe. */
  outstanding: number;
  slots: { free: number; total: number };
  /** Completions that no doorbell announced. Zero, or there is a bug. */
  lostWakeUps: number;
  shards: ({
    shard: number;
    state: ShardState;
    restarts: number;
    outstanding: number;
    /** Requests that wait in the ring. */
    queued: number;
    permits: { available: number; limit: number };
  } & ShardCounters)[];
}

export type ServerState = 'starting' | 'ready' | 'draining' | 'closed' | 'failed';

/** A running server. */
export interface Server {
  readonly state: ServerState;
  /** Where it listens. For a Unix socket `address` is its path, `family` is `Unix` and `port` 0. */
  address(): AddressInfo;
  /**
   * Has new connections use other keys and certificates; those that are open go on.
   * @param options what `tls.createSecureContext` takes
   * @throws LoopShardError OPTION_INVALID for a server without TLS, TLS_INVALID
   */
  setSecureContext(options: SecureContextOptions): void;
  /**
   * Has `listener` take over connections whose clients ask for another protocol (RFC 9110 section 7.8), instead of
   * answering them as if they did not; one listener at a time, `undefined` for none. It runs on the HTTP thread: keep it
   * short. `ws` with `noServer: true` is one (examples/websocket). Requests with a body are not offered to it.
   */
  onUpgrade(listener: UpgradeListener | undefined): void;
  stats(): ServerStats;
  /**
   * Drains: accepts no more connections, answers what is in hand with `connection: close`, ends the shards. After
   * `closeTimeoutMs` it cuts off what is left, connections that were upgraded and not ended included. Calling it again returns the same promise.
   */
  close(): Promise<void>;
  /** Ends everything at once, requests in hand included. */
  destroy(): Promise<void>;
}

/**
 * Starts a server. The calling thread becomes the HTTP thread: keep it free of slow work.
 * @param module the module whose default export is the app; a path is taken from the working directory
 * @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN, MODULE_NOT_FOUND, MODULE_WITHOUT_APP, MODULE_FAILED,
 * ROUTE_INVALID, ROUTE_DUPLICATE, ROUTES_DIFFER, MEMORY_EXHAUSTED, SHARD_FAILED, PORT_IN_USE, LISTEN_FAILED, TLS_INVALID
 */
export async function serve(module: URL | string, options: ServeOptions = {}): Promise<Server> {
  const resolved = resolveOptions(options);
  const url = locateModule(module);
  const server = new RunningServer(url, resolved);
  await server.start();
  return server;
}

function locateModule(module: URL | string): string {
  const isUrl = module instanceof URL || /^[a-z][a-z0-9+.-]+:/i.test(module);
  const url = isUrl ? new URL(module) : pathToFileURL(resolvePath(module));
  if (url.protocol !== 'file:' || existsSync(fileURLToPath(url))) return url.href;
  throw new LoopShardError(
    'MODULE_NOT_FOUND',
    `There is no file ${fileURLToPath(url)}; give the path of the module that exports your app.`,
  );
}

function standardLogger(accessLog: boolean): Logger {
  return pino({ name: 'loopshard', level: accessLog ? 'info' : 'warn' }, pino.destination(2));
}

class RunningServer implements Server {
  state: ServerState = 'starting';
  readonly #options: ResolvedOptions;
  readonly #logger: Logger;
  readonly #pool: ShardPool;
  #http: HttpThread | undefined;
  #closed: Promise<void> | undefined;

  constructor(module: string, options: ResolvedOptions) {
    this.#options = options;
    this.#logger = options.logger ?? standardLogger(options.accessLog);
    const { shards, permits, slots, slotBytes, batch, park, responseLimitBytes, resourceLimits } = options;
    this.#pool = new ShardPool(
      {
        shards,
        permits,
        slots,
        slotBytes,
        batch,
        park,
        responseLimitBytes,
        resourceLimits,
        module,
        policy: DISPATCH_POLICIES[options.dispatch](),
      },
      {
        onShardLost: (shard, cause) => this.#onShardLost(shard, cause),
        onShardMissing: (shard, error) => this.#onShardMissing(shard, error),
        onShardRestarted: (shard) => this.#logger.info({ shard }, `shard ${shard} runs again`),
        onStrayError: (error) => this.#logger.error({ err: error }, 'a thread failed after its shard had ended'),
        onFailure: (shard, report) => this.#onFailure(shard, report),
      },
    );
  }

  async start(): Promise<void> {
    try {
      const table = await this.#pool.start();
      this.#http = new HttpThread(this.#pool, table, {
        ...this.#options,
        accessLog: this.#options.accessLog ? new AccessLog(this.#logger) : undefined,
        onUpgradeError: (error) => this.#logger.error({ err: error }, 'the listener of onUpgrade threw'),
        onAcceptError: (error) => this.#logger.error({ err: error }, 'a connection could not be accepted'),
      });
      await this.#http.listen();
      this.state = 'ready';
    } catch (error) {
      this.state = 'failed';
      await this.#pool.destroy();
      throw error;
    }
  }

  address(): AddressInfo {
    return this.#http!.address();
  }

  setSecureContext(options: SecureContextOptions): void {
    this.#http!.setSecureContext(options);
  }

  onUpgrade(listener: UpgradeListener | undefined): void {
    this.#http!.upgradeListener = listener;
  }

  stats(): ServerStats {
    return { state: this.state, ...this.#http!.stats(), shards: this.#pool.stats() };
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  async #drain(): Promise<void> {
    this.state = 'draining';
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, this.#options.closeTimeoutMs, 'late');
    });
    const outcome = await Promise.race([this.#http!.drain(), late]);
    clearTimeout(timer);
    if (this.#isClosed()) return;
    if (outcome === 'late') {
      const { outstanding, connections } = this.#http!.stats();
      const { closeTimeoutMs } = this.#options;
      this.#logger.warn({ outstanding, connections }, `not drained after ${closeTimeoutMs} ms; the rest is cut off`);
      return this.destroy();
    }
    await this.#pool.close();
    this.state = 'closed';
  }

  #isClosed(): boolean {
    return this.state === 'closed';
  }

  async destroy(): Promise<void> {
    this.state = 'closed';
    this.#closed ??= Promise.resolve();
    this.#http?.destroy();
    await this.#pool.destroy();
  }

  #onShardLost(shard: number, cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : 'it ended';
    this.#logger.error({ shard, err: cause }, `shard ${shard} was lost: ${reason}; another thread takes over`);
    this.#http?.onShardLost(shard);
  }

  #onShardMissing(shard: number, error: LoopShardError): void {
    this.#logger.error({ shard, err: error }, `shard ${shard} cannot be started again: ${error.message}`);
    this.#http?.onShardMissing(shard);
  }

  #onFailure(shard: number, { error, request, message }: FailureReport): void {
    // Loggers know what to do with an Error.
    const err = Object.assign(new Error(error.message), error);
    this.#logger.error({ shard, err, req: request }, message);
  }
}
