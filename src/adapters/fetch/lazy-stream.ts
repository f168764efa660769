/* Streams of text and bytes. Most are only passed on to another body, so they exist in name until somebody reads them. */
import { Readable } from 'node:stream';

/** Content of a lazy stream. */
export type WholeContent = string | Uint8Array;

type Native = Record<symbol, unknown>;

const encoder = new TextEncoder();

/** The types of Node.js know `isDisturbed` only for its own streams. */
const { isDisturbed } = Readable as unknown as { isDisturbed(stream: ReadableStream): boolean };

/** Creates a stream of a content that nobody changes. */
export let streamOfWhole: (content: WholeContent) => ReadableStream;

/** Returns the content that a stream was created of, or `undefined`. */
export let contentBehind: (stream: ReadableStream) => WholeContent | undefined;

/** Whether a stream was read, or its content used. */
export let isUsed: (stream: ReadableStream) => boolean;

/** Whether a stream has a reader. */
export let isLocked: (stream: ReadableStream) => boolean;

/** Marks a stream as used whose content is used without reading it: other objects with the same stream see that. */
export let endStream: (stream: ReadableStream) => void;

/**
 * Passes for a `ReadableStream`. Its methods are those of Node.js, which find the state of a stream under symbols; the first access to one of
 * them creates the stream.
 */
class LazyStream {
  readonly #content: WholeContent;
  #isEnded = false;
  #native: ReadableStream | undefined;

  static {
    const untouched = (stream: object): stream is LazyStream =>
      #native in stream && (stream as LazyStream).#native === undefined;
    for (const symbol of Object.getOwnPropertySymbols(new ReadableStream())) {
      Object.defineProperty(LazyStream.prototype, symbol, {
        get(this: LazyStream) {
          return this.#created[symbol];
        },
        set(this: LazyStream, value: unknown) {
          this.#created[symbol] = value;
        },
      });
    }
    streamOfWhole = (content) => new LazyStream(content) as unknown as ReadableStream;
    contentBehind = (stream) => (#content in stream ? (stream as LazyStream).#content : undefined);
    isUsed = (stream) => (untouched(stream) ? stream.#isEnded : isDisturbed(stream));
    isLocked = (stream) => (untouched(stream) ? stream.#isEnded : stream.locked);
    endStream = (stream) => {
      if (untouched(stream)) stream.#isEnded = true;
      else if (!stream.locked) void stream.getReader().cancel();
    };
  }

  constructor(content: WholeContent) {
    this.#content = content;
  }

  get #created(): Native {
    if (this.#native === undefined) {
      this.#native = nativeStream(this.#content);
      if (this.#isEnded) void this.#native.getReader().cancel();
    }
    return this.#native as unknown as Native;
  }
}

Reflect.deleteProperty(LazyStream.prototype, 'constructor');
Object.setPrototypeOf(LazyStream.prototype, ReadableStream.prototype);
if (!isUnderstood()) streamOfWhole = nativeStream;

/** Whether the streams of this Node.js keep their state under symbols. */
function isUnderstood(): boolean {
  try {
    const stream = streamOfWhole('');
    return !isUsed(stream) && stream.getReader() !== undefined && stream.locked && !isDisturbed(stream);
  } catch {
    return false;
  }
}

function nativeStream(content: WholeContent): ReadableStream {
  return new ReadableStream(
    {
      type: 'bytes',
      pull: (controller) => {
        const chunk = typeof content === 'string' ? encoder.encode(content) : new Uint8Array(content);
        if (chunk.length > 0) controller.enqueue(chunk);
        closeBytes(controller);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Closes a stream. A reader that has passed its own buffer waits until that is given back. */
export function closeBytes(controller: ReadableByteStreamController): void {
  controller.close();
  controller.byobRequest?.respond(0);
}
