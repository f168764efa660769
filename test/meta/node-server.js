/* Runs a handler of node:http on its own. Arguments: the module, and the name of its export. Prints its port. */
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [module, name] = process.argv.slice(2);
const { [name]: handler } = await import(pathToFileURL(resolve(module)).href);
const server = createServer(handler);
server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  console.log(`listens on http://127.0.0.1:${port}`);
});
