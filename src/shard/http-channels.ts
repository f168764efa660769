import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { HttpGenerations } from '../contract/http-generations.js';
import { httpOf, type MemoryMap } from '../contract/memory-map.js';
import type { HttpEnd, RequestCommand } from '../contract/messages.js';

/** The shard's channels to the HTTP threads, one each. Shard. */
export class HttpChannels {
  readonly #map: MemoryMap;
  readonly #generations: HttpGenerations;
  readonly #ends: HttpEnd[];
  #obey: ((command: RequestCommand) => void) | undefined;
  #catchUp: (() => void) | undefined;

  /** @param ends by HTTP thread */
  constructor(map: MemoryMap, generations: HttpGenerations, ends: readonly HttpEnd[]) {
    this.#map = map;
    this.#generations = generations;
    this.#ends = [...ends];
  }

  /**
   * The channels do not keep the event loop alive.
   * @param obey called with each message from now on
   * @param catchUp does what the control thread has said so far: it has told of an HTTP thread that is not known yet
   */
  listen(obey: (command: RequestCommand) => void, catchUp: () => void): void {
    this.#obey = obey;
    this.#catchUp = catchUp;
    for (const { port } of this.#ends) this.#listenTo(port);
  }

  #listenTo(port: MessagePort): void {
    port.on('message', (command: RequestCommand) => this.#obey?.(command));
    port.unref();
  }

  /** The channel to the HTTP thread that has submitted the request in the slot. */
  of(slot: number): MessagePort {
    const http = httpOf(this.#map, slot);
    if (this.#ends[http].generation !== this.#generations.of(http)) this.#catchUp?.();
    return this.#ends[http].port;
  }

  /** Another thread takes the place of the HTTP thread `http`. */
  replace(http: number, end: HttpEnd): void {
    this.#ends[http].port.close();
    this.#ends[http] = end;
    this.#listenTo(end.port);
  }

  /** Takes one message that has come, for a thread whose event loop does not turn. `false` if there is none. */
  receive(): boolean {
    for (const { port } of this.#ends) {
      const received = receiveMessageOnPort(port);
      if (received === undefined) continue;
      this.#obey?.(received.message);
      return true;
    }
    return false;
  }
}
