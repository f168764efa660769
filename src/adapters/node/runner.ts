import { createServer } from 'node:http';
import { AT_PATTERN, type PatternHandler } from '../../app/definition.js';
import type { Handler } from '../../app/handler.js';
import type { RawReply } from '../../app/raw.js';
import { type AppRequest, type RequestSource, SOURCE } from '../../app/request.js';
import { type AppResponse, STATE } from '../../app/response.js';
import { createRequest, createUpgradeRequest, type NodeRequest } from '../../app/upgrades/incoming-message.js';
import { ShardSocket } from '../../app/upgrades/shard-socket.js';
import { isThenable } from '../../core/thenable.js';
import { announcedKeepAlive } from '../../options/keep-alive.js';
import type { NodeServer } from './http-server.js';
import type { NodeListener } from './kinds.js';
import { LeanSocket, type SocketOwner } from './lean-socket.js';
import type { NodeResponse } from './messages.js';
import { emitUpgrade, wantsUpgrade } from './upgrades.js';

/** What Express and Connect remember of a target before they remove a prefix. */
interface Mounted {
  originalUrl?: string;
  baseUrl?: string;
}

/** Returns the servers that the module has told to listen: their listeners may take over connections. */
export type Listening = () => readonly NodeServer[];

/** Calls a Node app for the requests of a shard. */
export class NodeRunner implements SocketOwner {
  /** Set when the shard has started. */
  listener: NodeListener | undefined;
  /** The same for all requests of a server. */
  #keepAlive: ReturnType<typeof announcedKeepAlive> | undefined;
  readonly #options = { highWaterMark: undefined, rejectNonStandardBodyWrites: false };
  readonly #listening: Listening;
  /** The server of sockets, if the app has none. */
  #standIn: NodeServer | undefined;

  constructor(listening: Listening) {
    this.#listening = listening;
  }

  /** Their listeners of `upgrade` may take over connections. */
  get servers(): NodeServer[] {
    const servers = [...this.listener!.servers, ...this.#listening()];
    return this.#standIn === undefined ? servers : [...servers, this.#standIn];
  }

  get server(): NodeServer | undefined {
    return this.listener!.servers[0] ?? this.#listening()[0] ?? this.#standIn;
  }

  serverOfSockets(): NodeServer {
    if (this.server === undefined) this.#standIn = createServer();
    return this.server!;
  }

  /** @param prefix where the app is mounted: it sees targets without it */
  handlerAt(prefix: string): PatternHandler {
    const segments = prefix.split('/').length - 1;
    const handler: Handler = (req, res) =>
      this.#run(req as unknown as AppRequest, res as unknown as AppResponse, segments);
    return Object.assign(handler, {
      [AT_PATTERN]: (pattern: string) => this.handlerAt(pattern.replace(/\/?\*?$/, '')),
    });
  }

  #run(req: AppRequest, res: AppResponse, segments: number): RawReply {
    const source = req[SOURCE];
    const upgraded = source.offersUpgrade ? this.#upgrade(source, segments) : undefined;
    if (upgraded !== undefined) return upgraded;
    const state = res[STATE];
    const socket = new LeanSocket(source, state, this);
    const types = this.listener!.types();
    const request = createRequest(source, socket, types.Request);
    if (segments > 0) strip(request, segments);
    const response = new types.Response(request, this.#options);
    response.shouldKeepAlive = !source.isLast;
    this.#keepAlive ??= announcedKeepAlive(source.keepAliveLines);
    response._keepAliveTimeout = this.#keepAlive.timeoutMs;
    response._maxRequestsPerSocket = this.#keepAlive.maxRequests;
    response.socket = socket;
    socket._httpMessage = response;
    const timeout = this.server?.timeout;
    if (timeout) socket.setTimeout(timeout);
    response.on('prefinish', onPrefinish);
    response.on('finish', onFinish);
    const result = this.listener!.call(request, response);
    if (isThenable(result)) result.then(undefined, (error) => socket.fail(error));
    socket.deliver(request);
    return socket;
  }

  /** Has the app's server take over the connection, if it takes upgrades. */
  #upgrade(source: RequestSource, segments: number): ShardSocket | undefined {
    const socket = new ShardSocket(source, (taken, head) => emitUpgrade(server!, request, taken, head));
    const request = createUpgradeRequest(source, socket);
    if (segments > 0) strip(request, segments);
    const server = this.servers.find((one) => wantsUpgrade(one, request));
    return server === undefined ? undefined : socket;
  }
}

function onPrefinish(this: NodeResponse): void {
  (this.socket as LeanSocket).complete(this._last);
}

function onFinish(this: NodeResponse): void {
  const socket = this.socket as LeanSocket;
  this.socket = null;
  socket.detach(this);
}

/** Removes the segments of a prefix from the target, and keeps the whole of it where Express and Connect look for it. */
function strip(request: NodeRequest & Mounted, segments: number): void {
  const target = request.url!;
  let at = 0;
  for (let i = 0; i < segments; i++) {
    const next = target.indexOf('/', at + 1);
    at = next < 0 ? target.length : next;
  }
  const query = target.indexOf('?');
  const end = query >= 0 && query < at ? query : at;
  const rest = target.slice(end);
  request.originalUrl = target;
  request.baseUrl = target.slice(0, end);
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
}
