/*
 * What a WebSocket costs where: `ws` on a shard, on the HTTP thread (server.onUpgrade), and on node:http.
 * Usage: npm run bench:websockets -- [rounds] [seconds] [idle connections]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { endChildrenOnExit } from '../http/children.js';
import { busyCores } from '../http/quietness.js';
import { startServer } from '../http/server-process.js';
import { spread } from '../http/statistics.js';

const CONNECTIONS = 50;
/** Each connection sends so often, while another client requests the blocking route so often. */
const INTERVAL_MS = 200;
const BLOCK_EVERY_MS = 200;
/** How long a server may take to return memory of the handshakes. */
const SETTLE_MS = 2_000;

const { positionals } = parseArgs({ allowPositionals: true });
const [rounds = 5, seconds = 3, idle = 5_000] = positionals.map(Number);

/** @typedef {import('../http/server-process.js').RunningServer} RunningServer */

const peers = [
  ['node-http', '`ws` on `node:http`', 'node-http.js', []],
  ['shard', '`ws` on a shard', 'loopshard.js', ['shard']],
  ['http-thread', '`ws` on the HTTP thread', 'loopshard.js', ['http-thread']],
].map(([id, title, file, args]) => ({
  id: `${id}`,
  title: `${title}`,
  file: fileURLToPath(new URL(`./servers/${file}`, import.meta.url)),
  args: /** @type {string[]} */ (args),
  body: '',
  skips: [],
}));

endChildrenOnExit();
const client = fork(fileURLToPath(new URL('./client.js', import.meta.url)));

/** @param {RunningServer} server @param {object} plan */
async function ask({ url }, plan) {
  client.send({ port: Number(new URL(url).port), ...plan });
  const [result] = await once(client, 'message');
  if (result.error !== undefined) throw new Error(result.error);
  return result;
}

/** @param {number} pid */
function residentBytes(pid) {
  const [, kib] = /** @type {RegExpMatchArray} */ (readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/));
  return Number(kib) * 1_024;
}

/** @param {typeof peers[number]} peer */
const start = (peer) => startServer(peer, process.execPath);

/** Measures every server once in each round, in an order that changes. @param {(server: RunningServer) => Promise<Record<string, number>>} measure */
async function measureAll(measure) {
  /** @type {Map<string, Record<string, number>[]>} */
  const results = new Map(peers.map(({ id }) => [id, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(round + i) % peers.length];
      const server = await start(peer);
      results.get(peer.id)?.push(await measure(server));
      await server.stop();
    }
  }
  return results;
}

/** @param {Map<string, Record<string, number>[]>} results @param {string} name */
function column(results, name, digits = 0) {
  return peers.map(({ id }) => {
    const all = /** @type {Record<string, number>[]} */ (results.get(id)).map((one) => one[name] ?? 0);
    const { median, min, max } = /** @type {import('../http/statistics.js').Spread} */ (spread(all));
    const text = (/** @type {number} */ value) => value.toLocaleString('en', { maximumFractionDigits: digits });
    return `${text(median)} (${text(min)}–${text(max)})`;
  });
}

/** @param {Record<string, string[]>} columns */
function print(columns) {
  console.log(`| | ${Object.keys(columns).join(' | ')} |\n|---|${'---|'.repeat(Object.keys(columns).length)}`);
  for (const [i, { title }] of peers.entries()) {
    console.log(
      `| ${title} | ${Object.values(columns)
        .map((values) => values[i])
        .join(' | ')} |`,
    );
  }
  console.log();
}

console.log(
  `${os.cpus()[0]?.model.trim()}, ${os.availableParallelism()} cores, Node ${process.versions.node}, ${rounds} × ${seconds} s, one process of clients on the same cores, messages of 64 bytes; ${(await busyCores()).toFixed(1)} cores busy with other work. Medians (lowest–highest).\n`,
);

const echoes = await measureAll(async (server) => {
  const before = server.cpuUs() ?? {};
  const { perSecond, messages } = await ask(server, { type: 'echo', count: CONNECTIONS, seconds });
  const after = server.cpuUs() ?? {};
  const us = (/** @type {string} */ role) => ((after[role] ?? 0) - (before[role] ?? 0)) / messages;
  return { perSecond, loop: us('main thread') + us('HTTP thread'), shards: us('shards') };
});
print({
  [`echoes/s, ${CONNECTIONS} connections`]: column(echoes, 'perSecond'),
  'CPU µs per echo, thread with the sockets': column(echoes, 'loop', 1),
  'CPU µs per echo, shards': column(echoes, 'shards', 1),
});

const beside = await measureAll((server) =>
  ask(server, { type: 'paced', count: CONNECTIONS, seconds, intervalMs: INTERVAL_MS, blockEveryMs: BLOCK_EVERY_MS }),
);
print({
  [`p50 of ${(CONNECTIONS * 1_000) / INTERVAL_MS} echoes/s, ms`]: column(beside, 'p50', 1),
  'p99, ms, while a route blocks for 50 ms five times a second': column(beside, 'p99', 1),
});

const memory = await measureAll(async (server) => {
  const pid = /** @type {number} */ (server.child.pid);
  await ask(server, { type: 'echo', count: CONNECTIONS, seconds: 1 });
  await sleep(SETTLE_MS);
  const before = residentBytes(pid);
  await ask(server, { type: 'hold', count: idle });
  await sleep(SETTLE_MS);
  const bytes = (residentBytes(pid) - before) / idle;
  await ask(server, { type: 'release' });
  return { kib: bytes / 1_024 };
});
print({ [`KiB of memory per idle connection, ${idle.toLocaleString('en')} connections`]: column(memory, 'kib', 1) });
client.disconnect();
