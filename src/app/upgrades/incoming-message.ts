/* The IncomingMessage of node:http for a request on a shard, with members that its types leave out. */
import type { IncomingMessage } from 'node:http';
import { lazily } from '../../core/lazily.js';
import type { RequestSource } from '../request.js';

const http = lazily<typeof import('node:http')>('node:http');

/** @internal */
export interface NodeRequest extends IncomingMessage {
  /** The client offers another protocol, and the app takes over the connection. */
  upgrade: boolean | null;
  /** The app has begun to read the body. */
  readonly _consuming: boolean;
  readonly _readableState: { resumeScheduled: boolean };
  /** Sets the headers, or, once the message is complete, the trailers. */
  _addHeaderLines(pairs: string[], count: number): void;
  /** Reads and discards the body. */
  _dump(): void;
}

/** Constructor of requests. */
export type RequestType = new (socket: object) => NodeRequest;

/** Creates the message of a request, without its body. */
export function createRequest(source: RequestSource, socket: object, Request: RequestType): NodeRequest {
  const request = new Request(socket);
  const pairs = source.pairs();
  request._addHeaderLines(pairs, pairs.length);
  request.httpVersionMajor = 1;
  const isHttp10 = source.isHttp10;
  request.httpVersionMinor = isHttp10 ? 0 : 1;
  request.httpVersion = isHttp10 ? '1.0' : '1.1';
  request.method = source.method;
  request.url = source.target;
  return request;
}

/** Creates the message of a request whose connection changes to another protocol: it has no body. */
export function createUpgradeRequest(source: RequestSource, socket: object): NodeRequest {
  const request = createRequest(source, socket, http().IncomingMessage as unknown as RequestType);
  request.upgrade = true;
  request.complete = true;
  request.push(null);
  return request;
}
