import { inspect } from 'node:util';
import type Cookie from 'cookie';
import type FastQuerystring from 'fast-querystring';
import type SecureJsonParse from 'secure-json-parse';
import { type Client, clientOf } from '../contract/client.js';
import type { RequestName } from '../contract/messages.js';
import type { Peer } from '../contract/peer.js';
import { lazily } from '../core/lazily.js';
import { LoopShardError } from '../errors.js';
import type { AnyMethod, Method } from '../options/methods.js';
import type { TrustedProxies } from '../options/trust-proxy.js';
import type { Headers, Params, Query, RequestSchemas, ShardRequest } from './handler.js';

const querystring = lazily<typeof FastQuerystring>('fast-querystring');
const secureJson = lazily<typeof SecureJsonParse>('secure-json-parse');
const cookie = lazily<typeof Cookie>('cookie');

/** Access to the data of a request and to its sender. All reads throw REQUEST_FINISHED once the request is finished. */
export interface RequestSource extends RequestName {
  readonly id: string;
  readonly method: AnyMethod;
  readonly target: string;
  readonly isHttp10: boolean;
  readonly peer: Peer;
  readonly trusted: TrustedProxies | undefined;
  readonly signal: AbortSignal;
  /** Whether TLS secures the connection. */
  readonly isSecure: boolean;
  /** The body arrives in pieces: only `stream()` can read it. */
  readonly isStreamed: boolean;
  /** All reads throw from now on, except this property and `isAborted`. */
  readonly finished: boolean;
  /** The client no longer waits for the response. */
  readonly isAborted: boolean;
  params(method: AnyMethod, path: string): Params;
  /** @param name in any case */
  header(name: string): string | undefined;
  /** Calls `visit` with the name, as it was sent, and the value of each header. */
  fields(visit: (name: string, value: string) => void): void;
  /** Lines of response heads that say how long an idle connection is kept. */
  readonly keepAliveLines: string;
  /** A complete body that is not empty has arrived with the head. */
  readonly hasBody: boolean;
  /** The client wants the connection closed after the response. */
  readonly isLast: boolean;
  /** Returns names and values of all headers as they were sent, one after the other. */
  pairs(): string[];
  /** Has the body that arrives in pieces delivered to `sink`. Returns `undefined` if the body is complete, and `copyBytes()` has it. */
  deliver(sink: BodySink): BodyFlow | undefined;
  /** The client offers another protocol, and a RawReply may take over the connection. */
  readonly offersUpgrade: boolean;
  /** Returns a copy of the first bytes that follow the request, if it offers another protocol. */
  upgradeHead(): Buffer;
  /** Has what follows them delivered to `sink`. The end is that of the client's side of the connection. */
  takeOver(sink: BodySink): BodyFlow;
  /** Returns the head as it was sent, from the target to the last header value, as Latin-1. */
  head(): string;
  bytes(): Uint8Array;
  /** Returns a copy of the body, which remains valid. */
  copyBytes(): Uint8Array<ArrayBuffer>;
  text(): string;
  stream(): AsyncIterableIterator<Uint8Array>;
  onAbort(listener: () => void): void;
}

/** Receives a request body as it arrives. Called in the async scope of the request. */
export interface BodySink {
  onChunk(chunk: Buffer): void;
  /** @param trailers names and values of the trailer fields, one after the other */
  onEnd(trailers: readonly string[]): void;
  /** The rest of the body never arrives. */
  onBroken(): void;
}

/** Requests more of a body. */
export interface BodyFlow {
  /** The sink has room for more: the first call starts the transfer. */
  resume(): void;
}

/** Validated parts of a request. */
export type Validated = { [part in keyof RequestSchemas]?: { value: unknown } };

/** Key of the method that sets validated parts. A global symbol, because validation may load another copy of this module. */
export const VALIDATED = Symbol.for('loopshard.validated');

/** Key of a request's source. A global symbol, because adapters may come from another copy of this module. */
export const SOURCE = Symbol.for('loopshard.source');

/** The `req` of handlers. Has only public members of the API. Shard only. */
export class AppRequest implements ShardRequest {
  readonly #source: RequestSource;
  #validated: Validated | undefined;
  #params: Params | undefined;
  #query: Query | undefined;
  #headers: Headers | undefined;
  #cookies: Readonly<Record<string, string | undefined>> | undefined;
  #client: Client | undefined;

  constructor(source: RequestSource) {
    this.#source = source;
  }

  /** Tells JSON writers that this object has content, although it has no own properties. */
  get [Symbol.toStringTag](): string {
    return 'ShardRequest';
  }

  get id(): string {
    return this.#source.id;
  }

  get method(): Method {
    return this.#source.method as Method;
  }

  get target(): string {
    return this.#source.target;
  }

  get path(): string {
    const { target } = this;
    const end = target.indexOf('?');
    return end < 0 ? target : target.slice(0, end);
  }

  get params(): Params {
    const validated = this.#validated?.params;
    if (validated !== undefined) return validated.value as Params;
    this.#params ??= this.#source.params(this.method, this.path);
    return this.#params;
  }

  get query(): Query {
    const validated = this.#validated?.query;
    if (validated !== undefined) return validated.value as Query;
    if (this.#query === undefined) {
      const { target } = this;
      const start = target.indexOf('?');
      this.#query = querystring().parse(start < 0 ? '' : target.slice(start + 1)) as Query;
    }
    return this.#query;
  }

  get headers(): Headers {
    const validated = this.#validated?.headers;
    if (validated !== undefined) return validated.value as Headers;
    this.#headers ??= this.#readHeaders();
    return this.#headers;
  }

  get body(): unknown {
    const validated = this.#validated?.body;
    if (validated !== undefined) return validated.value;
    throw new LoopShardError(
      'BODY_NOT_VALIDATED',
      '`req.body` needs a `body` schema on the route. Add one, or use `req.json()`, `req.text()` or `req.bytes()`.',
    );
  }

  get cookies(): Readonly<Record<string, string | undefined>> {
    this.#cookies ??= cookie().parseCookie(this.header('cookie') ?? '');
    return this.#cookies;
  }

  get rawHeaders(): readonly string[] {
    const fields: string[] = [];
    this.#source.fields((name, value) => fields.push(name, value));
    return fields;
  }

  get httpVersion(): '1.0' | '1.1' {
    return this.#source.isHttp10 ? '1.0' : '1.1';
  }

  get ip(): string | undefined {
    return this.#seen.ips[0];
  }

  get ips(): readonly string[] {
    return this.#seen.ips;
  }

  get remoteAddress(): string | undefined {
    return this.#source.peer.address;
  }

  get remotePort(): number | undefined {
    const { address, port } = this.#source.peer;
    return address === undefined ? undefined : port;
  }

  get protocol(): 'http' | 'https' {
    return this.#seen.protocol;
  }

  get host(): string | undefined {
    return this.#seen.host;
  }

  get signal(): AbortSignal {
    return this.#source.signal;
  }

  onAbort(listener: () => void): void {
    if (typeof listener !== 'function') {
      throw new LoopShardError('OPTION_INVALID', `\`req.onAbort()\` expects a function, got ${inspect(listener)}.`);
    }
    this.#source.onAbort(listener);
  }

  header(name: string): string | undefined {
    return this.#source.header(name);
  }

  bytes(): Uint8Array {
    return this.#source.bytes();
  }

  text(): string {
    return this.#source.text();
  }

  json<J = unknown>(): J {
    const text = this.text();
    try {
      // It ignores a byte order mark, which some clients send (permitted by RFC 8259 section 8.1).
      return secureJson().parse(text) as J;
    } catch (cause) {
      throw new LoopShardError('BODY_INVALID', `The request body is not valid JSON: ${(cause as Error).message}.`, {
        cause,
      });
    }
  }

  stream(): AsyncIterableIterator<Uint8Array> {
    return this.#source.stream();
  }

  [inspect.custom](): object {
    try {
      const { id, method, target } = this;
      return { id, method, target };
    } catch {
      return { isFinished: true };
    }
  }

  get [SOURCE](): RequestSource {
    return this.#source;
  }

  [VALIDATED](validated: Validated): void {
    this.#validated = validated;
  }

  get #seen(): Client {
    const { peer, trusted } = this.#source;
    this.#client ??= clientOf(peer, trusted, (name) => this.#source.header(name));
    return this.#client;
  }

  #readHeaders(): Headers {
    const headers: Record<string, string> = Object.create(null);
    this.#source.fields((sent, value) => {
      const name = sent.toLowerCase();
      headers[name] = name in headers ? headers[name] + separatorOf(name) + value : value;
    });
    return headers;
  }
}

/** Separator for joining repeated headers (RFC 9110 section 5.3; for cookie RFC 9113 section 8.2.3). */
export function separatorOf(name: string): string {
  return name === 'cookie' ? '; ' : ', ';
}
