import { get, RawClient } from './client.js';
import { until } from './server.js';

/** Sends requests with nonces over several connections, each with a few in flight, until `stop`. */
export class Load {
  count = 0;
  /** Responses that are not those of their requests. */
  readonly wrong: string[] = [];
  #isOver = false;
  readonly #clients: Promise<void>[];

  /**
   * @param ports each connection gets one, in turn
   * @param prefix of the target, in front of the nonce: a route that responds with the nonce
   */
  constructor(ports: number | readonly number[], { connections = 8, prefix = '/nonce/', pipelined = 3 } = {}) {
    const all = [ports].flat();
    this.#clients = Array.from({ length: connections }, (_, number) =>
      this.#run(all[number % all.length], number, prefix, pipelined),
    );
  }

  async #run(port: number, number: number, prefix: string, pipelined: number): Promise<void> {
    const client = await RawClient.open(port);
    for (let i = 0; !this.#isOver; i++) {
      const nonces = Array.from({ length: pipelined }, (_, one) => `${number}-${i}-${one}`);
      client.write(nonces.map((nonce) => get(`${prefix}${nonce}`)).join(''));
      for (const nonce of nonces) {
        const { status, body } = await client.response();
        if (status !== 200 || body.toString() !== nonce) this.wrong.push(`${nonce}: ${status} ${body}`);
        this.count++;
      }
    }
    client.destroy();
  }

  /** Resolves when `count` more requests have got their responses. */
  async passed(count: number): Promise<void> {
    const end = this.count + count;
    await until(() => this.count >= end, 'more requests');
  }

  /** Resolves when the last responses have arrived. Rejects if a connection was lost. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }
}
