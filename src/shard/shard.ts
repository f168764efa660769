import { clearInterval, setInterval, setTimeout } from 'node:timers';
import { isDeepStrictEqual } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import { receiveMessageOnPort } from 'node:worker_threads';
import { COUNTER_LONG_MEAN_OFFSET, COUNTER_SHORT_MEAN_OFFSET } from '../../assembly/layout.js';
import type { AppDefinition } from '../app/definition.js';
import type { ShardInfo } from '../app/handler.js';
import { CounterWriter } from '../contract/counters.js';
import { describe } from '../contract/describe.js';
import { HttpGenerations } from '../contract/http-generations.js';
import { readMemoryMap, shardAddresses } from '../contract/memory-map.js';
import {
  type BodyPiece,
  comparable,
  type RequestCommand,
  type RouteTable,
  type ShardCommand,
  type ShardReport,
  type ShardStart,
} from '../contract/messages.js';
import { moduleFailure } from '../contract/module-failure.js';
import { RouteTimesWriter } from '../contract/route-times.js';
import { ShardSide } from '../contract/shard-side.js';
import { piecesOf } from '../contract/stream-batch.js';
import { Times } from '../contract/times.js';
import { Clock } from '../core/clock.js';
import { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { timedClients } from '../options/server-timing.js';
import { trustedProxies } from '../options/trust-proxy.js';
import type { ShardContext } from './context.js';
import type { Handlers } from './handlers.js';
import { HealthChecks } from './health-checks.js';
import { sendHeapSnapshot } from './heap-snapshot.js';
import { HttpChannels } from './http-channels.js';
import { Gradient2 } from './loop/limiter.js';
import { ShardLoop } from './loop/loop.js';
import { hasSdk } from './observing/sdk.js';
import { prepareNegotiation } from './response/negotiation.js';

/** How often a shard measures its heap for metrics. */
const HEAP_MS = 1_000;
const NO_API =
  'An OpenTelemetry SDK is registered, but `@opentelemetry/api` cannot be resolved from the app, so LoopShard traces no requests. Add it to the dependencies of the app, or set `traces: false`.';

/** Time limits when a shard ends, in milliseconds: for handlers in flight, and in total. */
export interface EndTimes {
  handlersMs: number;
  graceMs: number;
}

/** The steps in which a shard ends, in this order. */
export interface EndSteps {
  /** Resolves when no handler is in flight. */
  readonly settled: Promise<void>;
  /** Calls the app's listeners, which may close upgraded connections. */
  closeApp(): Promise<void>;
  /** Resolves when no upgraded connection is open. */
  disconnected(): Promise<void>;
  /** Closes those that are left. */
  disconnect(): void;
}

/** Ends the thread, or whatever else runs the shard. */
export type EndShard = (steps: EndSteps, times: EndTimes) => void;

/** A shard: passes the commands of the control thread and the HTTP threads to its loop and its handlers. */
export class Shard {
  readonly loop: ShardLoop;
  readonly #context: ShardContext;
  readonly #end: EndShard;
  readonly #info: ShardInfo;
  readonly #checks: HealthChecks;
  /** URL of the user's module. */
  readonly #module: string;
  readonly #isTraced: boolean;
  #heapTimer: NodeJS.Timeout | undefined;
  #isEnding = false;

  /** @throws LoopShardError ROUTES_DIFFER */
  constructor(start: ShardStart, app: AppDefinition, endShard: EndShard) {
    if (start.table !== undefined) expectTable(app.table(), start.table);
    const context = createContext(start, app);
    this.#context = context;
    this.#module = start.module;
    this.#isTraced = start.traces;
    this.#end = endShard;
    const { shard, group } = context;
    this.#info = { shard, group, index: start.index };
    this.#checks = new HealthChecks(app.healthChecks, this.#info, (report) => this.#report(report));
    this.loop = new ShardLoop(
      context,
      start,
      createLimiter(start, context),
      () => this.#receive() || context.http.receive(),
    );
  }

  /** What the shard publishes about itself. */
  get counters(): CounterWriter {
    return this.#context.counters;
  }

  /**
   * Calls the `onStart` listeners in order, and runs the health checks, which need not pass.
   * @throws LoopShardError MODULE_FAILED
   */
  async startApp(): Promise<void> {
    const { app } = this.#context;
    for (const listener of app.onStart) {
      try {
        await listener(this.#info);
      } catch (error) {
        throw await moduleFailure('A listener of `app.onStart()` failed', error);
      }
    }
    await this.#checks.start();
    await this.#trace();
  }

  /** Traces requests if the app has registered an SDK of OpenTelemetry. */
  async #trace(): Promise<void> {
    if (!this.#isTraced || !hasSdk()) return;
    const { loadApi, RequestTracer } = await import('./observing/request-tracer.js');
    const api = loadApi(this.#module);
    if (api === undefined) process.emitWarning(NO_API, 'LoopShardWarning');
    else this.loop.handlers.observers.trace(new RequestTracer(api));
  }

  /** Starts to listen for commands, and reports that the shard is ready. */
  begin(): void {
    const { app, channel, http, times } = this.#context;
    // This listener also keeps the event loop alive while the shard is parked.
    channel.on('message', (command: ShardCommand) => this.#obey(command));
    http.listen(
      (command) => obeyHttp(this.loop.handlers, command),
      () => {
        while (this.#receive());
      },
    );
    const { queueTime, handlerTime, batchSize } = times;
    this.#report({ type: 'ready', table: app.table(), histograms: { queueTime, handlerTime, batchSize } });
    this.#checks.begin();
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
        if (command.times !== undefined) this.#countTimes(command.times);
        return this.loop.start();
      case 'permits':
        return this.loop.permitsChanged();
      case 'ping':
        return this.#report({ type: 'pong' });
      case 'http':
        return http.replace(command.http, command.end);
      case 'gone':
        this.loop.handlers.onHttpThreadGone(command.http, command.requests);
        // The HTTP thread may have ended after publishing but before ringing the doorbell.
        return this.loop.look();
      case 'drain':
        return this.loop.handlers.drain();
      case 'heapSnapshot':
        return sendHeapSnapshot(command.port);
      case 'close':
        if (!this.#isEnding) return this.end(this.stop(), command);
        // It was replaced, or has had an uncaught exception, and the server closes now: handlers may have less time than before.
        setTimeout(() => this.loop.giveUp(), command.handlersMs).unref();
    }
  }

  #countTimes(memory: SharedArrayBuffer): void {
    const writer = new RouteTimesWriter(memory);
    this.#context.times.routes = writer;
    measureHeap(writer);
    this.#heapTimer = setInterval(measureHeap, HEAP_MS, writer).unref();
  }

  /** Whether `stop` was called: the shard is about to end. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Stops claiming, and starts the slots already claimed; called once. Resolves when no handler is in flight. */
  stop(): Promise<void> {
    this.#isEnding = true;
    clearInterval(this.#heapTimer);
    this.#checks.stop();
    return this.loop.stop();
  }

  /**
   * Ends the shard: streamed responses are told to end, and started requests settle.
   * @param settled resolves when no handler is in flight
   */
  end(settled: Promise<void>, times: EndTimes): void {
    const { loop } = this;
    loop.handlers.drain();
    const steps: EndSteps = {
      settled,
      closeApp: () => this.#closeApp(),
      disconnected: () => loop.disconnected(),
      disconnect: () => loop.handlers.closeUpgraded(),
    };
    this.#end(steps, times);
  }

  /** Calls the `onClose` listeners in reverse order. If one fails, the others are still called. */
  async #closeApp(): Promise<void> {
    const { app } = this.#context;
    // Before the app ends its SDK.
    await this.loop.handlers.observers.finish();
    for (const listener of app.onClose.toReversed()) {
      try {
        await listener(this.#info);
      } catch (error) {
        const message = 'a listener of `app.onClose()` failed';
        this.#report({ type: 'failure', message, error: describe(error) });
      }
    }
  }
}

function measureHeap(writer: RouteTimesWriter): void {
  const { used_heap_size, total_heap_size, heap_size_limit, external_memory } = getHeapStatistics();
  writer.heap = {
    used: used_heap_size,
    total: total_heap_size,
    limit: heap_size_limit,
    external: external_memory,
  };
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
    case 'bodies':
      for (const piece of bodiesOf(command.batch)) handlers.onBodyPiece(piece);
      return;
    case 'sent':
      return handlers.observers.onReports(command.reports);
    case 'unhandled':
      return handlers.observers.onUnhandled(command.requests);
  }
}

/** The pieces of a batch, each in a buffer of its own. */
function* bodiesOf(batch: ArrayBuffer): Generator<BodyPiece> {
  for (const { slot, sequence, start, end, last } of piecesOf(batch)) {
    const piece: BodyPiece = { slot, sequence, bytes: batch.slice(start, end), length: end - start };
    if (last !== undefined) piece.last = last;
    yield piece;
  }
}

/** @throws LoopShardError ROUTES_DIFFER */
function expectTable(table: RouteTable, expected: RouteTable): void {
  if (isDeepStrictEqual(comparable(table), comparable(expected))) return;
  throw new LoopShardError(
    'ROUTES_DIFFER',
    'The module does not define the same routes each time it is loaded. Routes must not depend on anything that differs between threads. Restart the server after you change the module.',
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
    side: new ShardSide(core, map, start.shard, othersOf(start), start.group),
    addresses,
    app,
    clock: new Clock(start.epochMs),
    counters: new CounterWriter(core, addresses.counters),
    times: new Times(),
    channel: start.channel,
    http,
    isTimed: timedClients(start.serverTiming),
    maxResponseBytes: start.maxResponseBytes,
    compress: start.compress,
    requestId: start.requestId,
    trusted: trustedProxies(start.trustProxy),
    keepAliveLines: start.keepAliveLines,
    maxAbandoned: start.maxAbandoned,
    maxStreams: start.maxStreams,
  };
}

/** Returns the other shards of the group from which the shard may claim. */
function othersOf({ shard, steal, group: { first, count, most } }: ShardStart): number[] {
  if (!steal || most === 1) return [];
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
