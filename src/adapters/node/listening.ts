import { EventEmitter } from 'node:events';
import { type AddressInfo, Server } from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { whenIdle } from '../../core/unsettled.js';
import { LoopShardError } from '../../errors.js';
import { isHttpServer } from './http-server.js';

/** A call of `listen()` on a shard. */
interface Listen {
  server: Server;
  given: unknown[];
}

/** How long a module that exports nothing may take to call `listen()`, for instance because it connects to a database before. */
const PATIENCE_MS = 10_000;

type Callback = (error?: Error) => void;

/**
 * Keeps HTTP servers of the user's module from opening ports on shards: the server that would listen is the app, or the module exports its
 * app and also calls `listen()` for other ways to run it. Such a server emits `listening` and has the address that it asked for. Shard only.
 */
export class CaughtListens {
  readonly #calls: Listen[] = [];
  readonly #events = new EventEmitter();
  /** By server: what it asked for, until it is closed. */
  readonly #addresses = new WeakMap<object, AddressInfo>();
  readonly #original: Pick<Server, 'listen' | 'address' | 'close'>;

  /** Catches all calls from now on. */
  constructor() {
    const caught = this;
    const { listen, address, close } = Server.prototype;
    this.#original = { listen, address, close };
    Object.assign(Server.prototype, {
      listen(this: Server, ...given: unknown[]) {
        if (!isHttpServer(this)) return listen.apply(this, given as [number]);
        caught.#catch(this, given);
        return this;
      },
      address(this: Server) {
        return caught.#addresses.get(this) ?? address.call(this);
      },
      close(this: Server, callback?: Callback) {
        if (!caught.#addresses.delete(this)) return close.call(this, callback);
        if (callback !== undefined) this.once('close', callback);
        process.nextTick(() => this.emit('close'));
        return this;
      },
    });
  }

  /** The servers that were told to listen. */
  get servers(): Server[] {
    return this.#calls.map(({ server }) => server);
  }

  /** The port that the first server asked for and did not get; 0 if none. */
  get port(): number {
    return this.#addresses.get(this.#calls[0]?.server)?.port ?? 0;
  }

  #catch(server: Server, given: unknown[]): void {
    const callback = given.at(-1);
    if (typeof callback === 'function') server.once('listening', callback as Callback);
    this.#addresses.set(server, addressOf(given));
    this.#calls.push({ server, given });
    process.nextTick(() => {
      this.#events.emit('listen');
      server.emit('listening');
    });
  }

  /**
   * Returns the server that the module has told to listen; waits for it if the module exports nothing else.
   * @throws LoopShardError MODULE_WITHOUT_APP if there are several
   */
  async server(isOnlyExport: boolean): Promise<Server | undefined> {
    if (this.#calls.length === 0 && isOnlyExport) await this.#nextCall();
    const ports = new Set(this.#calls.map(({ given }) => addressOf(given).port));
    if (ports.size > 1) {
      throw new LoopShardError(
        'MODULE_WITHOUT_APP',
        `The module exports no app, and its servers listen on several ports (${[...ports].join(', ')}), so that it is unclear which one is the app. Write \`export default server\`, or export the app.`,
      );
    }
    return this.#calls[0]?.server;
  }

  /** Resolves at the next call, or when there is nothing left that could call. */
  #nextCall(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS).unref();
      whenIdle(resolve);
      this.#events.once('listen', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Lets servers listen as usual, those that were caught included. */
  release(): void {
    Object.assign(Server.prototype, this.#original);
    for (const { server, given } of this.#calls) {
      // It was told already that its server listens.
      const own = typeof given.at(-1) === 'function' ? given.slice(0, -1) : given;
      if (this.#addresses.delete(server)) server.listen(...(own as [number]));
    }
  }
}

/** What a server asks for with `listen(port)`, `listen({ port, host })` or `listen(port, host)`. */
function addressOf([first, second]: unknown[]): AddressInfo {
  const options =
    typeof first === 'object' && first !== null ? (first as { port?: unknown; host?: unknown }) : undefined;
  const port = Number(options?.port ?? first ?? 0);
  const host = options?.host ?? second;
  const address = typeof host === 'string' ? host : '::';
  return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port: Number.isInteger(port) ? port : 0 };
}
