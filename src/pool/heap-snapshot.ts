import { once } from 'node:events';
import { Readable } from 'node:stream';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { LoopShardError } from '../errors.js';
import type { ShardLife } from './shard-life.js';

/**
 * Takes a heap snapshot of a shard, as soon as its event loop turns. Resolves when the first piece has arrived. Control thread.
 * @throws LoopShardError SHARD_NOT_READY
 */
export async function takeHeapSnapshot(life: ShardLife): Promise<Readable> {
  const { port1, port2 } = new MessageChannel();
  life.send({ type: 'heapSnapshot', port: port2 }, [port2]);
  const snapshot = readPieces(port1, life.number);
  await once(snapshot, 'readable');
  return snapshot;
}

function readPieces(port: MessagePort, shard: number): Readable {
  const pieces = new Readable({
    read: () => port.postMessage(undefined),
    destroy: (error, done) => {
      port.close();
      done(error);
    },
  });
  port.on('message', (piece: Uint8Array) => void pieces.push(piece.length === 0 ? null : piece));
  // After the last piece this has no effect.
  port.on('close', () =>
    pieces.destroy(
      new LoopShardError('SHARD_NOT_READY', `Shard ${shard} has ended before its heap snapshot was complete.`),
    ),
  );
  return pieces;
}
