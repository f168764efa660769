import { once } from 'node:events';
import { createServer } from 'node:http';

/** What the gate sends when it is open. */
export const LATER = 'Arrived later';

/** A server that responds once it is opened. Pages ask it for their last part, so that no time decides. */
export class Gate {
  #isOpen = false;
  /** @type {import('node:http').ServerResponse[]} */
  #waiting = [];
  #server = createServer((_, response) => {
    this.#waiting.push(response);
    if (this.#isOpen) this.open();
  });

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get address() {
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${port}/`;
  }

  shut() {
    this.#isOpen = false;
  }

  open() {
    this.#isOpen = true;
    for (const response of this.#waiting.splice(0)) response.end(LATER);
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
