import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { SMOOTHING_MS } from '../build/src/admin/agent.js';
import { SmoothedShare } from '../build/src/admin/smoothed-share.js';
import { startHttpThreads } from './support/http-threads.js';
import { loopshard } from './support/process.js';
import {
  expectConserved,
  ONE_HTTP_THREAD,
  startServer,
  type TestServer,
  until,
  untilStarted,
} from './support/server.js';
import { Stage } from './support/stage.js';

/* The agent that tells HAProxy how much work the server can take. */

let running: TestServer | undefined;
let stage: Stage;

async function start(options: ServeOptions = {}): Promise<TestServer> {
  stage = new Stage();
  const admin = { port: 0, agentPort: 0 };
  running = await startServer({ shards: 2, ...ONE_HTTP_THREAD, admin, ...options }, 'scheduling-app.js');
  return running;
}

afterEach(async () => {
  stage?.end();
  if (running === undefined) return;
  await expectConserved(running);
  await running.server.close();
  running = undefined;
});

/** What the agent says to one connection. */
async function ask({ server }: TestServer): Promise<string> {
  const { port, address } = server.agentAddress()!;
  return text(connect(port, address));
}

/** Resolves with what the agent says once that matches. */
async function untilItSays(server: TestServer, pattern: RegExp): Promise<string> {
  let line = '';
  const matches = async () => {
    line = await ask(server);
    return pattern.test(line);
  };
  await until(matches, `${pattern}`).catch((error) => {
    throw new Error(`the agent says ${line}`, { cause: error });
  });
  return line;
}

describe('options', () => {
  test('there is no agent by default', async () => {
    await start({ admin: { port: 0 } });
    expect(running!.server.agentAddress()).toBeUndefined();
  });

  test('a port that is none is rejected', async () => {
    await expect(startServer({ admin: { port: 0, agentPort: -1 } })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: 'Option `admin.agentPort` must be an integer from 0 to 65535, got -1.',
    });
  });

  test('a port in use is reported, and the admin port is free again', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port: agentPort } = other.address() as { port: number };
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => free.close(resolve));
    await expect(startServer({ admin: { port, agentPort } }, 'scheduling-app.js')).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: `Port ${agentPort} of 127.0.0.1 for \`admin.agentPort\` is in use. Stop what listens there, or choose another port.`,
    });
    other.close();
    await start({ admin: { port } });
  });

  test('the flag --agent-port needs --admin-port, and the first line says where the agent listens', async () => {
    const wrong = loopshard('serve', 'test/fixtures/app.js', '--agent-port', '0');
    expect(await wrong.exit()).toBe(1);
    expect(wrong.stderr).toContain('Set --admin-port as well: the agent is part of the admin listener.');
    const flags = ['--port', '0', '--shards', '1', '--admin-port', '0', '--agent-port', '0'];
    const program = loopshard('serve', 'test/fixtures/app.js', ...flags);
    const [, port] = await program.printed(/agent: 127\.0\.0\.1:(\d+)/);
    expect(await text(connect(Number(port), '127.0.0.1'))).toBe('up 100%\n');
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
  });
});

describe('what it says', () => {
  test.each([1, 2])('the share of free permits, with %i HTTP threads', async (httpThreads) => {
    stage = new Stage();
    const options = { shards: 2, scheduling: { permits: 4 }, admin: { port: 0, agentPort: 0 } };
    running = await startHttpThreads(httpThreads, options, 'scheduling-app.js');
    expect(await ask(running)).toBe('up 100%\n');
    for (const id of ['a', 'b', 'c', 'd']) await stage.send(running, `/wait/${id}`);
    await untilStarted(running, 4);
    // It follows slowly. With a quarter taken it would stay above 75 %.
    await untilItSays(running, /^up [56]\d%\n$/);
    stage.release('a', 'b', 'c', 'd');
    await untilItSays(running, /^up [89]\d%\n$/);
  });

  test('queued requests count as taken permits', async () => {
    await start({ shards: 1, scheduling: { permits: 8 } });
    // It blocks the shard, which claims nothing more: seven permits are free.
    await stage.send(running!, '/hold/a');
    await untilStarted(running!, 1);
    const ids = ['b', 'c', 'd', 'e'];
    for (const id of ids) await stage.send(running!, `/run/${id}`);
    await until(() => running!.server.stats().shards[0].queued === ids.length, 'four queued requests');
    await untilItSays(running!, /^up [4-7]\d%\n$/);
    stage.release('a');
  });

  test('each group counts the same', async () => {
    await start({ shards: undefined as never, groups: { default: 1, cpu: 3 }, scheduling: { permits: 1 } });
    const pending = await stage.send(running!, '/hold/a');
    await untilStarted(running!, 1);
    await untilItSays(running!, /^up [56]\d%\n$/);
    stage.release('a');
    expect((await pending.response).status).toBe(200);
  });

  test('0 % while the server drains, even if all permits are free', async () => {
    const { server } = await start({ timeouts: { drainDelayMs: 60_000 } });
    const closed = server.close();
    expect(await ask(running!)).toBe('0%\n');
    await server.destroy();
    await closed;
    running = undefined;
  });

  test('down, and why, while the server is not ready', async () => {
    await start({ shards: 1, scheduling: { permits: 1 }, recovery: { stalledAfterMs: 100 } });
    await stage.send(running!, '/wait/a');
    await stage.send(running!, '/wait/b');
    await untilItSays(running!, /^down#stalled\n$/);
    stage.release('a', 'b');
    await untilItSays(running!, /^up \d+%\n$/);
  });

  test('a shard that is stuck has no free permits', async () => {
    await start({ recovery: { stuckAfterMs: 100, killStuckAfterMs: 0 } });
    await stage.send(running!, '/hold/a');
    await untilItSays(running!, /^up [5-7]\d%\n$/);
    stage.release('a');
    await untilItSays(running!, /^up [89]\d%\n$/);
  });
});

/** Two equal servers behind a load balancer that reads their shares every 500 ms. Returns how far the shares of the last minute are apart. */
function swing(load: number, constantMs: number): number {
  const servers = [1, 2].map(() => new SmoothedShare(1, constantMs));
  const weights = [100, 60];
  const seen: number[] = [];
  for (let ms = 0; ms < 240_000; ms += 100) {
    const sum = weights[0] + weights[1];
    for (const [i, server] of servers.entries()) {
      const taken = 2 * load * (weights[i] / sum);
      server.add(Math.max(0, 1 - taken), 100);
      // The load balancer reads them at different times.
      if (ms % 500 === 100 * i) weights[i] = Math.max(1, Math.round(server.value * 100));
    }
    if (ms >= 180_000) seen.push(weights[0] / (weights[0] + weights[1]));
  }
  return Math.max(...seen) - Math.min(...seen);
}

test.each([0.5, 0.8, 0.9])('two servers with requests for %d of their permits keep their weights', (load) => {
  expect(swing(load, SMOOTHING_MS)).toBeLessThan(0.03);
});

test('without smoothing, weights would swing', () => {
  expect(swing(0.9, 1)).toBeGreaterThan(0.5);
});

describe('connections', () => {
  test('what a client sends is ignored, and one that does not disconnect is disconnected', async () => {
    await start();
    const { port, address } = running!.server.agentAddress()!;
    const socket = connect({ port, host: address, allowHalfOpen: true });
    let said = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      said += chunk;
    });
    socket.on('error', () => {});
    socket.write('a token\n');
    await once(socket, 'end');
    expect(said).toBe('up 100%\n');
    // Our side is still open. Writing fails once the other side has closed the connection.
    const isClosed = () => {
      socket.write('more');
      return socket.destroyed;
    };
    await until(isClosed, 'the end of the connection');
  });

  test('the server closes while a client is connected', async () => {
    const { server } = await start();
    const { port, address } = server.agentAddress()!;
    const socket = connect({ port, host: address, allowHalfOpen: true }).on('error', () => {});
    await once(socket, 'data');
    await server.close();
    expect(await text(connect(port, address)).catch((error) => error.code)).toBe('ECONNREFUSED');
    socket.destroy();
    running = undefined;
  });
});
