import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { MessagePort } from 'node:worker_threads';
import type { MemoryMap } from '../contract/memory-map.js';
import type { RouteTable } from '../contract/messages.js';
import type { CoreMemory } from '../core/memory.js';
import { HttpControl, type HttpControlOptions, type HttpEvents, type HttpStats } from '../http/http-control.js';
import { loadHttpModule } from '../http/http-module.js';
import type { Upgrades } from '../http/socket/upgrade.js';
import type { ResolvedOptions } from '../options/options.js';
import type { ShardState } from '../pool/shard-life.js';

/** All HTTP threads of a server, as the control thread sees them. */
export interface HttpThreads {
  /** What can fail before there are routes. */
  start(): Promise<void>;
  /** @throws LoopShardError as `HttpControl.begin` */
  begin(table: RouteTable): Promise<void>;
  /** @throws LoopShardError as `HttpControl.listen` */
  listen(): Promise<void>;
  /** Where each of them listens. */
  readonly addresses: readonly AddressInfo[];
  /** A thread of `shard` starts: `ports` are the ends of its channels, one for each HTTP thread. */
  attach(shard: number, ports: readonly MessagePort[]): void;
  setState(shard: number, state: ShardState, isReplaced: boolean): void;
  /** The thread of `shard` has exited. Returns when all have taken back what was theirs; nothing if they have. */
  takeBack(shard: number): Promise<void> | undefined;
  onShardMissing(shard: number): void;
  /** Some HTTP thread sheds requests for the shard, or none does any more. */
  setShedding(shard: number, shedding: boolean): void;
  setStalled(group: string, stalled: boolean): void;
  onPermits(): void;
  setSecureContext(options: SecureContextOptions): void;
  setUpgrades(upgrades: Upgrades | undefined): void;
  leave(ms: number): void;
  /** Resolves when all have drained. */
  drain(): Promise<void>;
  /** Behind the drain, before the shards end. */
  stop(): void;
  /** Cuts off every connection. */
  destroy(): void;
  /** Behind the end of the shards: no HTTP thread is left that is a worker. */
  end(): Promise<void>;
  /** One for each HTTP thread that runs. */
  stats(): HttpStats[];
}

/** What HTTP threads are made with, of plain data. */
export function httpOptions(options: ResolvedOptions, epochMs: number): Omit<HttpControlOptions, 'http'> {
  const { logger: _logger, priority: _priority, env: _env, execArgv: _execArgv, listening, ...rest } = options;
  const { tls } = listening;
  // One key for all threads: whichever of them a client comes back to resumes its session.
  const shared = tls !== undefined && options.httpThreads > 1 && tls.ticketKeys === undefined;
  return {
    ...rest,
    epochMs,
    listening: shared ? { ...listening, tls: { ...tls, ticketKeys: randomBytes(TICKET_KEYS_BYTES) } } : listening,
  };
}

const TICKET_KEYS_BYTES = 48;

/** The only HTTP thread: the one that has called `serve()`. */
export class CallingThread implements HttpThreads {
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  readonly #options: HttpControlOptions;
  readonly #given: Pick<ResolvedOptions, 'priority' | 'httpModule'>;
  readonly #events: HttpEvents;
  #control: HttpControl | undefined;
  #addresses: AddressInfo[] = [];

  constructor(core: CoreMemory, map: MemoryMap, options: ResolvedOptions, epochMs: number, events: HttpEvents) {
    this.#core = core;
    this.#map = map;
    this.#options = { ...httpOptions(options, epochMs), http: 0 };
    this.#given = options;
    this.#events = events;
  }

  async start(): Promise<void> {
    const { priority, httpModule } = this.#given;
    const functions = await loadHttpModule(httpModule);
    this.#control = new HttpControl(
      this.#core,
      this.#map,
      this.#options,
      { ...functions, priority: priority ?? functions.priority },
      this.#events,
    );
  }

  async begin(table: RouteTable): Promise<void> {
    this.#control!.begin(table);
  }

  async listen(): Promise<void> {
    this.#addresses = [await this.#control!.listen()];
  }

  get addresses(): readonly AddressInfo[] {
    return this.#addresses;
  }

  attach(shard: number, [port]: readonly MessagePort[]): void {
    this.#control!.attach(shard, port);
  }

  setState(shard: number, state: ShardState, isReplaced: boolean): void {
    this.#control!.setState(shard, state, isReplaced);
  }

  takeBack(shard: number): undefined {
    this.#control!.takeBack(shard);
  }

  onShardMissing(shard: number): void {
    this.#control!.onShardMissing(shard);
  }

  setShedding(shard: number, shedding: boolean): void {
    this.#control!.setShedding(shard, shedding);
  }

  setStalled(group: string, stalled: boolean): void {
    this.#control!.setStalled(group, stalled);
  }

  onPermits(): void {
    this.#control!.onPermits();
  }

  setSecureContext(options: SecureContextOptions): void {
    this.#control!.setSecureContext(options);
  }

  setUpgrades(upgrades: Upgrades | undefined): void {
    this.#control!.setUpgrades(upgrades);
  }

  leave(ms: number): void {
    this.#control!.leave(ms);
  }

  drain(): Promise<void> {
    return this.#control!.drain();
  }

  stop(): void {
    this.#control!.stop();
  }

  destroy(): void {
    this.#control?.destroy();
  }

  async end(): Promise<void> {}

  stats(): HttpStats[] {
    return [this.#control!.stats()];
  }
}
