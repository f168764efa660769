/* Where the parts of a `Request` come from: a request that the server received, or the arguments of the constructor. */
import { type AppRequest, type RequestSource, SOURCE } from '../../app/request.js';
import { BodyPart } from './body.js';
import type { ReceivedContent } from './content.js';
import { type HeaderList, parseLines, valueIn } from './header-list.js';
import type { HeaderSource } from './headers.js';
import { urlOf, withoutSegments } from './url.js';

/** The parts of a request. */
export interface RequestParts {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList | HeaderSource;
  /** `body` for the body's constructor. */
  readonly body: unknown;
  /** Aborted when nobody waits for the response any more. */
  readonly signal: AbortSignal;
  /** Address of the client, if the server received the request. */
  readonly ip: string | undefined;
}

/** A request that the server received. Its head remains readable after the response was sent. */
export class ReceivedRequest implements RequestParts, HeaderSource, ReceivedContent {
  readonly method: string;
  readonly #req: AppRequest;
  readonly #source: RequestSource;
  /** The head as it was sent, from the target on. */
  readonly #head: string;
  readonly #strippedSegments: number;
  readonly #isSecure: boolean;
  /** Host and protocol that trusted proxies have forwarded. */
  readonly #forwarded: { host: string | undefined; protocol: 'http' | 'https' } | undefined;
  #list: HeaderList | undefined;
  #url: string | undefined;

  /** @param strippedSegments how many segments at the beginning of the path belong to the prefix where the app is mounted */
  constructor(req: AppRequest, strippedSegments: number) {
    const source = req[SOURCE];
    this.#req = req;
    this.#source = source;
    this.method = source.method;
    this.#head = source.head();
    this.#isSecure = source.isSecure;
    this.#strippedSegments = strippedSegments;
    this.#forwarded = source.trusted === undefined ? undefined : { host: req.host, protocol: req.protocol };
  }

  get url(): string {
    this.#url ??= this.#buildUrl();
    return this.#url;
  }

  get headers(): HeaderSource {
    return this;
  }

  get body(): BodyPart | null {
    return this.method === 'GET' || this.method === 'HEAD' ? null : new BodyPart(this, undefined);
  }

  get signal(): AbortSignal {
    if (!this.#source.finished) return this.#source.signal;
    return this.#source.isAborted ? AbortSignal.abort() : new AbortController().signal;
  }

  get ip(): string | undefined {
    return this.#req.ip;
  }

  header(name: string): string | undefined {
    if (this.#list === undefined && !this.#source.finished) return this.#source.header(name);
    this.#list ??= this.headerList();
    return valueIn(this.#list, name) ?? undefined;
  }

  headerList(): HeaderList {
    const end = this.#head.indexOf('\r\n');
    return end < 0 ? [] : parseLines(this.#head.slice(end + 2));
  }

  get isStreamed(): boolean {
    return this.#source.isStreamed;
  }

  copyBytes(): Uint8Array<ArrayBuffer> {
    return this.#source.copyBytes();
  }

  text(): string {
    return this.#source.text();
  }

  stream(): AsyncIterableIterator<Uint8Array> {
    return this.#source.stream();
  }

  #buildUrl(): string {
    const end = this.#head.indexOf(' ');
    const sent = end < 0 ? this.#head : this.#head.slice(0, end);
    const target = this.#strippedSegments === 0 ? sent : withoutSegments(sent, this.#strippedSegments);
    const { host, protocol } = this.#forwarded ?? {
      host: this.header('host'),
      protocol: this.#isSecure ? 'https' : 'http',
    };
    return urlOf(protocol, host, target);
  }
}

/** A request that code has constructed. */
export class ConstructedRequest implements RequestParts {
  readonly ip = undefined;
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  readonly body: unknown;
  readonly #follows: { readonly signal: AbortSignal } | undefined;
  #signal: AbortSignal | undefined;

  /** @param follows has the signal that the request's own signal follows */
  constructor(
    method: string,
    url: string,
    headers: HeaderList,
    body: unknown,
    follows: { readonly signal: AbortSignal } | undefined,
  ) {
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.body = body;
    this.#follows = follows;
  }

  get signal(): AbortSignal {
    this.#signal ??=
      this.#follows === undefined ? new AbortController().signal : AbortSignal.any([this.#follows.signal]);
    return this.#signal;
  }
}
