import { setImmediate } from 'node:timers';
import zlib, { constants } from 'node:zlib';
import type { Encoding } from '../../options/compression.js';
import { toBytes } from '../streams/stream-source.js';

/** Available from Node.js 22.15 on. It is negotiated only if available. */
const zstd = zlib as unknown as { zstdCompressSync(bytes: Uint8Array): Buffer; createZstdCompress(): Engine };
/** Takes as long as gzip's default and compresses better. Brotli's default quality takes a hundred times longer. */
const BROTLI_QUALITY = 4;

/** Compresses synchronously: for small bodies, that is faster than zlib's threads (docs/internals.md). */
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

/** gzip's default flush would reset the dictionary. ZSTD_e_flush (1) has no named constant in Node.js versions without zstd. */
const FLUSH_KINDS = { gzip: constants.Z_SYNC_FLUSH, br: constants.BROTLI_OPERATION_FLUSH, zstd: 1 } as const;

/** Compresses a stream. Each chunk is flushed, so that it does not wait for the next one. Shard only. */
export class CompressedStream implements AsyncIterableIterator<Uint8Array> {
  readonly #encoding: Encoding;
  readonly #engine: Engine;
  readonly #source: AsyncIterator<unknown>;
  /** The chunk that was already read from the source. */
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
      // Resolve in the next turn, after all 'data' events.
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
