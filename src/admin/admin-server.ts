import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRouter, type PathRouter } from '../app/routing.js';
import type { AdminRules } from '../options/admin.js';
import { Access } from './access.js';
import { AdminError, adminErrorOf } from './admin-error.js';
import { Agent } from './agent.js';
import { type Endpoint, endpointsOf, sendJson } from './endpoints.js';
import { EventHub } from './event-hub.js';
import { History } from './history.js';
import { openListener } from './open-listener.js';
import type { AdminSubject } from './subject.js';

/** More than people and their monitoring need. */
const MAX_CONNECTIONS = 256;
/** How long a client may take to send a request, and its head alone: connections are limited, and probes need one. */
const REQUEST_MS = 10_000;
const HEAD_MS = 5_000;
const LOOK_MS = 1_000;
const METHODS = ['GET', 'POST'] as const;

/**
 * The admin listener: a server of `node:http` for those who operate the server. It runs on the control thread, so it answers while all shards
 * are busy.
 */
export class AdminServer {
  readonly #rules: AdminRules;
  readonly #server: Server;
  readonly #access: Access;
  readonly #history: History | undefined;
  readonly #events: EventHub;
  readonly #agent: Agent | undefined;
  readonly #router: PathRouter = createRouter();

  constructor(rules: AdminRules, subject: AdminSubject) {
    this.#rules = rules;
    this.#access = new Access(rules);
    this.#history = subject.hasMetrics ? new History(subject) : undefined;
    this.#events = new EventHub(subject, this.#history);
    if (rules.agentPort !== undefined) this.#agent = new Agent({ ...rules, port: rules.agentPort }, subject);
    for (const endpoint of endpointsOf(subject, this.#events, this.#history)) {
      this.#router.on(endpoint.method, endpoint.pattern, () => {}, endpoint);
    }
    const patience = { requestTimeout: REQUEST_MS, headersTimeout: HEAD_MS, connectionsCheckingInterval: LOOK_MS };
    this.#server = createServer(patience, (request, response) => void this.#respond(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws LoopShardError PORT_IN_USE, LISTEN_FAILED */
  async listen(): Promise<void> {
    await openListener(this.#server, this.#rules, 'admin');
    await this.#agent?.listen();
    this.#history?.start();
  }

  address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** Where the agent listens, if it does. */
  agentAddress(): AddressInfo | undefined {
    return this.#agent?.address();
  }

  /** Ends event streams and closes all connections. */
  close(): Promise<void> {
    this.#history?.stop();
    this.#events.close();
    this.#agent?.close();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const [path, query] = (request.url ?? '').split('?', 2);
      const { endpoint, params } = this.#find(request.method === 'HEAD' ? 'GET' : request.method, path);
      if (endpoint.isOpen !== true) this.#access.check(request);
      await endpoint.handle({ request, response, params, query: new URLSearchParams(query) });
    } catch (error) {
      this.#fail(response, error);
    }
  }

  /** @throws AdminError */
  #find(method: string | undefined, path: string) {
    const found = METHODS.filter((known) => known === method).map((known) => this.#router.find(known, path))[0];
    if (found) return { endpoint: found.store as Endpoint, params: found.params };
    const allowed = METHODS.filter((known) => this.#router.find(known, path) !== null);
    if (allowed.length === 0) throw new AdminError(404, 'NOT_FOUND', 'The admin listener has no such path.');
    throw new AdminError(405, 'METHOD_NOT_ALLOWED', 'This path does not support the request method.', {
      allow: allowed.join(', '),
    });
  }

  #fail(response: ServerResponse, error: unknown): void {
    // Part of the response was sent, so it can only be broken off.
    if (response.headersSent) return void response.destroy();
    const { statusCode, code, message, headers } = adminErrorOf(error);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    sendJson(response, statusCode, { statusCode, code, message });
  }
}
