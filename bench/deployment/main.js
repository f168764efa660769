/*
 * What the agent is good for: two servers behind a real HAProxy, one of which can do less, under an open load. With and without the agent, by
 * roundrobin and by leastconn. Prints medians of several rounds; it exits with 1 if the weaker server does not get fewer requests with the agent.
 * Usage: npm run bench:deployment -- [slow] [busy] [rejecting] [--rounds 3] [--seconds 15] [--seed 1]
 */
import { spawn, spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import os from 'node:os';
import { delimiter } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { Pool } from 'undici';
import { Haproxy } from '../../test/support/haproxy.js';
import { mulberry32 } from '../../test/support/mulberry.js';
import { spread } from '../http/statistics.js';

/** @import { Backend } from '../../test/support/haproxy.js' */
/** @import { ServerStats } from 'loopshard' */
/** @import { Spread } from '../http/statistics.js' */

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} text
 * @property {number} rate requests per second
 * @property {number} workMs of the second server
 * @property {number} held permits of the second server that are taken by requests that do not come through HAProxy
 * @property {readonly string[]} flags of both servers
 */

/** @typedef {{ rounds: number, seconds: number, seed: number }} Options */
/** @typedef {{ share: number, p50: number, p99: number, rejected: number }} Result `share` is that of the second server */

const WORK_MS = 100;
const PERMITS = 8;
const SHARDS = 2;
const CLI = fileURLToPath(new URL('../../build/dist/cli.js', import.meta.url));
const APP = fileURLToPath(new URL('./app.js', import.meta.url));
const CONNECTIONS = 512;
const LOOK_MS = 5;

/** @type {Scenario[]} */
const SCENARIOS = [
  { name: 'slow', text: 'the second server takes 400 ms instead of 100', rate: 100, workMs: 400, held: 0, flags: [] },
  {
    name: 'busy',
    text: 'half of the second server’s permits are taken from elsewhere',
    rate: 150,
    workMs: WORK_MS,
    held: 8,
    flags: [],
  },
  {
    name: 'rejecting',
    text: '14 of 16 permits of the second server are taken from elsewhere, and it rejects what does not fit into its short queues',
    rate: 80,
    workMs: WORK_MS,
    held: 14,
    flags: ['--batch', '4', '--max-queue', '4'],
  },
];
const MODES = ['roundrobin', 'leastconn'].flatMap((balance) => [
  { balance, hasAgent: false },
  { balance, hasAgent: true },
]);

/** A server in a process of its own. */
class LoopShardProcess {
  #child;
  /** @type {Backend | undefined} */
  backend;
  #admin = '';
  /** @type {import('node:net').Socket[]} */
  #holding = [];

  /** @param {Scenario} scenario @param {number} workMs */
  constructor({ flags }, workMs) {
    const args = [
      '--port',
      '0',
      '--http-threads',
      '1',
      '--shards',
      String(SHARDS),
      '--permits',
      String(PERMITS),
      '--health',
    ];
    const admin = ['--admin-port', '0', '--agent-port', '0'];
    this.#child = spawn(process.execPath, [CLI, 'serve', APP, ...args, ...admin, ...flags], {
      env: { ...process.env, WORK_MS: String(workMs) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  /** @returns {Promise<Backend>} */
  async ready() {
    let text = '';
    for await (const chunk of this.#child.stdout) {
      text += chunk;
      const [, port, admin, agentPort] =
        /listens on http:\/\/127\.0\.0\.1:(\d+).*admin: (\S+);.*agent: 127\.0\.0\.1:(\d+)/.exec(text) ?? [];
      if (agentPort !== undefined) {
        this.#admin = admin;
        this.backend = { port: Number(port), agentPort: Number(agentPort) };
        return this.backend;
      }
    }
    throw new Error(`the server has not started: ${text}`);
  }

  /** Takes permits, one after the other, so that none is rejected. @param {number} count */
  async hold(count) {
    for (let i = 1; i <= count; i++) {
      const socket = connect(/** @type {Backend} */ (this.backend).port, '127.0.0.1');
      socket.write('GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n');
      this.#holding.push(socket);
      while ((await this.#taken()) < i) await sleep(LOOK_MS);
    }
  }

  /** How many permits are taken. */
  async #taken() {
    const response = await fetch(`${this.#admin}/stats`);
    const { shards } = /** @type {ServerStats} */ (await response.json());
    return shards.reduce((sum, { permits }) => sum + permits.limit - permits.available, 0);
  }

  stop() {
    for (const socket of this.#holding) socket.destroy();
    this.#child.kill('SIGKILL');
  }
}

/**
 * Sends requests at random times, whatever the responses. Latencies count from the time at which a request should have been sent.
 * @param {number} port
 * @param {number} rate
 * @param {number} seconds
 * @param {() => number} random
 */
async function load(port, rate, seconds, random) {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS });
  /** @type {number[]} */
  const latencies = [];
  let failed = 0;
  /** @type {Promise<void>[]} */
  const pending = [];
  const send = async (/** @type {number} */ at) => {
    const { statusCode, body } = await pool.request({ path: '/work', method: 'GET' });
    await body.dump();
    if (statusCode === 200) latencies.push(performance.now() - at);
    else failed++;
  };
  const begin = performance.now();
  for (let at = begin; at < begin + seconds * 1_000; at += (-Math.log(1 - random()) * 1_000) / rate) {
    const wait = at - performance.now();
    if (wait > 1) await sleep(wait);
    pending.push(send(at));
  }
  const sent = pending.length;
  await Promise.all(pending);
  await pool.close();
  latencies.sort((a, b) => a - b);
  return { sent, failed, latencies };
}

/** @param {number[]} sorted @param {number} share */
const percentile = (sorted, share) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;

/**
 * @param {Scenario} scenario
 * @param {{ balance: string, hasAgent: boolean }} mode
 * @param {Options} options
 * @returns {Promise<Result>}
 */
async function run(scenario, { balance, hasAgent }, { seconds, seed }) {
  const servers = [new LoopShardProcess(scenario, WORK_MS), new LoopShardProcess(scenario, scenario.workMs)];
  const haproxy = await Haproxy.start(await Promise.all(servers.map((server) => server.ready())), {
    balance,
    hasAgent,
  });
  await servers[1].hold(scenario.held);
  const random = mulberry32(seed);
  await load(haproxy.port, scenario.rate, seconds, random);
  const before = await haproxy.stats();
  const { sent, failed, latencies } = await load(haproxy.port, scenario.rate, seconds, random);
  const after = await haproxy.stats();
  const got = after.map(({ requests }, i) => requests - before[i].requests);
  const share = got[1] / (got[0] + got[1]);
  await haproxy.stop();
  for (const server of servers) server.stop();
  return { share, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), rejected: failed / sent };
}

/** @param {Result[]} results @param {keyof Result} name */
const medianOf = (results, name) => /** @type {Spread} */ (spread(results.map((result) => result[name]))).median;

/** @param {Scenario} scenario @param {Options} options */
async function compare(scenario, options) {
  /** @type {Result[][]} */
  const results = MODES.map(() => []);
  for (let round = 0; round < options.rounds; round++) {
    const order = [...MODES.keys()];
    // So that a machine that slows down meanwhile favours none.
    if (round % 2 === 1) order.reverse();
    for (const mode of order) results[mode].push(await run(scenario, MODES[mode], options));
  }
  console.log(`\n${scenario.text}; ${scenario.rate} requests/s\n`);
  console.log('| balance | requests to the second | p50 ms | p99 ms | rejected |\n|---|---|---|---|---|');
  for (const [mode, { balance, hasAgent }] of MODES.entries()) {
    const median = (/** @type {keyof Result} */ name) => medianOf(results[mode], name);
    const columns = [
      `${balance}${hasAgent ? ' with the agent' : ''}`,
      `${(median('share') * 100).toFixed(0)} %`,
      median('p50').toFixed(0),
      median('p99').toFixed(0),
      `${(median('rejected') * 100).toFixed(1)} %`,
    ];
    console.log(`| ${columns.join(' | ')} |`);
  }
  const [roundrobin, withAgent, leastconn, leastWithAgent] = results.map((own) => medianOf(own, 'share'));
  return withAgent < roundrobin && leastWithAgent < leastconn;
}

const integer = (/** @type {string} */ text) => Number.parseInt(text, 10);
const program = new Command('bench:deployment')
  .argument('[scenarios...]', SCENARIOS.map(({ name }) => name).join(', '))
  .option('--rounds <number>', 'of each scenario', integer, 3)
  .option('--seconds <number>', 'of each measurement, after as many without', integer, 15)
  .option('--seed <number>', 'of the times at which requests are sent', integer, Date.now() % 2 ** 31)
  .parse();
/** @type {Options} */
const options = program.opts();

const PATH = `${process.env.PATH}${delimiter}/usr/sbin`;
const { error, stdout } = spawnSync('haproxy', ['-v'], { encoding: 'utf8', env: { PATH } });
if (error !== undefined) {
  console.log('Skipped: HAProxy is not installed. Debian: apt-get install haproxy.');
  process.exit();
}
console.log(
  `${stdout.split('\n')[0]}; Node.js ${process.version}; ${os.availableParallelism()} cores; ${SHARDS} shards with ${PERMITS} permits each; handlers of ${WORK_MS} ms; ${options.rounds} rounds of ${options.seconds} s; seed ${options.seed}`,
);
let isFine = true;
for (const scenario of SCENARIOS) {
  if (program.args.length > 0 && !program.args.includes(scenario.name)) continue;
  if (!(await compare(scenario, options))) {
    console.log('FAILED: the weaker server does not get fewer requests with the agent');
    isFine = false;
  }
}
process.exitCode = isFine ? 0 : 1;
