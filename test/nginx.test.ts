/* Tests examples/deployment/nginx.conf, which docs/deployment.md shows, unchanged except for addresses and files. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { WebSocket, WebSocketServer } from 'ws';
import { Program, root } from './support/process.js';
import { describeWith, findProgram, run } from './support/programs.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';

const fixture = (name: string) => `${root}test/fixtures/tls/${name}.pem`;

/** Replacements in the configuration: `[documented, used here]`. */
function configuration(replacements: [string, string][]): string {
  let block = readFileSync(`${root}examples/deployment/nginx.conf`, 'utf8');
  for (const [told, used] of replacements) {
    expect(block).toContain(told);
    block = block.replace(told, used);
  }
  return block;
}

/** nginx cannot listen on a free port and report it. */
async function freePort(): Promise<number> {
  const listening = createServer().listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const { port } = listening.address() as AddressInfo;
  listening.close();
  await once(listening, 'close');
  return port;
}

/** Settings for a single process with all files in one folder. */
function nginxConf(folder: string, block: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off; master_process off; pid ${folder}/pid; error_log stderr warn;
events { worker_connections 4096; }
http {
access_log off;
${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
${block}}
`;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describeWith('nginx', (command) => {
  describe.each(['a port', 'a Unix socket'])('in front of %s', (place) => {
    const folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
    let running: TestServer;
    let nginx: Program;
    let port: number;
    let agent: Agent;

    beforeAll(async () => {
      const path = join(folder, 'http.sock');
      running = await startServer(place === 'a port' ? ONE_HTTP_THREAD : { path, port: undefined as never });
      port = await freePort();
      const block = configuration([
        ['server 127.0.0.1:8000;', place === 'a port' ? `server 127.0.0.1:${running.port};` : `server unix:${path};`],
        ['listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`],
        ['/etc/ssl/example.com/chain.pem', fixture('first-cert')],
        ['/etc/ssl/example.com/key.pem', fixture('first-key')],
      ]);
      writeFileSync(join(folder, 'nginx.conf'), nginxConf(folder, block));
      nginx = new Program(command, ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')]);
      await until(() => isListening(port), `nginx (${nginx.stderr})`);
      agent = new Agent({ connections: 100, connect: { ca: readFileSync(fixture('first-cert')) } });
    });

    afterAll(async () => {
      await agent.close();
      await expectConserved(running);
      nginx.child.kill('SIGTERM');
      expect(await nginx.exit()).toBe(0);
      await running.server.close();
      rmSync(folder, { recursive: true });
      // A warning means that a body was buffered in a file, an error that one was too large.
      expect(nginx.stderr).not.toMatch(/\[(crit|alert|emerg)\]|worker_connections|failed|prematurely|timed out/);
    });

    async function ask(path: string, options: { method?: 'POST' | 'HEAD'; body?: Buffer } = {}) {
      const { method = 'GET', body } = options;
      const answer = await request(`https://localhost:${port}${path}`, {
        dispatcher: agent,
        method,
        ...(body && { body }),
      });
      return { status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) };
    }

    test('one connection serves several requests', async () => {
      let accepted = 0;
      const count = () => accepted++;
      subscribe('net.server.socket', count);
      for (let i = 0; i < 30; i++) expect((await ask(`/sync/${i}`)).body.toString()).toBe(String(i));
      unsubscribe('net.server.socket', count);
      expect(accepted).toBe(1);
    });

    test('requests and responses of all kinds and sizes work', async () => {
      for (const bytes of [0, 1, 10_000, 1_000_000]) {
        const sent = Buffer.alloc(bytes, 'nginx');
        expect((await ask('/echo', { method: 'POST', body: sent })).body.equals(sent)).toBe(true);
        expect((await ask(`/large/${5 * bytes}`)).body.length).toBe(5 * bytes);
      }
      expect((await ask('/echo', { method: 'POST', body: Buffer.alloc(1_100_000) })).status).toBe(413);
      expect(await ask('/json', { method: 'HEAD' })).toEqual({ status: 200, body: Buffer.alloc(0) });
      for (const status of [204, 304, 404, 503]) expect((await ask(`/status/${status}`)).status).toBe(status);
    });

    test('a head that nginx accepts and LoopShard does not gets 431', async () => {
      const headers = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`x-${name}`, name.repeat(6_500)]));
      const answer = await request(`https://localhost:${port}/json`, { dispatcher: agent, headers });
      expect([answer.statusCode, await answer.body.json()]).toMatchObject([431, { statusCode: 431 }]);
    });

    test('many concurrent requests get the right responses', async () => {
      const nonces = Array.from({ length: 500 }, (_, i) => `n${i}`);
      const answers = await Promise.all(nonces.map((nonce) => ask(`/later/5/${nonce}`)));
      expect(answers.map(({ body }) => body.toString())).toEqual(nonces);
    });

    test('WebSockets are upgraded through it', async () => {
      const sockets = new WebSocketServer({ noServer: true });
      running.server.onUpgrade((upgrade, socket, head) =>
        sockets.handleUpgrade(upgrade as never, socket, head, (client) =>
          client.on('message', (data) => client.send(`heard ${data}`)),
        ),
      );
      const client = new WebSocket(`wss://localhost:${port}/socket`, { ca: readFileSync(fixture('first-cert')) });
      await once(client, 'open');
      client.send('a word');
      expect(String((await once(client, 'message'))[0])).toBe('heard a word');
      client.close();
      await once(client, 'close');
      running.server.onUpgrade(undefined);
    });

    const h2load = findProgram('h2load');
    (h2load ? test : test.skip)('h2load counts a response to every request, over HTTP/2', async () => {
      const args = ['-n', '3000', '-c', '10', '-m', '10', `https://localhost:${port}/json`];
      const { stdout } = await run(h2load!, args);
      expect(stdout).toContain('Application protocol: h2');
      expect(stdout).toContain('3000 succeeded, 0 failed');
      expect(stdout).toContain('status codes: 3000 2xx');
    });
  });
});
