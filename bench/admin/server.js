import { serve } from 'loopshard';
import { announce } from '../http/servers/announce.js';

/*
 * A server whose admin listener is watched. Argument: options of serve() as JSON. Emits as many events of shards per second as it is told by a
 * message, which it answers with the number of events so far and the port of its admin listener.
 */
const TICK_MS = 10;
const TICKS_PER_S = 1_000 / TICK_MS;

const options = JSON.parse(process.argv[2]);
const server = await serve(new URL('../http/servers/loopshard-app.js', import.meta.url), { port: 0, ...options });
/** @type {NodeJS.Timeout | undefined} */
let timer;
let emitted = 0;

process.on('message', ({ eventsPerS }) => {
  clearInterval(timer);
  const begin = performance.now();
  const before = emitted;
  if (eventsPerS > 0) timer = setInterval(emit, TICK_MS, eventsPerS, begin, before);
  process.send?.({ emitted, adminPort: server.adminAddress()?.port });
});

/**
 * Emits what is due, however late the timer is.
 * @param {number} eventsPerS @param {number} begin @param {number} before
 */
function emit(eventsPerS, begin, before) {
  const due = Math.floor(((performance.now() - begin) * eventsPerS) / (TICKS_PER_S * TICK_MS));
  for (; emitted - before < due; emitted++) {
    server.emit('shard', { shard: emitted % 8, group: 'default', state: 'ready', revision: 0 });
  }
}

announce(server.address().port, '', () => server.close());
