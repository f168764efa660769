import { createRequire } from 'node:module';
import type * as OpenTelemetry from '@opentelemetry/api';
import type { ShardRequest } from '../../app/handler.js';
import type { RequestEvent } from '../../app/request-events.js';

/** The head of a request, as spans describe it. */
export type TracedHead = Pick<
  ShardRequest,
  | 'header'
  | 'host'
  | 'httpVersion'
  | 'ip'
  | 'method'
  | 'protocol'
  | 'rawHeaders'
  | 'remoteAddress'
  | 'remotePort'
  | 'target'
>;

/** The span of a request and the context that contains it. */
export interface StartedSpan {
  context: OpenTelemetry.Context;
  /** Undefined if the request is not sampled. */
  span: RequestSpan | undefined;
}

type Api = typeof OpenTelemetry;

/** Where instrumentations of frameworks find the span of the server, and note the route (`RPCMetadata` of @opentelemetry/core). */
const RPC_METADATA = 'OpenTelemetry SDK Context Key RPC_METADATA';

/** Methods of the semantic conventions. Others are recorded as `_OTHER`, since attributes must have few values. */
const KNOWN_METHODS = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]);
const OTHER = '_OTHER';
/** Parameters of queries that contain signatures, by the semantic conventions. */
const SECRETS = /((?:^|&)(?:AWSAccessKeyId|Signature|sig|X-Goog-Signature)=)[^&]*/g;
const HOST = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/;
const SERVER_ERROR = 500;

/**
 * Loads the API of OpenTelemetry, which is the user's.
 * @param module URL of the user's module
 * @returns `undefined` if neither the module nor this package can resolve it
 */
export function loadApi(module: string): Api | undefined {
  for (const from of [module, import.meta.url]) {
    try {
      return createRequire(from)('@opentelemetry/api');
    } catch {
      // The next one may resolve it.
    }
  }
  return undefined;
}

/** Creates the server spans of requests, by the semantic conventions of OpenTelemetry for HTTP. Shard only. */
export class RequestTracer {
  readonly #api: Api;
  readonly #tracer: OpenTelemetry.Tracer;
  readonly #getter: OpenTelemetry.TextMapGetter<TracedHead> = {
    get: (head, name) => head.header(name),
    keys: (head) => head.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()),
  };
  readonly #rpcMetadata: symbol;
  /** The latest host, which is usually that of the next request. */
  #host: { text: string; address: string; port: number | undefined } | undefined;

  constructor(api: Api) {
    this.#api = api;
    this.#tracer = api.trace.getTracer('loopshard');
    this.#rpcMetadata = api.createContextKey(RPC_METADATA);
  }

  start(
    head: TracedHead,
    { method, target, route, arrivedAt }: Pick<RequestEvent, 'method' | 'target' | 'route' | 'arrivedAt'>,
  ): StartedSpan {
    const { propagation, ROOT_CONTEXT, SpanKind, trace } = this.#api;
    const parent = propagation.extract(ROOT_CONTEXT, head, this.#getter);
    const known = KNOWN_METHODS.has(method);
    const options = {
      kind: SpanKind.SERVER,
      startTime: arrivedAt,
      attributes: this.#attributes(head, known ? method : OTHER, target, route),
    };
    const span = this.#tracer.startSpan(nameOf(known ? method : 'HTTP', route), options, parent);
    const context = trace.setSpan(parent, span);
    if (!span.isRecording()) return { context, span: undefined };
    span.setAttributes(detailsOf(head, known ? undefined : method));
    const metadata: RpcMetadata = { type: 'http', span };
    const own = new RequestSpan(span, metadata, method, this.#api.SpanStatusCode.ERROR);
    return { context: context.setValue(this.#rpcMetadata, metadata), span: own };
  }

  /** Calls `run` in the context. */
  within<T>(context: OpenTelemetry.Context, run: () => T): T {
    return this.#api.context.with(context, run);
  }

  /** The attributes that samplers see. */
  #attributes(head: TracedHead, method: string, target: string, route: string | undefined): OpenTelemetry.Attributes {
    const end = target.indexOf('?');
    const { host, ip } = head;
    const attributes: OpenTelemetry.Attributes = {
      'http.request.method': method,
      'url.path': end < 0 ? target : target.slice(0, end),
      'url.scheme': head.protocol,
    };
    if (end >= 0) attributes['url.query'] = target.slice(end + 1).replace(SECRETS, '$1REDACTED');
    if (route !== undefined) attributes['http.route'] = route;
    if (host !== undefined) this.#describeHost(attributes, host);
    if (ip !== undefined) attributes['client.address'] = ip;
    const userAgent = head.header('user-agent');
    if (userAgent !== undefined) attributes['user_agent.original'] = userAgent;
    return attributes;
  }

  #describeHost(attributes: OpenTelemetry.Attributes, text: string): void {
    if (this.#host?.text !== text) {
      const [, address = text, port] = HOST.exec(text) ?? [];
      this.#host = {
        text,
        address: address.replace(/^\[|\]$/g, ''),
        port: port === undefined ? undefined : Number(port),
      };
    }
    const { address, port } = this.#host;
    attributes['server.address'] = address;
    if (port !== undefined) attributes['server.port'] = port;
  }
}

interface RpcMetadata {
  type: 'http';
  span: OpenTelemetry.Span;
  /** Set by the instrumentation of a framework. */
  route?: string;
}

/** The span of one request. */
export class RequestSpan {
  readonly #span: OpenTelemetry.Span;
  readonly #metadata: RpcMetadata;
  readonly #method: string;
  readonly #errorCode: OpenTelemetry.SpanStatusCode;
  #errorType: string | undefined;

  constructor(
    span: OpenTelemetry.Span,
    metadata: RpcMetadata,
    method: string,
    errorCode: OpenTelemetry.SpanStatusCode,
  ) {
    this.#span = span;
    this.#metadata = metadata;
    this.#method = method;
    this.#errorCode = errorCode;
  }

  /** @param shard that runs the handler */
  describe(shard: number, group: string): void {
    this.#span.setAttributes({ 'loopshard.shard': shard, 'loopshard.group': group });
  }

  /** @param ms milliseconds since 1970; undefined if that has not happened */
  add(name: string, ms: number | undefined): void {
    if (ms !== undefined) this.#span.addEvent(name, ms);
  }

  fail(error: unknown, ms: number): void {
    this.#errorType = typeOf(error);
    this.#span.recordException(error as OpenTelemetry.Exception, ms);
    this.#span.setStatus({
      code: this.#errorCode,
      ...(error instanceof Error && { message: error.message }),
    });
  }

  end({ route, statusCode, isAborted, code, endedAt }: RequestEvent): void {
    const span = this.#span;
    if (statusCode !== undefined) span.setAttribute('http.response.status_code', statusCode);
    if (isAborted) span.setAttribute('loopshard.aborted', true);
    const known = route ?? this.#metadata.route;
    if (route === undefined && known !== undefined) {
      span.setAttribute('http.route', known);
      span.updateName(nameOf(this.#method, known));
    }
    const errorType = this.#errorType ?? code ?? errorOf(statusCode);
    if (errorType !== undefined) span.setAttribute('error.type', errorType);
    if (this.#errorType === undefined && (statusCode === undefined || statusCode >= SERVER_ERROR)) {
      span.setStatus({ code: this.#errorCode });
    }
    if (!isAborted) this.add('sent', endedAt);
    span.end(endedAt);
  }
}

/** Attributes that do not matter to samplers, for requests that are sampled. */
function detailsOf(
  { httpVersion, remoteAddress, remotePort }: TracedHead,
  method: string | undefined,
): OpenTelemetry.Attributes {
  return {
    'network.protocol.version': httpVersion,
    ...(remoteAddress !== undefined && { 'network.peer.address': remoteAddress }),
    ...(remotePort !== undefined && { 'network.peer.port': remotePort }),
    ...(method !== undefined && { 'http.request.method_original': method }),
  };
}

function nameOf(method: string, route: string | undefined): string {
  return route === undefined ? method : `${method} ${route}`;
}

/** The type of an error without an exception: the connection was closed before a response began, or the status says it. */
function errorOf(statusCode: number | undefined): string | undefined {
  if (statusCode === undefined) return 'CONNECTION_CLOSED';
  return statusCode >= SERVER_ERROR ? String(statusCode) : undefined;
}

/** A name of which there are few: that of the class, or a code of LoopShard. */
function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as { code?: unknown };
  return error.name === 'LoopShardError' && typeof code === 'string' ? code : error.name;
}
