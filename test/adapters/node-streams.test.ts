import { createHash } from 'node:crypto';
import { Agent, type IncomingMessage, request as send } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { piecesOf } from '../fixtures/node/random-streams.js';
import { createRandom } from '../support/random.js';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';

/* Random pieces at random times, slow clients, and clients that disconnect: no byte is lost, and everything is given back. */

const random = createRandom();
const seeds = (count: number) => Array.from({ length: count }, () => Math.floor(random() * 2 ** 31));
const agent = new Agent({ keepAlive: true, maxSockets: 20 });
let running: TestServer;

beforeAll(async () => {
  running = await startServer({ shards: 2 }, 'node/random-streams.js');
});

afterAll(async () => {
  agent.destroy();
  await expectConserved(running);
  await running.server.close();
});

function respond(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    send({ port: running.port, host: '127.0.0.1', path, agent }, resolve).once('error', reject).end();
  });
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

async function readAll(response: IncomingMessage, isSlow: boolean): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of response) {
    hash.update(chunk);
    if (isSlow) for (let i = 0; i < 20; i++) await nextTurn();
  }
  return hash.digest('hex');
}

test('responses arrive as they were written', async () => {
  await Promise.all(
    seeds(200).map(async (seed) => {
      const expected = createHash('sha256');
      for (const { piece } of piecesOf(seed)) expected.update(piece);
      const got = await readAll(await respond(`/response?seed=${seed}`), seed % 4 === 0);
      expect([seed, got]).toEqual([seed, expected.digest('hex')]);
    }),
  );
});

test('request bodies arrive as they were sent', async () => {
  await Promise.all(
    seeds(100).map(async (seed) => {
      const expected = createHash('sha256');
      const pieces = piecesOf(seed);
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const isWhole = seed % 3 === 0;
        const length = pieces.reduce((sum, { piece }) => sum + piece.length, 0);
        const headers = isWhole ? { 'content-length': length } : {};
        const path = `/body?seed=${seed}`;
        const sent = send({ port: running.port, host: '127.0.0.1', method: 'POST', path, agent, headers }, resolve);
        sent.once('error', reject);
        const write = async () => {
          for (const { piece, waits } of pieces) {
            expected.update(piece);
            sent.write(piece);
            if (waits) await nextTurn();
          }
          sent.end();
        };
        void write();
      });
      let text = '';
      for await (const chunk of response) text += chunk;
      expect([seed, text]).toEqual([seed, expected.digest('hex')]);
    }),
  );
});

test('the responses of clients that disconnect are closed', async () => {
  const left = seeds(60);
  await Promise.all(
    left.map(async (seed) => {
      const response = await respond(`/response?seed=${seed}`);
      response.on('error', () => {});
      for (let i = seed % 10; i > 0; i--) await nextTurn();
      response.destroy();
    }),
  );
  await until(async () => {
    const closed: string[] = [];
    // One of the shards responds each time.
    for (let i = 0; i < 10; i++) {
      for await (const chunk of await respond('/events')) closed.push(...JSON.parse(String(chunk)));
    }
    return left.every((seed) => closed.includes(String(seed)));
  }, 'the end of the responses');
});
