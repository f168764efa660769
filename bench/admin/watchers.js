/*
 * Clients that read the events of an admin listener, as open pages do. Arguments: the port, how many. Each message is answered by the number of
 * events of shards that one of them has read so far.
 */
const [port, count] = process.argv.slice(2);
let events = 0;

/** @param {Response} response @param {boolean} isCounting */
async function read({ body }, isCounting) {
  const decoder = new TextDecoder();
  /** The beginning of an event whose rest is in the next chunk. */
  let rest = '';
  for await (const chunk of /** @type {AsyncIterable<Uint8Array>} */ (/** @type {unknown} */ (body))) {
    if (!isCounting) continue;
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = /** @type {string} */ (blocks.pop());
    events += blocks.filter((block) => block.startsWith('event: shard\n')).length;
  }
}

process.on('message', () => process.send?.({ events }));
const pages = Array.from({ length: Number(count) }, () => fetch(`http://127.0.0.1:${port}/events`));
for (const [index, response] of (await Promise.all(pages)).entries()) void read(response, index === 0);
process.send?.('open');
