import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** @import { AddressInfo, Server } from 'node:net' */

const CONFIGURATION = new URL('../../examples/deployment/haproxy.cfg', import.meta.url);
const PATIENCE_MS = 10_000;
const LOOK_MS = 20;

/** @typedef {{ port: number, agentPort: number }} Backend */

/**
 * What HAProxy says about a server.
 * @typedef {object} BackendStats
 * @property {string} status such as `UP`, `DOWN` or `DRAIN`
 * @property {number} weight
 * @property {number} requests that it has got so far
 * @property {string} agent what its agent said last, as HAProxy reports it
 */

/**
 * @typedef {object} HaproxyOptions
 * @property {string} [command]
 * @property {string} [balance] replaces the documented algorithm
 * @property {boolean} [hasAgent] `false` leaves out the agent check
 */

/** A HAProxy with the documented configuration, in front of servers of this machine. */
export class Haproxy {
  stderr = '';
  #child;
  #folder;
  /** @type {Promise<unknown>} */
  #exited;
  /** Where it listens. @type {number} */
  port;

  /**
   * @param {readonly Backend[]} backends named `app1`, `app2` and so on
   * @param {HaproxyOptions} [options]
   * @returns {Promise<Haproxy>} when it considers all servers up
   */
  static async start(backends, { command = 'haproxy', balance, hasAgent = true } = {}) {
    // A free port, without the chance that another program takes it in between: HAProxy inherits the socket.
    const listening = createServer().listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const haproxy = new Haproxy(command, configurationFor(backends, balance, hasAgent), listening);
    listening.close();
    try {
      await haproxy.#untilUp(backends.length);
    } catch (error) {
      await haproxy.stop();
      throw error;
    }
    return haproxy;
  }

  /**
   * @param {string} command
   * @param {string} configuration
   * @param {Server} listening
   */
  constructor(command, configuration, listening) {
    this.#folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
    this.port = /** @type {AddressInfo} */ (listening.address()).port;
    const file = join(this.#folder, 'haproxy.cfg');
    writeFileSync(file, configuration.replace('global\n', `global\n  stats socket ${this.#socket} level admin\n`));
    const { fd } = /** @type {{ _handle: { fd: number } }} */ (/** @type {unknown} */ (listening))._handle;
    const PATH = `${process.env.PATH}${delimiter}/usr/sbin`;
    this.#child = spawn(command, ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe', fd], env: { PATH } });
    this.#child.stderr?.setEncoding('utf8').on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.#exited = once(this.#child, 'close');
    this.#exited.catch(() => {});
  }

  get #socket() {
    return join(this.#folder, 'stats.sock');
  }

  /** Its process ID. */
  get pid() {
    return this.#child.pid;
  }

  async #untilUp(/** @type {number} */ count) {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error(`HAProxy exited: ${this.stderr}`);
      // Until it has created its socket, it cannot be asked.
      const stats = await this.stats().catch(() => []);
      if (stats.filter(({ status }) => status === 'UP').length === count) return;
      if (performance.now() > deadline) throw new Error(`HAProxy does not find its servers: ${this.stderr}`);
      await sleep(LOOK_MS);
    }
  }

  /** Sends a command as an operator would, such as `set server app/app1 state drain`. Returns the output. */
  async operate(/** @type {string} */ command) {
    const socket = connect(this.#socket);
    socket.write(`${command}\n`);
    return text(socket);
  }

  /** @returns {Promise<BackendStats[]>} by server */
  async stats() {
    const [head, ...rows] = (await this.operate('show stat app 4 -1')).trim().split('\n');
    const names = head.replace('# ', '').split(',');
    return rows.map((row) => {
      const fields = Object.fromEntries(row.split(',').map((value, i) => [names[i], value]));
      return {
        status: fields.status,
        weight: Number(fields.weight),
        requests: Number(fields.stot),
        agent: fields.last_agt,
      };
    });
  }

  async stop() {
    this.#child.kill('SIGTERM');
    await this.#exited;
    rmSync(this.#folder, { recursive: true });
  }
}

/**
 * @param {readonly Backend[]} backends
 * @param {string | undefined} balance
 * @param {boolean} hasAgent
 */
function configurationFor(backends, balance, hasAgent) {
  let lines = readFileSync(CONFIGURATION, 'utf8').split('\n');
  lines = lines.filter((line) => !/^ {2}(server|log|option httplog)\b/.test(line));
  const replace = (/** @type {RegExp} */ pattern, /** @type {string} */ by) => {
    const at = lines.findIndex((line) => pattern.test(line));
    if (at < 0) throw new Error(`haproxy.cfg has no line with ${pattern}`);
    lines[at] = lines[at].replace(pattern, by);
  };
  replace(/bind :80$/, 'bind fd@3');
  if (balance !== undefined) replace(/balance \w+$/, `balance ${balance}`);
  const agentPort = /agent-check agent-port 9001 agent-inter 500ms/;
  if (!hasAgent) replace(agentPort, '');
  const servers = backends.map(({ port, agentPort: own }, i) => {
    const agent = hasAgent ? ` agent-port ${own}` : '';
    return `  server app${i + 1} 127.0.0.1:${port}${agent}`;
  });
  return `${lines.join('\n').trimEnd()}\n${servers.join('\n')}\n`;
}
