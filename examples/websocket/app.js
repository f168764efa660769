// The HTTP side of the chat: runs on the shards.
import { createApp } from 'loopshard';

const app = createApp();

app.get('/', () => 'Connect a WebSocket to /chat. Every message goes to all clients.');

export default app;
