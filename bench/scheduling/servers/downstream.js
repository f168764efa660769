// A service such as a database, which collapses beyond a number of concurrent calls.
import { createServer } from 'node:http';
import { announce } from '../../http/servers/announce.js';

/** Arguments: the number of concurrent calls that it can handle, and how long a call takes up to that number. */
const [bears, serviceMs] = process.argv.slice(2).map(Number);

const BODY = '{"from":"downstream"}';
const HEAD = { 'content-type': 'application/json', 'content-length': BODY.length };

let inFlight = 0;

const server = createServer((_request, response) => {
  inFlight++;
  // With twice as many calls, each takes four times as long, so throughput is halved.
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
