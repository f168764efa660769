/* Module hooks for Node.js before 22.15: reports the modules that a shard imports. On the thread of the hooks. */
import { IMPORTS } from './names.js';

const channel = new BroadcastChannel(IMPORTS);
(channel as unknown as { unref(): void }).unref();

export async function load(url: string, context: unknown, next: (url: string, context: unknown) => unknown) {
  channel.postMessage(url);
  return next(url, context);
}
