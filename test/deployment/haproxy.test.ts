/* A real HAProxy with examples/deployment/haproxy.cfg, unchanged except for addresses, balances two servers by their agents. */
import { afterEach, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { Agent, request } from 'undici';
import { type BackendStats, Haproxy } from '../support/haproxy.js';
import { describeWith } from '../support/programs.js';
import {
  expectConserved,
  ONE_HTTP_THREAD,
  startServer,
  type TestServer,
  until,
  untilStarted,
} from '../support/server.js';
import { Stage } from '../support/stage.js';

const PERMITS = 8;

describeWith('haproxy', (command) => {
  let servers: TestServer[] = [];
  let haproxy: Haproxy | undefined;
  let stage: Stage | undefined;
  let agent: Agent;

  /** @param ports fixed ones, for a server that replaces another */
  function startBackend(options: ServeOptions = {}, ports = { port: 0, agentPort: 0 }): Promise<TestServer> {
    const { port, agentPort } = ports;
    const admin = { port: 0, agentPort };
    const all = {
      ...ONE_HTTP_THREAD,
      shards: 1,
      port,
      health: true,
      admin,
      scheduling: { permits: PERMITS },
      ...options,
    };
    return startServer(all, 'scheduling-app.js');
  }

  const portsOf = ({ server, port }: TestServer) => ({ port, agentPort: server.agentAddress()!.port });

  async function start(options: ServeOptions = {}, balance?: string): Promise<Haproxy> {
    stage = new Stage();
    servers = [await startBackend(options), await startBackend(options)];
    haproxy = await Haproxy.start(servers.map(portsOf), { command, ...(balance !== undefined && { balance }) });
    agent = new Agent({ connections: 8 });
    return haproxy;
  }

  afterEach(async () => {
    stage?.end();
    await agent?.close();
    await haproxy?.stop();
    for (const running of servers.splice(0)) {
      await expectConserved(running);
      await running.server.destroy();
    }
  });

  async function ask(path = '/thread'): Promise<number> {
    const response = await request(`http://127.0.0.1:${haproxy!.port}${path}`, { dispatcher: agent });
    await response.body.dump();
    return response.statusCode;
  }

  /** Sends requests, eight at a time. Returns how many each server has got. */
  async function spread(count: number): Promise<number[]> {
    const before = await haproxy!.stats();
    let left = count;
    const client = async () => {
      while (left-- > 0) expect(await ask()).toBe(200);
    };
    await Promise.all(Array.from({ length: 8 }, client));
    return (await haproxy!.stats()).map(({ requests }, i) => requests - before[i].requests);
  }

  async function untilStats(what: string, matches: (stats: BackendStats[]) => boolean) {
    const look = async () => matches(await haproxy!.stats());
    await until(look, what).catch(async (cause) => {
      throw new Error(`${cause.message} ${JSON.stringify(await haproxy!.stats())} ${haproxy!.stderr}`, { cause });
    });
  }

  test.each(['roundrobin', 'leastconn'])(
    '%s: a server with half of its permits taken gets half as many requests',
    async (balance) => {
      await start({}, balance);
      await untilStats('equal weights', (stats) => stats.every(({ weight }) => weight === 100));
      const [equal, other] = await spread(400);
      expect(Math.abs(equal - other)).toBeLessThan(40);
      // From elsewhere, so that HAProxy does not know of them.
      for (let i = 0; i < PERMITS / 2; i++) await stage!.send(servers[1], `/wait/${i}`);
      await untilStarted(servers[1], PERMITS / 2);
      await untilStats('a lower weight', ([, { weight }]) => weight <= 55);
      const [free, busy] = await spread(600);
      expect(busy / (free + busy)).toBeGreaterThan(0.25);
      expect(busy / (free + busy)).toBeLessThan(0.4);
      stage!.release(...Array.from({ length: PERMITS / 2 }, (_, i) => i));
      await untilStats('a higher weight', ([, { weight }]) => weight >= 90);
    },
  );

  test('a server that drains gets no more requests, none fails, and the next process at its address gets requests again', async () => {
    await start({ timeouts: { drainDelayMs: 60_000 } }, 'roundrobin');
    const ports = portsOf(servers[1]);
    void servers[1].server.close();
    await untilStats('weight 0', ([, { weight, status }]) => weight === 0 || status === 'DOWN');
    expect((await spread(100))[1]).toBe(0);
    await servers[1].server.destroy();
    servers[1] = await startBackend({}, ports);
    await untilStats('a server that is up', ([, { weight, status }]) => status === 'UP' && weight === 100);
    expect((await spread(100))[1]).toBeGreaterThan(20);
  });

  test('a server that is not ready is down until it is ready', async () => {
    await start({ scheduling: { permits: 1 }, recovery: { stalledAfterMs: 100 } });
    await stage!.send(servers[0], '/wait/a');
    await stage!.send(servers[0], '/wait/b');
    await untilStats(
      'a server that is down',
      ([{ status, agent: said }]) => status.startsWith('DOWN') && said.includes('down#stalled'),
    );
    expect((await spread(50))[0]).toBe(0);
    stage!.release('a', 'b');
    await untilStats('both servers up', (stats) => stats.every(({ status }) => status === 'UP'));
  });

  test.each([
    ['drain', /^DRAIN/],
    ['maint', /^MAINT/],
  ])('what an operator sets with `state %s` in HAProxy stays', async (state, status) => {
    await start();
    await haproxy!.operate(`set server app/app1 state ${state}`);
    const first = async () => (await haproxy!.stats())[0];
    expect((await first()).status).toMatch(status);
    // The agent says something new, so HAProxy has asked it since.
    for (let i = 0; i < PERMITS / 2; i++) await stage!.send(servers[1], `/wait/${i}`);
    for (let i = 0; i < PERMITS / 2; i++) await stage!.send(servers[0], `/wait/${i + PERMITS}`);
    await untilStats('other weights', ([one, other]) => other.weight < 80 && (state === 'maint' || one.weight < 80));
    expect((await first()).status).toMatch(status);
    await haproxy!.operate('set server app/app1 state ready');
    await untilStats('both servers up', (stats) => stats.every((one) => one.status === 'UP'));
  });
});
