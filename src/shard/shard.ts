import { isDeepStrictEqual } from 'node:util';
import { receiveMessageOnPort } from 'node:worker_threads';
import { COUNTER_LONG_MEAN_OFFSET, COUNTER_SHORT_MEAN_OFFSET } from '../../assembly/layout.js';
import type { AppDefinition } from '../app/definition.js';
import { CounterWriter } from '../contract/counters.js';
import { describe } from '../contract/describe.js';
import { HttpGenerations } from '../contract/http-generations.js';
import { readMemoryMap, shardAddresses } from '../contract/memory-map.js';
import {
  comparable,
  type RequestCommand,
  type RouteTable,
  type ShardCommand,
  type ShardReport,
  type ShardStart,
} from '../contract/messages.js';
import { moduleFailure } from '../contract/module-failure.js';
import { ShardSide } from '../contract/shard-side.js';
import { Times } from '../contract/times.js';
import { Clock } from '../core/clock.js';
import { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { trustedProxies } from '../options/trust-proxy.js';
import type { ShardContext } from './context.js';
import type { Handlers } from './handlers.js';
import { HttpChannels } from './http-channels.js';
import { Gradient2 } from './loop/limiter.js';
import { ShardLoop } from './loop/loop.js';
import { prepareNegotiation } from './response/negotiation.js';

/** How long what is in flight may take when a shard ends, and the whole end, in milliseconds. */
export interface EndTimes {
  handlersMs: number;
  graceMs: number;
}

/**
 * Has the thread end, or whatever else the shard runs on.
 * @param settled resolves when no handler is in flight; then `closeApp` is to be called
 */
export type EndShard = (settled: Promise<void>, closeApp: () => Promise<void>, times: EndTimes) => void;

/** One shard: what the control thread and the HTTP threads say to it is done by its loop and its handlers. */
export class Shard {
  readonly loop: ShardLoop;
  readonly #context: ShardContext;
  readonly #end: EndShard;

  /** @throws LoopShardError ROUTES_DIFFER */
  constructor(start: ShardStart, app: AppDefinition, endShard: EndShard) {
    if (start.table !== undefined) expectTable(app.table(), start.table);
    const context = createContext(start, app);
    this.#context = context;
    this.#end = endShard;
    this.loop = new ShardLoop(
      context,
      start,
      createLimiter(start, context),
      () => this.#receive() || context.http.receive(),
    );
  }

  /** @throws LoopShardError MODULE_FAILED */
  async startApp(): Promise<void> {
    const { app, shard, group } = this.#context;
    for (const listener of app.onStart) {
      try {
        await listener({ shard, group });
      } catch (error) {
        throw await moduleFailure('A listener of `app.onStart()` failed', error);
      }
    }
  }

  /** Does from now on what it is told, and says that it is ready. */
  begin(): void {
    const { app, channel, http, times } = this.#context;
    // The listener also keeps the event loop alive: a parked shard has nothing else that would.
    channel.on('message', (command: ShardCommand) => this.#obey(command));
    http.listen(
      (command) => obeyHttp(this.loop.handlers, command),
      () => {
        while (this.#receive());
      },
    );
    const { queueTime, handlerTime, batchSize } = times;
    this.#report({ type: 'ready', table: app.table(), histograms: { queueTime, handlerTime, batchSize } });
  }

  #report(report: ShardReport): void {
    this.#context.channel.postMessage(report);
  }

  #receive(): boolean {
    const received = receiveMessageOnPort(this.#context.channel);
    if (received !== undefined) this.#obey(received.message);
    return received !== undefined;
  }

  #obey(command: ShardCommand): void {
    const { http } = this.#context;
    switch (command.type) {
      case 'go':
        return this.loop.start();
      case 'permits':
        return this.loop.permitsChanged();
      case 'ping':
        return this.#report({ type: 'pong' });
      case 'http':
        return http.replace(command.http, command.end);
      case 'gone':
        this.loop.handlers.onHttpThreadGone(command.http, command.requests);
        // The thread may have ended in the middle of a ring.
        return this.loop.look();
      case 'drain':
        return this.loop.handlers.drain();
      case 'close':
        return this.end(this.loop.stop(), command);
    }
  }

  /**
   * Begins the end: responses that are streams are told, and what was started settles.
   * @param settled no handler is in flight
   */
  end(settled: Promise<void>, times: EndTimes): void {
    this.loop.handlers.drain();
    this.#end(settled, () => this.#closeApp(), times);
  }

  /** What was opened last is closed first. A listener that fails does not keep the others from being called. */
  async #closeApp(): Promise<void> {
    const { app, shard, group } = this.#context;
    for (const listener of app.onClose.toReversed()) {
      try {
        await listener({ shard, group });
      } catch (error) {
        const message = 'a listener of `app.onClose()` failed';
        this.#report({ type: 'failure', message, error: describe(error) });
      }
    }
  }
}

function obeyHttp(handlers: Handlers, command: RequestCommand): void {
  switch (command.type) {
    case 'abort':
      return handlers.abort(command, command.isGone);
    case 'abandon':
      return handlers.abandon(command);
    case 'stream':
      return handlers.onStreamAnswer(command.answer);
    case 'body':
      return handlers.onBodyPiece(command.piece);
  }
}

/** @throws LoopShardError ROUTES_DIFFER */
function expectTable(table: RouteTable, expected: RouteTable): void {
  if (isDeepStrictEqual(comparable(table), comparable(expected))) return;
  throw new LoopShardError(
    'ROUTES_DIFFER',
    'The module does not define the same routes each time it is loaded. Make its routes depend on nothing that differs between threads, and restart the server after the module was changed.',
  );
}

function createContext(start: ShardStart, app: AppDefinition): ShardContext {
  const map = readMemoryMap(start.core.memory.buffer);
  const addresses = shardAddresses(map, start.shard);
  const core = CoreMemory.attach(start.core, addresses.arena);
  const http = new HttpChannels(map, new HttpGenerations(core, map), start.requests);
  if (start.compress !== undefined || app.table().routes.some((_, route) => app.route(route).compress?.rules))
    prepareNegotiation();
  return {
    shard: start.shard,
    group: start.group.name,
    core,
    map,
    side: new ShardSide(core, map, start.shard, start.steal ? othersOf(start) : [], start.group.first),
    addresses,
    app,
    clock: new Clock(start.epochMs),
    counters: new CounterWriter(core, addresses.counters),
    times: new Times(),
    channel: start.channel,
    http,
    maxResponseBytes: start.maxResponseBytes,
    compress: start.compress,
    requestId: start.requestId,
    trusted: trustedProxies(start.trustProxy),
    keepAliveLines: start.keepAliveLines,
    maxAbandoned: start.maxAbandoned,
    maxStreams: start.maxStreams,
  };
}

/** The other shards of the group. */
function othersOf({ shard, group: { first, count } }: ShardStart): number[] {
  return Array.from({ length: count }, (_, i) => first + i).filter((other) => other !== shard);
}

function createLimiter({ adaptive }: ShardStart, { side: { permits }, counters }: ShardContext): Gradient2 | undefined {
  if (adaptive === undefined) return undefined;
  return new Gradient2({ ...adaptive, initial: permits.limit }, (limit, shortMeanUs, longMeanUs) => {
    permits.setLimit(limit);
    counters.set(COUNTER_SHORT_MEAN_OFFSET, shortMeanUs);
    counters.set(COUNTER_LONG_MEAN_OFFSET, longMeanUs);
  });
}
