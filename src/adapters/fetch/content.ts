/* What a body consists of, and its conversions. Text and bytes become a stream only if somebody asks for one. */
import { types } from 'node:util';
import { closeBytes, contentBehind, isLocked, isUsed, streamOfWhole } from './lazy-stream.js';
import { NativeResponse } from './native.js';

/** A body of a request that the server received. */
export interface ReceivedContent {
  /** The body arrives in pieces. */
  readonly isStreamed: boolean;
  copyBytes(): Uint8Array<ArrayBuffer>;
  text(): string;
  stream(): AsyncIterableIterator<Uint8Array>;
}

/** Marks a body that exists only as a stream. */
export const STREAM = Symbol('stream');

/** A body; text is not checked for lone surrogates. `null` if there is none. */
export type Content = string | Uint8Array | Blob | ReceivedContent | typeof STREAM | null;

/** A body, and the type that it has without a `content-type` header. */
export interface Extracted {
  content: Content;
  stream: ReadableStream | undefined;
  type: string | null;
}

export const TEXT_TYPE = 'text/plain;charset=UTF-8';
const FORM_TYPE = 'application/x-www-form-urlencoded;charset=UTF-8';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Extracts a body from what a constructor was given (fetch standard, section 5.2).
 * @param given neither a string nor `null` or `undefined`
 * @throws TypeError
 */
export function extract(given: unknown): Extracted {
  if (typeof given === 'object' && given !== null) {
    if (types.isUint8Array(given)) return { content: new Uint8Array(given), stream: undefined, type: null };
    if (given instanceof ReadableStream) return extractStream(given);
    if (given instanceof Blob)
      return { content: given, stream: undefined, type: given.type === '' ? null : given.type };
    if (given instanceof URLSearchParams) return { content: String(given), stream: undefined, type: FORM_TYPE };
    if (ArrayBuffer.isView(given)) {
      return { content: bytesOfView(given).slice(), stream: undefined, type: null };
    }
    if (types.isAnyArrayBuffer(given)) return { content: new Uint8Array(given).slice(), stream: undefined, type: null };
    if (given instanceof FormData || Symbol.asyncIterator in given) return extractNatively(given);
  }
  return { content: `${given}`, stream: undefined, type: TEXT_TYPE };
}

function extractStream(stream: ReadableStream): Extracted {
  if (isLocked(stream) || isUsed(stream)) {
    throw new TypeError('Cannot use this stream as a body: it is locked, or was already read.');
  }
  return { content: contentBehind(stream) ?? STREAM, stream, type: null };
}

/** Leaves multipart bodies and async iterables to the class of Node.js. */
function extractNatively(given: object): Extracted {
  const response = new NativeResponse(given as ConstructorParameters<typeof NativeResponse>[0]);
  return { content: STREAM, stream: response.body!, type: response.headers.get('content-type') };
}

function bytesOfView({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Creates a stream of a content, which is read when the stream is. */
export function streamOf(content: Exclude<Content, null | typeof STREAM>): ReadableStream {
  if (content instanceof Blob) return content.stream() as ReadableStream;
  if (!isReceived(content)) return streamOfWhole(content);
  // Copied now: the memory of a request is reused once it is finished.
  return content.isStreamed ? streamOfPieces(content.stream()) : streamOfWhole(content.copyBytes());
}

function streamOfPieces(pieces: AsyncIterableIterator<Uint8Array>): ReadableStream {
  const pull = async (controller: ReadableByteStreamController) => {
    const { done, value } = await pieces.next();
    if (done) closeBytes(controller);
    else controller.enqueue(new Uint8Array(value));
  };
  const cancel = () => void pieces.return?.();
  return new ReadableStream({ type: 'bytes', pull, cancel }, { highWaterMark: 0 });
}

function isReceived(content: string | Uint8Array | ReceivedContent): content is ReceivedContent {
  return typeof content === 'object' && 'copyBytes' in content;
}

/** Decodes a content as UTF-8, without a byte order mark. */
export async function textOf(content: Exclude<Content, typeof STREAM>): Promise<string> {
  if (content === null) return '';
  if (typeof content === 'string') return withoutMark(content.toWellFormed());
  if (content instanceof Blob) return withoutMark(await content.text());
  if (isReceived(content)) return withoutMark(content.text());
  return decoder.decode(content);
}

function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/** Returns a content as bytes that are the caller's. */
export async function bytesOf(content: Exclude<Content, typeof STREAM>): Promise<Uint8Array<ArrayBuffer>> {
  if (content === null) return new Uint8Array();
  if (typeof content === 'string') return encoder.encode(content);
  if (content instanceof Blob) return new Uint8Array(await content.arrayBuffer());
  return isReceived(content) ? content.copyBytes() : new Uint8Array(content);
}

/**
 * Reads a stream to its end.
 * @throws TypeError if a chunk is not a `Uint8Array`; whatever the stream throws
 */
export async function readAll(stream: ReadableStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    if (!types.isUint8Array(read.value))
      throw new TypeError('Cannot read the body: a chunk of its stream is not a `Uint8Array`.');
    chunks.push(read.value);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}
