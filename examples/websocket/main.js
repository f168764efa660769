// A chat: HTTP on the shards, WebSockets with `ws` on the HTTP thread. Run `node examples/websocket/main.js 8000`.
import { serve } from 'loopshard';
import { WebSocketServer } from 'ws';

// One HTTP thread: with several, each would have its own `ws` server and know only its own clients.
const server = await serve(new URL('./app.js', import.meta.url), {
  port: Number(process.argv[2] ?? 8000),
  httpThreads: 1,
});
const chat = new WebSocketServer({ noServer: true, maxPayload: 65_536 });

server.onUpgrade((request, socket, head) => {
  if (request.url !== '/chat') {
    socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    return;
  }
  // @ts-expect-error: ws declares an http.IncomingMessage but uses only what an UpgradeRequest has
  chat.handleUpgrade(request, socket, head, (client) => chat.emit('connection', client));
});

chat.on('connection', (client) => {
  // `ws` closes the connection after a protocol error.
  client.on('error', (error) => console.error(error.message));
  client.on('message', (data, isBinary) => {
    for (const other of chat.clients) other.send(data, { binary: isBinary });
  });
});

console.log(`listening on port ${server.address().port}`);

process.once('SIGTERM', async () => {
  // server.close() would wait for open WebSockets.
  for (const client of chat.clients) client.close(1001);
  await server.close();
});
