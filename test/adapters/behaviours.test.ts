import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Program, root } from '../support/process.js';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';
import { type Answer, ask, closeConnections, exchange } from './behaviours/client.js';
import { EXPLANATIONS, type Explanation, explain, explanationsFor } from './behaviours/explained.js';
import { count, FRAMEWORKS, type Framework } from './behaviours/frameworks.js';

/*
 * The app of each framework runs on its usual server and on a shard, and is asked the same. The responses are the same: status lines with their
 * reasons, headers in their order and case, 1xx responses, bodies and trailers; except for `date`, and what explained.ts explains.
 */

afterAll(closeConnections);

/** How many requests and streams have ended because their clients disconnected. */
const figuresOf = async (port: number) => JSON.parse((await ask(port, { path: '/waits' })).body);

/** Without them, some answers would differ. */
const needed = new Set<Explanation>();

/** Compares what the servers have sent, and notes which explanations that needed. */
function compare(framework: Framework, behaviour: string, usual: Answer[], shard: Answer[]): void {
  const known = explanationsFor(framework, behaviour);
  const hidden = (answers: Answer[], without?: Explanation) => {
    const others = known.filter((one) => one !== without);
    return explain(answers, others);
  };
  for (const one of known) {
    if (!isDeepStrictEqual(hidden(usual, one), hidden(shard, one))) needed.add(one);
  }
  expect(hidden(shard)).toEqual(hidden(usual));
}

describe.each(FRAMEWORKS)('$name on a shard, compared with $server', (framework) => {
  const { app, usualApp = app, server, options, asks, exchanges } = framework;
  let usual: Program;
  let usualPort: number;
  let shards: TestServer;

  beforeAll(async () => {
    usual = new Program(process.execPath, ['test/fixtures/usual-server.js', server, usualApp]);
    shards = await startServer({ shards: 1, ...options }, app);
    usualPort = Number((await usual.printed(/port (\d+)/))[1]);
  });

  afterAll(async () => {
    usual.child.kill();
    await usual.exit();
    closeConnections();
    await expectConserved(shards);
    await shards.server.close();
  });

  test.each(Object.entries(asks))('%s', async (name, asked) => {
    compare(framework, name, [await ask(usualPort, asked)], [await ask(shards.port, asked)]);
  });

  test.each(Object.entries(exchanges))('%s', async (name, exchanged) => {
    const usually = await exchange(usualPort, exchanged);
    if (exchanged.ends !== true) expect(usually.length).toBeGreaterThan(0);
    compare(framework, name, usually, await exchange(shards.port, exchanged));
  });

  test('a client that disconnects before the response', async () => {
    for (const port of [usualPort, shards.port]) {
      const socket = connect(port, '127.0.0.1');
      socket.write('GET /wait HTTP/1.1\r\nHost: app.test\r\n\r\n');
      await until(async () => (await figuresOf(port)).waiting === 1, 'the request');
      socket.destroy();
      await until(async () => (await figuresOf(port)).aborted === 1, 'the abort');
    }
  });

  test('a client that disconnects within a stream', async () => {
    for (const port of [usualPort, shards.port]) {
      const socket = connect(port, '127.0.0.1');
      socket.write('GET /endless HTTP/1.1\r\nHost: app.test\r\n\r\n');
      await once(socket, 'data');
      expect((await figuresOf(port)).cancelled).toBe(0);
      socket.destroy();
      await until(async () => (await figuresOf(port)).cancelled === 1, 'the end of the stream');
    }
  });
});

test('docs/compatibility.md has the numbers of behaviours and all explanations', () => {
  const page = readFileSync(join(root, 'docs/compatibility.md'), 'utf8');
  const missing = [
    ...FRAMEWORKS.map((one) => `| ${one.name} | ${one.server} | ${count(one)} |`),
    ...EXPLANATIONS.map(({ because }) => `- ${because}`),
  ].filter((line) => !page.includes(`\n${line}\n`));
  expect(missing).toEqual([]);
});

test('every explanation is needed', () => {
  expect(EXPLANATIONS.filter((one) => !needed.has(one)).map(({ because }) => because)).toEqual([]);
});
