/*
 * Shows that a server heals without losing requests: `npm run bench:healing`. Each scenario prints what its clients got, which check every
 * response's nonce; it exits with 1 if a request was lost or mixed up that should not have been.
 */
import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { serve } from 'loopshard';

/** @import { ServeOptions, Server } from 'loopshard' */
/** @import { Plan } from './client.js' */

/**
 * @typedef {object} Outcome
 * @property {number} sent
 * @property {Record<string, number>} statuses
 * @property {number} mixedUp
 * @property {number} lost
 */

/** @typedef {{ requests: number, seconds: number, httpThreads: number, seed: number, scenarios: string[] }} Options */

const APP = new URL('./app.js', import.meta.url);
const integer = (/** @type {string} */ text) => Number.parseInt(text, 10);

/** Clients in their own process. */
class Clients {
  /** Pairs of a time and a latency, in milliseconds. */
  /** @type {number[]} */
  times = [];
  #child;
  /** @type {Promise<Outcome>} */
  done;

  /** @param {Plan} plan */
  constructor(plan) {
    this.#child = fork(fileURLToPath(new URL('./client.js', import.meta.url)), [JSON.stringify(plan)]);
    this.done = new Promise((resolve) => {
      this.#child.on('message', (/** @type {{ times?: number[], done?: Outcome }} */ message) => {
        for (const time of message.times ?? []) this.times.push(time);
        if (message.done !== undefined) resolve(message.done);
      });
    });
  }

  stop() {
    this.#child.send('stop');
  }

  /** Requests that were answered from `from` to `to`, and percentiles of their latencies. */
  percentiles(/** @type {number} */ from, /** @type {number} */ to) {
    /** @type {number[]} */
    const values = [];
    for (let i = 0; i < this.times.length; i += 2) {
      if (this.times[i] >= from && this.times[i] < to) values.push(this.times[i + 1]);
    }
    values.sort((a, b) => a - b);
    const at = (/** @type {number} */ share) => (values[Math.floor(values.length * share)] ?? Number.NaN).toFixed(1);
    return `${values.length} responses, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, p99.9 ${at(0.999)} ms`;
  }
}

/** @param {ServeOptions} options */
function start(options, /** @type {Options} */ { httpThreads }) {
  return serve(APP, { port: 0, httpThreads, logLevel: 'silent', ...options });
}

/** @param {Partial<Plan>} plan */
function clientsOf(/** @type {Server} */ server, plan, /** @type {Options} */ { seed }) {
  const { port } = server.address();
  return new Clients({
    port,
    seed,
    connections: 32,
    pipelined: 4,
    requests: Number.MAX_SAFE_INTEGER,
    paths: ['/nonce/'],
    isRandom: false,
    ...plan,
  });
}

/** Prints the outcome. Returns whether every request got 200 and its own response. */
function report(/** @type {Outcome} */ { sent, statuses, mixedUp, lost }) {
  const { 200: fine = 0, ...others } = statuses;
  console.log(
    `  ${sent} requests: ${fine} got 200, others ${JSON.stringify(others)}; ${mixedUp} mixed up, ${lost} lost`,
  );
  return fine === sent && mixedUp === 0 && lost === 0;
}

/** Resolves once the condition holds. */
async function until(/** @type {() => boolean} */ condition) {
  while (!condition()) await sleep(2);
}

/** @type {Record<string, { text: string, run(options: Options): Promise<boolean> }>} */
const SCENARIOS = {
  stuck: {
    text: 'one of three shards in `while (true) {}`: stuckAfterMs 500, killStuckAfterMs 1,000',
    async run(options) {
      const recovery = { stuckAfterMs: 500, killStuckAfterMs: 1_000 };
      const server = await start({ shards: 3, recovery }, options);
      const clients = clientsOf(server, { connections: 16, pipelined: 1, paths: ['/work/100/', '/later/2/'] }, options);
      const since = () => performance.timeOrigin + performance.now();
      await sleep(1_000);
      const before = since();
      await sleep(options.seconds * 1_000);
      /** @type {Record<string, number>} */
      const at = {};
      const looped = since();
      // Requests that the shard has claimed, besides the one in the loop. Those that it has started get 502 too; others take the rest.
      let claimed = 0;
      server.on('shard', ({ shard, state }) => {
        at[state] ??= since() - looped;
        if (state !== 'stuck') return;
        const { limit = 1, available = 0 } = server.stats().shards.find((one) => one.shard === shard)?.permits ?? {};
        claimed = limit - available - 1;
      });
      const loop = await fetch(`http://127.0.0.1:${server.address().port}/loop`);
      await until(() => at.ready !== undefined);
      const healed = since();
      await sleep(options.seconds * 1_000);
      const end = since();
      clients.stop();
      const outcome = await clients.done;
      report(outcome);
      console.log(
        `  the request in the loop got ${loop.status}; its shard had claimed ${claimed} others: those that it had started get 502 too`,
      );
      for (const state of ['stuck', 'ended', 'ready']) console.log(`  ${state} after ${at[state].toFixed(0)} ms`);
      console.log(`  before: ${clients.percentiles(before, looped)}`);
      console.log(`  during: ${clients.percentiles(looped, healed)}`);
      console.log(`  after:  ${clients.percentiles(healed, end)}`);
      await server.close();
      const { sent, statuses, mixedUp, lost } = outcome;
      const { 200: fine = 0, 502: ended = 0 } = statuses;
      const isFine = fine + ended === sent && ended <= claimed && mixedUp === 0 && lost === 0;
      return isFine && loop.status === 502;
    },
  },
  reload: {
    text: '50 reloads under full load',
    async run(options) {
      const server = await start({ shards: 2 }, options);
      const clients = clientsOf(server, { requests: options.requests }, options);
      let isOver = false;
      const done = clients.done.finally(() => {
        isOver = true;
      });
      let reloads = 0;
      while (!isOver && reloads < 50) {
        const next = ((reloads + 1) * options.requests) / 51;
        await until(() => isOver || clients.times.length / 2 >= next - 50_000);
        await server.reload();
        reloads++;
      }
      const isFine = report(await done);
      console.log(`  ${reloads} reloads`);
      await server.close();
      return isFine;
    },
  },
  limits: {
    text: 'shards replaced because of maxRequestsPerShard and maxShardHeapMb under full load',
    async run(options) {
      const recovery = { maxRequestsPerShard: Math.ceil(options.requests / 40), maxShardHeapMb: 48 };
      const server = await start({ shards: 2, recovery }, options);
      const replaced = countEnds(server);
      const paths = ['/nonce/', '/nonce/', '/nonce/', '/leak/', '/later/1/'];
      const clients = clientsOf(server, { requests: options.requests, paths }, options);
      const isFine = report(await clients.done);
      console.log(`  ${replaced()} shards replaced`);
      await server.close();
      return isFine && replaced() > 0;
    },
  },
  scaling: {
    text: '2 to 6 shards under a random load',
    async run(options) {
      const server = await start({ shards: { min: 2, max: 6, shrinkAfterMs: 500 } }, options);
      const { seen } = countScaling(server);
      const paths = ['/nonce/', '/work/500/', '/later/5/'];
      const clients = clientsOf(server, { requests: options.requests / 4, paths, isRandom: true }, options);
      const isFine = report(await clients.done);
      console.log(`  ${seen.grown} shards added, ${seen.shrunk} removed; at most ${seen.most}`);
      await server.close();
      return isFine && seen.grown > 0 && seen.shrunk > 0;
    },
  },
};

function countEnds(/** @type {Server} */ server) {
  let ends = 0;
  server.on('shard', ({ state }) => {
    if (state === 'ended' && server.state === 'ready') ends++;
  });
  return () => ends;
}

function countScaling(/** @type {Server} */ server) {
  const seen = { grown: 0, shrunk: 0, most: 0 };
  server.on('scaled', ({ from, to }) => {
    if (to > from) seen.grown++;
    else seen.shrunk++;
    seen.most = Math.max(seen.most, to);
  });
  return { seen };
}

const names = Object.keys(SCENARIOS);
const program = new Command('bench:healing')
  .argument('[scenarios...]', names.join(', '))
  .option('--requests <number>', 'requests of each scenario', integer, 1_000_000)
  .option('--seconds <number>', 'before and after the loop', integer, 5)
  .option('--http-threads <number>', 'HTTP threads', integer, 1)
  .option('--seed <number>', 'of the load', integer, Date.now() % 2 ** 31)
  .parse();
/** @type {Options} */
const options = { ...program.opts(), scenarios: program.args.length === 0 ? names : program.args };
console.log(`Node.js ${process.version}, HTTP threads: ${options.httpThreads}, seed ${options.seed}`);
let isFine = true;
for (const name of options.scenarios) {
  console.log(`${name}: ${SCENARIOS[name].text}`);
  if (!(await SCENARIOS[name].run(options))) {
    console.log('  FAILED');
    isFine = false;
  }
}
process.exitCode = isFine ? 0 : 1;
