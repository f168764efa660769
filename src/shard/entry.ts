/* Where a shard begins: the task that piscina runs for it, and the only file that is loaded as a worker. */
import { setPriority } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { threadId } from 'node:worker_threads';
import { COUNTER_LONG_MEAN_OFFSET, COUNTER_SHORT_MEAN_OFFSET, SHARD_PERMITS_OFFSET } from '../../assembly/layout.js';
import { type App, isApp } from '../app/app.js';
import { readPlan, shardAddresses } from '../contract/memory-map.js';
import {
  comparable,
  type RouteTable,
  type ShardCommand,
  type ShardRefusal,
  type ShardReport,
  type ShardStart,
} from '../contract/messages.js';
import { TransferPort } from '../contract/transfers.js';
import { Clock } from '../core/clock.js';
import { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import type { ShardContext } from './context.js';
import { describe } from './describe.js';
import { Counters } from './loop/counters.js';
import { Gradient2 } from './loop/limiter.js';
import { ShardLoop } from './loop/loop.js';
import { Times } from './loop/times.js';
import { RequestBodies } from './request/request-bodies.js';
import { AbortSignals } from './request/signals.js';
import { OutgoingStreams } from './streams/streams.js';

/** Runs the shard until the HTTP thread has it close. */
export default async function runShard(start: ShardStart): Promise<ShardRefusal | undefined> {
  let context: ShardContext;
  try {
    const app = await loadApp(start.module);
    if (start.table !== undefined) expectTable(app.table(), start.table);
    context = createContext(start, app);
  } catch (error) {
    const { message, stack } = describe(error);
    return { threadId, code: error instanceof LoopShardError ? error.code : 'MODULE_FAILED', message, stack };
  }
  giveWay(start.nice);
  const loop = new ShardLoop(context, start, createLimiter(start, context));
  await new Promise<void>((resolve) => {
    // The listener also keeps the event loop alive: a parked shard has nothing else that would.
    start.control.on('message', (command: ShardCommand) => {
      if (command.type === 'abort') return context.signals.abort(command.slot, command.sequence);
      if (command.type === 'permits') return loop.permitsChanged();
      loop.stop();
      start.control.close();
      resolve();
    });
    loop.start();
    const { queueTime, handlerTime, batchSize } = context.times;
    const ready: ShardReport = {
      type: 'ready',
      threadId,
      table: context.app.table(),
      histograms: { queueTime, handlerTime, batchSize },
    };
    start.control.postMessage(ready);
  });
  return undefined;
}

/** @throws LoopShardError ROUTES_DIFFER */
function expectTable(table: RouteTable, expected: RouteTable): void {
  if (isDeepStrictEqual(comparable(table), comparable(expected))) return;
  throw new LoopShardError(
    'ROUTES_DIFFER',
    'The module does not define the routes any more that it defined when the server started; restart the server.',
  );
}

function createContext(start: ShardStart, app: App): ShardContext {
  const plan = readPlan(start.core.memory.buffer);
  const addresses = shardAddresses(plan, start.shard);
  const core = CoreMemory.attach(start.core, addresses.arena);
  const signals = new AbortSignals();
  return {
    shard: start.shard,
    group: start.group,
    core,
    plan,
    addresses,
    app,
    clock: new Clock(start.epochMs),
    counters: new Counters(core, addresses.control),
    times: new Times(),
    control: start.control,
    transfers: new TransferPort(start.transfers),
    streams: new OutgoingStreams(start.streams),
    bodies: new RequestBodies(start.bodies, signals),
    signals,
    responseLimitBytes: start.responseLimitBytes,
    compress: start.compress,
    requestId: start.requestId,
    keepAliveLines: start.keepAliveLines,
  };
}

/** Linux counts niceness by thread, and 0 means the calling one; elsewhere it would be the whole process's. */
function giveWay(nice: number): void {
  if (nice > 0 && process.platform === 'linux') setPriority(0, nice);
}

function createLimiter({ adaptive }: ShardStart, { core, addresses, counters }: ShardContext): Gradient2 | undefined {
  if (adaptive === undefined) return undefined;
  const semaphore = addresses.control + SHARD_PERMITS_OFFSET;
  const initial = core.wasm.semaphoreLimit(semaphore);
  return new Gradient2({ ...adaptive, initial }, (limit, shortMeanUs, longMeanUs) => {
    core.wasm.semaphoreSetLimit(semaphore, limit);
    counters.set(COUNTER_SHORT_MEAN_OFFSET, shortMeanUs);
    counters.set(COUNTER_LONG_MEAN_OFFSET, longMeanUs);
  });
}

async function loadApp(url: string): Promise<App> {
  let module: { default?: unknown };
  try {
    module = await import(url);
  } catch (cause) {
    if (cause instanceof LoopShardError) throw cause;
    const { name, message } = describe(cause);
    throw new LoopShardError('MODULE_FAILED', `The module ${url} failed while it was loaded: ${name}: ${message}`, {
      cause,
    });
  }
  // A CommonJS module's exports come as the default.
  const app = isApp(module.default) ? module.default : (module.default as { default?: unknown } | undefined)?.default;
  if (isApp(app)) return app;
  throw new LoopShardError(
    'MODULE_WITHOUT_APP',
    `The module ${url} has no app as its default export; end it with "export default app", app being what createApp() returned.`,
  );
}
