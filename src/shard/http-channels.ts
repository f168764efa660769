import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { HttpGenerations } from '../contract/http-generations.js';
import { httpOf, type MemoryMap } from '../contract/memory-map.js';
import type { HttpEnd, RequestCommand } from '../contract/messages.js';

/** The shard's channels, one to each HTTP thread. Shard only. */
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
   * Starts listening. The channels do not keep the event loop alive.
   * @param obey called with each message
   * @param catchUp processes pending messages of the control thread, which announce HTTP threads that the shard does not know yet
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

  /** Returns the channel to the HTTP thread that submitted the request in the slot. */
  of(slot: number): MessagePort {
    const http = httpOf(this.#map, slot);
    if (this.#ends[http].generation !== this.#generations.of(http)) this.#catchUp?.();
    return this.#ends[http].port;
  }

  /** Replaces the channel when a new thread takes the number `http`. */
  replace(http: number, end: HttpEnd): void {
    this.#ends[http].port.close();
    this.#ends[http] = end;
    this.#listenTo(end.port);
  }

  /** Processes one pending message, for a thread whose event loop is blocked. Returns `false` if no message is pending. */
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
