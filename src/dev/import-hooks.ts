/* Module hooks for Node.js before 22.15: reports the modules that a shard imports. On the thread of the hooks. */
import { missingUrl } from './missing-url.js';
import { IMPORTS } from './names.js';

const channel = new BroadcastChannel(IMPORTS);
(channel as unknown as { unref(): void }).unref();

export async function resolve(
  specifier: string,
  context: { parentURL?: string },
  next: (specifier: string, context: object) => unknown,
) {
  try {
    return await next(specifier, context);
  } catch (error) {
    const missing = missingUrl(specifier, context.parentURL);
    if (missing !== undefined) channel.postMessage(missing);
    throw error;
  }
}

export async function load(url: string, context: unknown, next: (url: string, context: unknown) => unknown) {
  channel.postMessage(url);
  return next(url, context);
}
