/* Where a shard begins: the task that piscina runs for it, and the only file that is loaded as a worker. */
import { isDeepStrictEqual } from 'node:util';
import { threadId } from 'node:worker_threads';
import { type App, isApp } from '../app.js';
import { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { readPlan, shardAddresses } from '../pool/plan.js';
import type { RouteTable, ShardCommand, ShardRefusal, ShardReport, ShardStart } from '../protocol.js';
import { TransferPort } from '../transfers.js';
import type { ShardContext } from './context.js';
import { describe } from './describe.js';
import { ShardLoop } from './loop.js';
import { AbortSignals } from './signals.js';

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
  const loop = new ShardLoop(context, start);
  await new Promise<void>((resolve) => {
    // The listener also keeps the event loop alive: a parked shard has nothing else that would.
    start.control.on('message', (command: ShardCommand) => {
      if (command.type === 'abort') return context.signals.abort(command.slot, command.sequence);
      loop.stop();
      start.control.close();
      resolve();
    });
    loop.start();
    const ready: ShardReport = { type: 'ready', threadId, table: context.app.table() };
    start.control.postMessage(ready);
  });
  return undefined;
}

/** @throws LoopShardError ROUTES_DIFFER */
function expectTable(table: RouteTable, expected: RouteTable): void {
  if (isDeepStrictEqual(table, expected)) return;
  throw new LoopShardError(
    'ROUTES_DIFFER',
    'The module does not define the routes any more that it defined when the server started; restart the server.',
  );
}

function createContext(start: ShardStart, app: App): ShardContext {
  const plan = readPlan(start.core.memory.buffer);
  const addresses = shardAddresses(plan, start.shard);
  const core = CoreMemory.attach(start.core, addresses.arena);
  return {
    shard: start.shard,
    core,
    plan,
    addresses,
    app,
    control: start.control,
    transfers: new TransferPort(start.transfers),
    signals: new AbortSignals(),
    responseLimitBytes: start.responseLimitBytes,
  };
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
