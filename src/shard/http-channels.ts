import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { RequestCommand } from '../contract/messages.js';

/** The shard's channels to the HTTP threads, one each. Shard. */
export class HttpChannels {
  readonly #ports: MessagePort[];
  readonly #slotsOfEach: number;
  #obey: ((command: RequestCommand) => void) | undefined;

  /**
   * @param ports by HTTP thread
   * @param slots of all HTTP threads together
   */
  constructor(ports: readonly MessagePort[], slots: number) {
    this.#ports = [...ports];
    this.#slotsOfEach = slots / ports.length;
  }

  /** Calls `obey` with each message from now on. The channels do not keep the event loop alive. */
  listen(obey: (command: RequestCommand) => void): void {
    this.#obey = obey;
    for (const port of this.#ports) this.#listenTo(port);
  }

  #listenTo(port: MessagePort): void {
    port.on('message', (command: RequestCommand) => this.#obey?.(command));
    port.unref();
  }

  /** The channel to the HTTP thread that the slot belongs to. */
  of(slot: number): MessagePort {
    return this.#ports[(slot / this.#slotsOfEach) | 0];
  }

  /** Another thread takes the place of the HTTP thread `http`. */
  replace(http: number, port: MessagePort): void {
    this.#ports[http].close();
    this.#ports[http] = port;
    this.#listenTo(port);
  }

  /** Takes one message that has come, for a thread whose event loop does not turn. `false` if there is none. */
  receive(): boolean {
    for (const port of this.#ports) {
      const received = receiveMessageOnPort(port);
      if (received === undefined) continue;
      this.#obey?.(received.message);
      return true;
    }
    return false;
  }
}
