import { types } from 'node:util';
import { bytesOf, type Content, extract, readAll, STREAM, streamOf, TEXT_TYPE, textOf } from './content.js';
import { endStream, isLocked, isUsed } from './lazy-stream.js';
import { NativeResponse } from './native.js';

/** A body that one object hands over to another. */
export class BodyPart {
  readonly content: Content;
  readonly stream: ReadableStream | undefined;

  constructor(content: Content, stream: ReadableStream | undefined) {
    this.content = content;
    this.stream = stream;
  }
}

/** Takes the body for another object, which leaves this one with a used body. Throws TypeError if it was used before. */
export let takeBody: (from: LazyBody) => BodyPart;

/** Returns a body with the same content, and leaves this one readable. Throws TypeError if it was used before. */
export let copyBody: (from: LazyBody) => BodyPart;

/** Returns the content that is sent without reading a stream, or the stream. Throws TypeError if the body was used before. */
export let contentToSend: (body: LazyBody) => Exclude<Content, typeof STREAM> | ReadableStream;

/** The type that the body has unless a `content-type` header says otherwise. */
export let defaultTypeOf: (body: LazyBody) => string | null;

/** The body of a request or response. Shard only. */
export abstract class LazyBody {
  #content: Content;
  #stream: ReadableStream | undefined;
  readonly #type: string | null;
  #isUsed = false;

  abstract readonly headers: { get(name: string): string | null };

  static {
    takeBody = (from) => {
      from.#checkUsable();
      // A stream cannot have two owners.
      const isPiped = from.#stream !== undefined && from.#isOnlyStream;
      const part = isPiped
        ? new BodyPart(STREAM, from.#stream!.pipeThrough(new TransformStream()))
        : new BodyPart(from.#content, undefined);
      from.#use();
      return part;
    };
    copyBody = (from) => {
      from.#checkUsable();
      if (!from.#isOnlyStream) {
        if (from.#stream !== undefined) endStream(from.#stream);
        from.#stream = undefined;
        return new BodyPart(from.#content, undefined);
      }
      const [kept, copy] = from.body!.tee();
      from.#content = STREAM;
      from.#stream = kept;
      return new BodyPart(STREAM, copy);
    };
    contentToSend = (body) => {
      body.#checkUsable();
      return body.#isOnlyStream ? body.body! : (body.#content as Exclude<Content, typeof STREAM>);
    };
    defaultTypeOf = (body) => body.#type;
  }

  /** @param given the `body` of a constructor, or a `BodyPart` */
  constructor(given: unknown) {
    if (typeof given === 'string') {
      this.#content = given;
      this.#type = TEXT_TYPE;
    } else if (given === null || given === undefined) {
      this.#content = null;
      this.#type = null;
    } else if (given instanceof BodyPart) {
      this.#content = given.content;
      this.#stream = given.stream;
      this.#type = null;
    } else {
      const { content, stream, type } = extract(given);
      this.#content = content;
      this.#stream = stream;
      this.#type = type;
    }
  }

  get body(): ReadableStream | null {
    if (this.#content === null) return null;
    if (this.#stream === undefined) {
      this.#stream = streamOf(this.#content as Exclude<Content, null | typeof STREAM>);
      if (this.#isUsed) endStream(this.#stream);
    }
    return this.#stream;
  }

  get bodyUsed(): boolean {
    return this.#isUsed || (this.#stream !== undefined && isUsed(this.#stream));
  }

  async text(): Promise<string> {
    return textOf(await this.#read());
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return bytesOf(await this.#read());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  async blob(): Promise<Blob> {
    return (await this.#toNative()).blob();
  }

  async formData(): Promise<FormData> {
    return (await this.#toNative()).formData();
  }

  /** Leaves rare conversions to the class of Node.js, by type and content. */
  async #toNative(): Promise<Response> {
    const type = this.headers.get('content-type');
    const bytes = await this.bytes();
    const native = new NativeResponse(bytes, type === null ? {} : { headers: { 'content-type': type } });
    return native as Response;
  }

  /** Uses the body. A stream is read only if nothing else is known of it. */
  #read(): Exclude<Content, typeof STREAM> | Promise<Uint8Array> {
    this.#checkUsable();
    const content = this.#content;
    if (this.#isOnlyStream) {
      const read = readAll(this.body!);
      this.#isUsed = true;
      return read;
    }
    this.#use();
    return content as Exclude<Content, typeof STREAM>;
  }

  #use(): void {
    if (this.#content === null) return;
    this.#isUsed = true;
    if (this.#stream !== undefined) endStream(this.#stream);
  }

  /** The body can only be read from its stream. */
  get #isOnlyStream(): boolean {
    const content = this.#content;
    if (content === STREAM) return true;
    return typeof content === 'object' && content !== null && 'isStreamed' in content && content.isStreamed;
  }

  #checkUsable(): void {
    if (this.#content === null) return;
    if (this.bodyUsed) throw new TypeError('Body is unusable: it was already read.');
    if (this.#stream !== undefined && isLocked(this.#stream))
      throw new TypeError('Body is unusable: its stream is locked.');
  }
}

/** Returns a body in a form that constructors of Node.js accept. */
export function initOf({ content, stream }: BodyPart): string | Uint8Array | Blob | ReadableStream | null {
  if (content === null || content === STREAM) return stream ?? null;
  if (typeof content === 'string' || content instanceof Blob || types.isUint8Array(content)) return content;
  return streamOf(content);
}
