/* Main module of a shard's thread. */
import { constants, setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import { CaughtListens } from '../adapters/node/listening.js';
import type { ShardReport, ShardStart } from '../contract/messages.js';
import { markOwnThread } from '../contract/own-thread.js';
import { refuse } from '../contract/refusal.js';
import { endIfUnsettled } from '../core/unsettled.js';
import { endInOrder } from './ending.js';
import { loadApp, preload } from './load-app.js';
import { publishInspected, watchHeap } from './pulse.js';
import { Shard } from './shard.js';
import { handleUncaught } from './uncaught.js';

markOwnThread('shard');
endIfUnsettled(runShard(workerData));

/** Loads the user's module, reports the result, and starts the shard. */
async function runShard(start: ShardStart): Promise<void> {
  const { channel } = start;
  const report = (message: ShardReport) => channel.postMessage(message);
  report({ type: 'loading' });
  watchSignals((signal) => report({ type: 'signalListener', signal }));
  try {
    await preload(start.preload);
    const listens = new CaughtListens();
    const app = await loadApp(start.module, listens);
    if (listens.port > 0) report({ type: 'listen', port: listens.port });
    const shard = new Shard(start, app, (steps, times) => void endInOrder(channel, steps, times));
    await shard.startApp();
    giveWay(start.nice);
    handleUncaught(channel, shard, start);
    publishInspected(shard.counters);
    watchHeap(start.maxHeapMb, report);
    shard.begin();
  } catch (error) {
    report(refuse(error, 'MODULE_FAILED'));
    process.exit(1);
  }
}

/** Reports listeners for signals: Node.js accepts them on any thread but calls them on the main thread only. */
function watchSignals(onListener: (signal: string) => void): void {
  const watch = (event: string | symbol) => {
    if (typeof event !== 'string' || !(event in constants.signals)) return;
    process.off('newListener', watch);
    onListener(event);
  };
  process.on('newListener', watch);
}

/** Linux has a nice value for each thread, and 0 means the calling one. Elsewhere it would apply to the whole process. */
function giveWay(nice: number): void {
  if (nice > 0 && process.platform === 'linux') setPriority(0, nice);
}
