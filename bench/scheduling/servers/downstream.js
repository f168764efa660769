// A service that many call at once, such as a database: it bears so many calls, and beyond them it collapses.
import { createServer } from 'node:http';
import { announce } from '../../http/servers/announce.js';

/** Arguments: how many calls at once it bears, and how long one takes as long as there are no more than that. */
const [bears, serviceMs] = process.argv.slice(2).map(Number);

const BODY = '{"from":"downstream"}';
const HEAD = { 'content-type': 'application/json', 'content-length': BODY.length };

let inFlight = 0;

const server = createServer((_request, response) => {
  inFlight++;
  // With twice as many, each takes four times as long: it answers half as many in a second.
  const crowding = Math.max(1, inFlight / bears);
  setTimeout(
    () => {
      response.writeHead(200, HEAD).end(BODY);
    },
    serviceMs * crowding ** 2,
  );
  response.once('close', () => {
    inFlight--;
  });
});

server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  announce(port, process.versions.node);
});
