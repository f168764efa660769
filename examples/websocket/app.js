// The HTTP side of the chat: runs on the shards.
import { createApp } from 'loopshard';

const app = createApp();

app.get('/', () => 'Connect a WebSocket to /chat; what one says, all hear.');

export default app;
