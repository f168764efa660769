import { setImmediate } from 'node:timers';
import zlib, { constants } from 'node:zlib';
import type { Encoding } from '../../options/compression.js';
import { toBytes } from '../streams/stream-source.js';

/** Node.js has it from 22.15 on; it is chosen only where it is there. */
const zstd = zlib as unknown as { zstdCompressSync(bytes: Uint8Array): Buffer; createZstdCompress(): Engine };
/** Brotli's quality that takes as long as gzip does by default, and packs better; its own default takes a hundred times longer. */
const BROTLI_QUALITY = 4;

/** Compresses at once: a shard that waits for zlib's threads is slower for what is small (docs/internals.md). */
export function compress(encoding: Encoding, bytes: Uint8Array): Buffer {
  if (encoding === 'gzip') return zlib.gzipSync(bytes);
  if (encoding === 'br') return zlib.brotliCompressSync(bytes, brotli(bytes.length));
  return zstd.zstdCompressSync(bytes);
}

function brotli(sizeHint: number) {
  return {
    params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: sizeHint },
  };
}

/** A compressor that runs on zlib's threads. */
interface Engine extends NodeJS.ReadWriteStream {
  flush(kind: number, callback: () => void): void;
  destroy(): void;
}

function createEngine(encoding: Encoding): Engine {
  if (encoding === 'gzip') return zlib.createGzip() as unknown as Engine;
  if (encoding === 'br') return zlib.createBrotliCompress(brotli(0)) as unknown as Engine;
  return zstd.createZstdCompress();
}

/** gzip's own default would forget what it has seen; ZSTD_e_flush has no name where Node.js has no zstd. */
const FLUSH_KINDS = { gzip: constants.Z_SYNC_FLUSH, br: constants.BROTLI_OPERATION_FLUSH, zstd: 1 } as const;

/** What a stream yields, compressed: each chunk is flushed, so that nothing waits for the next one. Shard. */
export class CompressedStream implements AsyncIterableIterator<Uint8Array> {
  readonly #encoding: Encoding;
  readonly #engine: Engine;
  readonly #source: AsyncIterator<unknown>;
  /** Taken from the source before. */
  #first: Uint8Array | undefined;
  #ready: Buffer[] = [];
  #isOver = false;
  #fail: (error: Error) => void = () => {};

  constructor(encoding: Encoding, first: Uint8Array, source: AsyncIterator<unknown>) {
    this.#encoding = encoding;
    this.#first = first;
    this.#source = source;
    this.#engine = createEngine(encoding);
    this.#engine.on('data', (chunk: Buffer) => this.#ready.push(chunk));
    this.#engine.on('error', (error) => this.#fail(error));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    while (this.#ready.length === 0) {
      if (this.#isOver) return { done: true, value: undefined };
      const chunk = await this.#take();
      if (chunk === undefined) await this.#finish();
      else if (chunk.length > 0) await this.#write(chunk);
    }
    const value = this.#ready.length === 1 ? this.#ready[0] : Buffer.concat(this.#ready);
    this.#ready = [];
    return { done: false, value };
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#isOver = true;
    this.#engine.destroy();
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  async #take(): Promise<Uint8Array | undefined> {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) return first;
    const { done, value } = await this.#source.next();
    return done === true ? undefined : toBytes(value);
  }

  #write(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#engine.write(chunk);
      // In the next turn, when 'data' has told of everything.
      this.#engine.flush(FLUSH_KINDS[this.#encoding], () => setImmediate(resolve));
    });
  }

  #finish(): Promise<void> {
    this.#isOver = true;
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#engine.once('end', resolve);
      this.#engine.end();
    });
  }
}
