/*
 * What the admin listener costs: `npm run bench:admin -- [rounds] [seconds]`. Compares a server without it, one that nobody watches, and one with
 * four pages open and 1,000 events of shards per second, under load and idle. The three take turns.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startChild } from '../http/children.js';
import { busyCores } from '../http/quietness.js';
import { startServer } from '../http/server-process.js';
import { BODY } from '../http/servers/workload.js';
import { spread } from '../http/statistics.js';
import { runWrk, wrkVersion } from '../http/wrk.js';

const PAGES = 4;
const EVENTS_PER_S = 1_000;
const CONNECTIONS = 50;
const WARM_UP_SECONDS = 2;
const IDLE_SECONDS = 5;
/** How long the last events may take. */
const PATIENCE_MS = 10_000;
/** Linux counts CPU time in ticks of 10 ms. */
const MS_PER_TICK = 10;
const SERVER = fileURLToPath(new URL('./server.js', import.meta.url));
const WATCHERS = fileURLToPath(new URL('./watchers.js', import.meta.url));

const { positionals } = parseArgs({ allowPositionals: true });
const [rounds = 7, seconds = 3] = positionals.map(Number);

/** @typedef {import('../http/server-process.js').RunningServer} RunningServer */
/** @typedef {{ rate: number, p99Us: number, cpuUs: number }} Result */

/** @param {object} options of serve() */
function start(options) {
  const args = [JSON.stringify({ shards: 1, ...options })];
  const peer = { id: 'admin', title: 'admin', file: SERVER, args, body: BODY, skips: [] };
  return startServer(/** @type {never} */ (peer), process.execPath, [], { messages: true });
}

/** CPU time of all threads. @param {RunningServer} server */
function cpuMs({ child }) {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** @param {import('../http/children.js').Child} child @param {unknown} question */
async function ask(child, question) {
  child.send(/** @type {never} */ (question));
  const [answer] = await once(child, 'message');
  return answer;
}

/** @param {RunningServer} server @returns {Promise<Result>} */
async function load(server) {
  const before = cpuMs(server);
  const { requests, seconds: taken, p99Us, errors } = await runWrk(server, CONNECTIONS, seconds);
  if (Object.values(errors).some((count) => count > 0)) throw new Error(`errors under load: ${JSON.stringify(errors)}`);
  return { rate: requests / taken, p99Us, cpuUs: ((cpuMs(server) - before) * 1_000) / requests };
}

/** CPU time of an idle server, in milliseconds per second. @param {RunningServer} server */
async function idle(server) {
  const before = cpuMs(server);
  await sleep(IDLE_SECONDS * 1_000);
  return (cpuMs(server) - before) / IDLE_SECONDS;
}

/**
 * Opens pages, emits events, and checks that they arrive.
 * @template Of
 * @param {RunningServer} server @param {number} adminPort @param {() => Promise<Of>} measure
 */
async function watched(server, adminPort, measure) {
  const watchers = startChild(process.execPath, [WATCHERS, String(adminPort), String(PAGES)], { messages: true });
  await once(watchers, 'message');
  const { emitted: before } = await ask(server.child, { eventsPerS: EVENTS_PER_S });
  const begin = performance.now();
  const result = await measure();
  const { emitted } = await ask(server.child, { eventsPerS: 0 });
  const perS = ((emitted - before) * 1_000) / (performance.now() - begin);
  const wanted = emitted - before;
  const deadline = performance.now() + PATIENCE_MS;
  for (let read = 0; read < wanted; ) {
    ({ events: read } = await ask(watchers, 'count'));
    if (performance.now() > deadline) throw new Error(`only ${read} of ${wanted} events have arrived`);
    await sleep(20);
  }
  watchers.kill();
  await once(watchers, 'close');
  return { result, perS };
}

/** @param {number[]} values */
function median(values) {
  return /** @type {import('../http/statistics.js').Spread} */ (spread(values)).median;
}

console.log(
  `${os.cpus()[0]?.model.trim()}, ${os.availableParallelism()} cores, Node ${process.versions.node}, wrk ${wrkVersion()} -t1 -c${CONNECTIONS}, 1 shard, ${rounds} × ${seconds} s, in turns; ${(await busyCores()).toFixed(1)} cores busy with other work`,
);
const off = await start({});
const on = await start({ admin: { port: 0 } });
const { adminPort } = await ask(on.child, { eventsPerS: 0 });
for (const server of [off, on]) await runWrk(server, CONNECTIONS, WARM_UP_SECONDS);

/** @type {Record<string, Result[]>} */
const results = { without: [], unwatched: [], watched: [] };
/** @type {number[]} */
const eventRates = [];
for (let round = 0; round < rounds; round++) {
  const steps = [
    async () => results.without.push(await load(off)),
    async () => results.unwatched.push(await load(on)),
    async () => {
      const { result, perS } = await watched(on, adminPort, () => load(on));
      results.watched.push(result);
      eventRates.push(perS);
    },
  ];
  for (const step of round % 2 === 0 ? steps : steps.toReversed()) await step();
}
const titles = {
  without: 'without the admin listener',
  unwatched: 'with it, nobody watches',
  watched: `${PAGES} pages, ${median(eventRates).toFixed(0)} events/s`,
};
for (const [name, all] of Object.entries(results)) {
  /** @param {(result: Result) => number} value */
  const compared = (value) => {
    const ratio = median(all.map((result, round) => value(result) / value(results.without[round])));
    return `${median(all.map(value)).toFixed(1)} (${ratio.toFixed(2)} ×)`;
  };
  console.log(
    `${titles[/** @type {keyof typeof titles} */ (name)]}: ${compared(({ rate }) => rate)} requests/s, p99 ${compared(({ p99Us }) => p99Us / 1_000)} ms, ${compared(({ cpuUs }) => cpuUs)} µs of CPU time per request`,
  );
}
const quiet = {
  off: await idle(off),
  on: await idle(on),
  watched: (await watched(on, adminPort, () => idle(on))).result,
};
console.log(
  `idle: ${quiet.off.toFixed(1)} ms of CPU time per second without the admin listener, ${quiet.on.toFixed(1)} with it, ${quiet.watched.toFixed(1)} with ${PAGES} pages and ${EVENTS_PER_S} events/s`,
);
await Promise.all([off.stop(), on.stop()]);
