/* Sends stock changes to the clients of all shards. */
import { BroadcastChannel } from 'node:worker_threads';
import type { ServerSentEvent } from 'loopshard';
import { StockChange } from './models.js';

type Subscriber = (change: StockChange) => void;

/** Clients of this shard. */
const subscribers = new Set<Subscriber>();
/** Channel between the shards, which are threads of one process. */
let channel: BroadcastChannel;

/** Maximum number of unread changes of a client before its stream is closed, so that it reconnects. */
const MAX_BEHIND = 1_000;

export function openStock(): void {
  channel = new BroadcastChannel('shop-stock');
  channel.onmessage = (message: { data: unknown }) => tell(StockChange.parse(message.data));
}

export function closeStock(): void {
  channel.close();
}

/** Publishes a change. Call it after the commit. */
export function publishStock(change: StockChange): void {
  tell(change);
  channel.postMessage(change);
}

/** Streams changes from now on. */
export function stockEvents(): ReadableStream<ServerSentEvent> {
  let subscriber: Subscriber;
  return new ReadableStream({
    start(controller) {
      subscriber = (change) => {
        controller.enqueue({ event: 'stock', data: change });
        if (controller.desiredSize === null || controller.desiredSize > -MAX_BEHIND) return;
        subscribers.delete(subscriber);
        controller.close();
      };
      subscribers.add(subscriber);
    },
    cancel: () => void subscribers.delete(subscriber),
  });
}

function tell(change: StockChange): void {
  for (const subscriber of subscribers) subscriber(change);
}
