import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { openListener } from './open-listener.js';
import { SmoothedShare } from './smoothed-share.js';
import type { AdminSubject } from './subject.js';

const SAMPLE_MS = 100;
/** Time constant. Load balancers usually ask at least once a second. */
export const SMOOTHING_MS = 5_000;
const PERCENT = 100;
/** With 0 %, the load balancer would send nothing, even if all servers have queues. */
const LEAST_PERCENT = 1;
/** Each load balancer opens one at a time. */
const MAX_CONNECTIONS = 64;
/** How long a connection may last, whatever the client sends. */
const CONNECTION_MS = 1_000;

/**
 * Tells HAProxy's agent check how much work this server can take: `up 75%` by its free permits, `0%` while it drains, `down` with the reason while
 * it is not ready. Not `drain`, because that would remain when the next process listens here, and only `ready` ends it, which would also end what an
 * operator has set in HAProxy. Control thread.
 */
export class Agent {
  readonly #target: { host: string; port: number };
  readonly #subject: AdminSubject;
  readonly #server: Server;
  #sampling: NodeJS.Timeout | undefined;
  #free = new SmoothedShare(1, SMOOTHING_MS);

  constructor(target: { host: string; port: number }, subject: AdminSubject) {
    this.#target = target;
    this.#subject = subject;
    this.#server = createServer((socket) => this.#respond(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws LoopShardError PORT_IN_USE, LISTEN_FAILED */
  async listen(): Promise<void> {
    await openListener(this.#server, this.#target, 'admin.agentPort');
    let at = performance.now();
    this.#free = new SmoothedShare(this.#subject.freePermits(), SMOOTHING_MS);
    this.#sampling = setInterval(() => {
      const now = performance.now();
      this.#free.add(this.#subject.freePermits(), now - at);
      at = now;
    }, SAMPLE_MS).unref();
  }

  address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  close(): void {
    clearInterval(this.#sampling);
    this.#server.close();
  }

  /** What the client sends is ignored. */
  #respond(socket: Socket): void {
    // The client has disconnected.
    socket.on('error', () => {});
    const timer = setTimeout(() => socket.destroy(), CONNECTION_MS).unref();
    socket.once('close', () => clearTimeout(timer));
    socket.resume();
    socket.end(`${this.#line()}\n`);
  }

  #line(): string {
    // HAProxy shows the reason up to the first space.
    const why = this.#subject.whyNotReady();
    if (why?.reason === 'draining') return '0%';
    if (why !== undefined) return `down#${why.reason.replaceAll(' ', '-')}`;
    return `up ${Math.max(LEAST_PERCENT, Math.round(this.#free.value * PERCENT))}%`;
  }
}
