// A chat: HTTP on the shards, WebSockets by `ws` on the HTTP thread. `node examples/websocket/main.js 8000`
import { serve } from 'loopshard';
import { WebSocketServer } from 'ws';

// One HTTP thread: with several, each of them would need a `ws` of its own, and would know its own clients only.
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
  // @ts-expect-error: ws declares an http.IncomingMessage, and needs what an UpgradeRequest has
  chat.handleUpgrade(request, socket, head, (client) => chat.emit('connection', client));
});

chat.on('connection', (client) => {
  // Whoever breaks the protocol is sent away by `ws`.
  client.on('error', (error) => console.error(error.message));
  client.on('message', (data, isBinary) => {
    for (const other of chat.clients) other.send(data, { binary: isBinary });
  });
});

console.log(`listening on port ${server.address().port}`);

process.once('SIGTERM', async () => {
  // WebSockets are ended by those who know them; close() would wait for them.
  for (const client of chat.clients) client.close(1001);
  await server.close();
});
