import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** How long a server may take to print its address. */
const START_MS = 60_000;
/** Port 0 is what a server was told that listens on no port, on a shard. */
const ADDRESS = /listen(?:s|ing) on (http:\/\/127\.0\.0\.1:[1-9]\d*)/i;
/** The origin that the requests name. */
export const HOST = 'site.test';

/** What the frameworks read. Without `ORIGIN`, which SvelteKit 3 reads when it builds, SvelteKit takes requests for those of HTTPS. */
const ENV = {
  ...process.env,
  ORIGIN: `http://${HOST}`,
  HOST: '127.0.0.1',
  PORT: '0',
  NODE_ENV: 'production',
  NEXT_TELEMETRY_DISABLED: '1',
  ASTRO_TELEMETRY_DISABLED: '1',
};

/** @typedef {import('./frameworks.js').Framework} Framework */
/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** @type {Set<ChildProcess>} */
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** An app of a framework in a folder of its own, outside of this repository. */
export class Project {
  /** @readonly */ folder;

  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
  }

  /**
   * Copies, installs and builds the app.
   * @param {Framework} framework
   * @param {Record<string, string>} packages
   */
  async prepare({ id, build: [command, ...args] }, packages) {
    await mkdir(this.folder, { recursive: true });
    await cp(join(HERE, 'apps', id), this.folder, { recursive: true });
    const dependencies = { ...packages, loopshard: `file:${ROOT}` };
    await writeFile(join(this.folder, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }));
    await this.#run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
    await this.#run(process.execPath, [await this.#program(command), ...args]);
  }

  /**
   * The file of a command. Those in `node_modules/.bin` would be run by the Node.js of the PATH.
   * @param {string} command
   */
  #program(command) {
    return realpath(join(this.folder, 'node_modules/.bin', command));
  }

  /**
   * Starts the app on node:http.
   * @param {import('./frameworks.js').Framework['onNode']} module
   */
  node(module) {
    return this.#start(module.length === 1 ? module : [join(HERE, 'node-server.js'), ...module]);
  }

  /**
   * Starts a module on shards, as a user does.
   * @param {string} module
   */
  shards(module) {
    const options = ['--port', '0', '--shards', '2', '--keep-alive-timeout-ms', '5000'];
    return this.#start([join(ROOT, 'build/dist/cli.js'), 'serve', module, ...options]);
  }

  /** @param {string[]} args */
  async #start(args) {
    const child = this.#spawn(process.execPath, args);
    const address = await printed(child, ADDRESS);
    return {
      address,
      stop: async () => {
        child.kill('SIGTERM');
        await child.over;
      },
    };
  }

  /**
   * @param {string} command
   * @param {string[]} args
   */
  async #run(command, args) {
    const child = this.#spawn(command, args);
    const code = await child.over;
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed in ${this.folder}:\n${child.output}`);
  }

  /**
   * @param {string} command
   * @param {string[]} args
   */
  #spawn(command, args) {
    const child = spawn(command, args, { cwd: this.folder, env: ENV, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const over = once(child, 'close').then(([code]) => {
      running.delete(child);
      return /** @type {number | null} */ (code);
    });
    const started = Object.assign(child, { output: '', over });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        started.output += text;
      });
    }
    return started;
  }
}

/**
 * @param {ChildProcess & { output: string, over: Promise<unknown> }} child
 * @param {RegExp} pattern
 * @returns {Promise<string>} what the pattern's group matches
 */
async function printed(child, pattern) {
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  let isOver = false;
  void child.over.then(() => {
    isOver = true;
  });
  for (;;) {
    const match = child.output.match(pattern);
    if (match !== null || isOver) {
      clearTimeout(timer);
      if (match !== null) return match[1];
      throw new Error(`The server ended before it listened:\n${child.output}`);
    }
    await Promise.race([once(/** @type {import('node:stream').Readable} */ (child.stdout), 'data'), child.over]);
  }
}
