/* Where a shard begins: the main module of its thread. */
import { constants, setPriority } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { COUNTER_LONG_MEAN_OFFSET, COUNTER_SHORT_MEAN_OFFSET } from '../../assembly/layout.js';
import { type AppDefinition, definitionOf } from '../app/definition.js';
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
import { importModule, moduleFailure, pathOf } from '../contract/module-failure.js';
import { refuse } from '../contract/refusal.js';
import { ShardSide } from '../contract/shard-side.js';
import { Times } from '../contract/times.js';
import { Clock } from '../core/clock.js';
import { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { trustedProxies } from '../options/trust-proxy.js';
import type { ShardContext } from './context.js';
import { endInOrder } from './ending.js';
import type { Handlers } from './handlers.js';
import { HttpChannels } from './http-channels.js';
import { Gradient2 } from './loop/limiter.js';
import { ShardLoop } from './loop/loop.js';
import { prepareNegotiation } from './response/negotiation.js';
import { handleUncaught } from './uncaught.js';

await runShard(workerData);

/** Loads the module, says so, and does what the control thread and the HTTP threads say from then on. */
async function runShard(start: ShardStart): Promise<void> {
  const { channel } = start;
  const report = (message: ShardReport) => channel.postMessage(message);
  report({ type: 'loading' });
  watchSignals((signal) => report({ type: 'signalListener', signal }));
  let context: ShardContext;
  try {
    const app = await loadApp(start.module);
    if (start.table !== undefined) expectTable(app.table(), start.table);
    context = createContext(start, app);
    await startApp(context);
  } catch (error) {
    report(refuse(error, 'MODULE_FAILED'));
    process.exit(1);
  }
  giveWay(start.nice);
  const receive = () => {
    const received = receiveMessageOnPort(channel);
    if (received !== undefined) obey(context, loop, received.message);
    return received !== undefined;
  };
  const loop: ShardLoop = new ShardLoop(
    context,
    start,
    createLimiter(start, context),
    () => receive() || context.http.receive(),
  );
  handleUncaught(channel, loop, loop.handlers, start, (settled, times) => end(context, loop, settled, times));
  // The listener also keeps the event loop alive: a parked shard has nothing else that would.
  channel.on('message', (command: ShardCommand) => obey(context, loop, command));
  context.http.listen(
    (command) => obeyHttp(loop.handlers, command),
    () => {
      while (receive());
    },
  );
  const { queueTime, handlerTime, batchSize } = context.times;
  report({ type: 'ready', table: context.app.table(), histograms: { queueTime, handlerTime, batchSize } });
}

function obey(context: ShardContext, loop: ShardLoop, command: ShardCommand): void {
  switch (command.type) {
    case 'go':
      return loop.start();
    case 'permits':
      return loop.permitsChanged();
    case 'ping':
      return context.channel.postMessage({ type: 'pong' } satisfies ShardReport);
    case 'http':
      return context.http.replace(command.http, command.end);
    case 'gone':
      loop.handlers.onHttpThreadGone(command.http, command.requests);
      // The thread may have ended in the middle of a ring.
      return loop.look();
    case 'drain':
      return loop.handlers.drain();
    case 'close':
      return end(context, loop, loop.stop(), command);
  }
}

/** @throws LoopShardError MODULE_FAILED */
async function startApp({ app, shard, group }: ShardContext): Promise<void> {
  for (const listener of app.onStart) {
    try {
      await listener({ shard, group });
    } catch (error) {
      throw await moduleFailure('A listener of `app.onStart()` failed', error);
    }
  }
}

/** Has the thread end: responses that are streams are told, what was started settles, and then the app closes. */
function end(
  context: ShardContext,
  loop: ShardLoop,
  settled: Promise<void>,
  times: { handlersMs: number; graceMs: number },
): void {
  loop.handlers.drain();
  void endInOrder(context.channel, settled, () => closeApp(context), times);
}

/** What was opened last is closed first. A listener that fails does not keep the others from being called. */
async function closeApp({ app, shard, group, channel }: ShardContext): Promise<void> {
  for (const listener of app.onClose.toReversed()) {
    try {
      await listener({ shard, group });
    } catch (error) {
      const message = 'a listener of `app.onClose()` failed';
      channel.postMessage({ type: 'failure', message, error: describe(error) } satisfies ShardReport);
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

/** Node.js takes listeners for signals on any thread, and calls them on the main thread only. */
function watchSignals(onListener: (signal: string) => void): void {
  const watch = (event: string | symbol) => {
    if (typeof event !== 'string' || !(event in constants.signals)) return;
    process.off('newListener', watch);
    onListener(event);
  };
  process.on('newListener', watch);
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

/** Linux counts niceness by thread, and 0 means the calling one; elsewhere it would be the whole process's. */
function giveWay(nice: number): void {
  if (nice > 0 && process.platform === 'linux') setPriority(0, nice);
}

function createLimiter({ adaptive }: ShardStart, { side: { permits }, counters }: ShardContext): Gradient2 | undefined {
  if (adaptive === undefined) return undefined;
  return new Gradient2({ ...adaptive, initial: permits.limit }, (limit, shortMeanUs, longMeanUs) => {
    permits.setLimit(limit);
    counters.set(COUNTER_SHORT_MEAN_OFFSET, shortMeanUs);
    counters.set(COUNTER_LONG_MEAN_OFFSET, longMeanUs);
  });
}

/** @throws LoopShardError MODULE_FAILED, MODULE_WITHOUT_APP, or what a wrong route is refused with */
async function loadApp(url: string): Promise<AppDefinition> {
  const module = await importModule(url);
  // A CommonJS module's exports come as the default.
  const app =
    definitionOf(module.default) ?? definitionOf((module.default as { default?: unknown } | undefined)?.default);
  if (app !== undefined) return app;
  throw new LoopShardError(
    'MODULE_WITHOUT_APP',
    `${pathOf(url)} has no app as its default export. End it with \`export default app\`, where \`app\` is what \`createApp()\` returned.`,
  );
}
