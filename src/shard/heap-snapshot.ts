import { getHeapSnapshot } from 'node:v8';
import type { MessagePort } from 'node:worker_threads';

/** A piece has this many bytes or a little more, so that few turns of a busy event loop are needed. */
const PIECE_BYTES = 1 << 20;

/**
 * Takes a heap snapshot, which blocks the thread, and sends a piece of it each time one is asked for. Not `worker.getHeapSnapshot()`: the process
 * would crash if the thread ended before the snapshot was read (nodejs/node#46210), and the snapshot would be written on the control thread.
 * Shard only.
 */
export function sendHeapSnapshot(port: MessagePort): void {
  const snapshot = getHeapSnapshot();
  const parts = snapshot[Symbol.asyncIterator]();
  port.on('message', async () => port.postMessage(await nextPiece(parts)));
  port.on('close', () => snapshot.destroy());
}

async function nextPiece(parts: AsyncIterator<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let bytes = 0; bytes < PIECE_BYTES; ) {
    const { value, done } = await parts.next();
    if (done) break;
    pieces.push(value);
    bytes += value.length;
  }
  return Buffer.concat(pieces);
}
