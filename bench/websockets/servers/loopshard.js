import { serve } from 'loopshard';
import { announce } from '../../http/servers/announce.js';
import { noteThread } from '../../http/thread-roles.js';
import { echoServer } from './echo.js';

/** Argument: where WebSockets are handled. */
const [where] = process.argv.slice(2);

noteThread('HTTP thread');
const server = await serve(new URL('./app.js', import.meta.url), {
  port: 0,
  httpThreads: 1,
  groups: { default: 1, live: 1 },
});
if (where === 'http-thread') {
  const sockets = echoServer({ noServer: true });
  server.onUpgrade((request, socket, head) => {
    // @ts-expect-error: ws declares an http.IncomingMessage but uses only what an UpgradeRequest has
    sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request));
  });
}
announce(server.address().port, process.versions.node, () => server.destroy());
