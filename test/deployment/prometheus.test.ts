/* A real Prometheus with examples/deployment/monitoring, unchanged except for addresses and intervals, scrapes servers under a known load. */
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { parse } from 'yaml';
import { Program, root } from '../support/process.js';
import { describeWith, run } from '../support/programs.js';
import {
  expectConserved,
  ONE_HTTP_THREAD,
  startServer,
  type TestServer,
  until,
  untilStarted,
} from '../support/server.js';
import { Stage } from '../support/stage.js';

const MONITORING = join(root, 'examples/deployment/monitoring');
const TOKEN = 'a-token-of-some-length';
const PERMITS = 8;

interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

/** The file with other addresses and shorter intervals. */
function configuration(targets: string, tokenFile: string): string {
  let text = readFileSync(join(MONITORING, 'prometheus.yml'), 'utf8');
  for (const [told, used] of [
    ['scrape_interval: 15s', 'scrape_interval: 250ms'],
    ['evaluation_interval: 15s', 'evaluation_interval: 250ms'],
    ['/run/secrets/admin_token', tokenFile],
    ["targets: ['app1:9000', 'app2:9000']", `targets: [${targets}]`],
  ]) {
    expect(text).toContain(told);
    text = text.replace(told, used);
  }
  return text;
}

/** The query of the adapter for the metric of the autoscaler, as the adapter would send it for the pods of a namespace. */
function adapterQuery(): string {
  const file = readFileSync(join(root, 'examples/deployment/kubernetes/prometheus-adapter.yaml'), 'utf8');
  const [{ metricsQuery, name }] = parse(file).rules.custom;
  const scaler = parse(readFileSync(join(root, 'examples/deployment/kubernetes/autoscaling.yaml'), 'utf8'));
  expect(scaler.spec.metrics[0].pods.metric.name).toBe(name.as);
  return metricsQuery.replaceAll('<<.GroupBy>>', 'instance').replaceAll('<<.LabelMatchers>>', 'job="app"');
}

describeWith('prometheus', (command) => {
  const folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
  const stage = new Stage();
  const servers: TestServer[] = [];
  let prometheus: Program;
  let api: string;

  /** Prometheus cannot listen on a free port and report it. */
  async function freePort(): Promise<number> {
    const listening = createServer().listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const { port } = listening.address() as AddressInfo;
    listening.close();
    await once(listening, 'close');
    return port;
  }

  const instanceOf = ({ server }: TestServer) => `127.0.0.1:${server.adminAddress()!.port}`;

  // biome-ignore lint/suspicious/noExplicitAny: what the API returns
  async function ask(path: string): Promise<any> {
    const response = await request(`${api}${path}`);
    const { status, data, error } = (await response.body.json()) as { status: string; data: unknown; error?: string };
    if (status !== 'success') throw new Error(error);
    return data;
  }

  async function query(expression: string): Promise<Sample[]> {
    return (await ask(`query?query=${encodeURIComponent(expression)}`)).result;
  }

  /** Resolves once the query has these values, by one of their labels. */
  async function untilValues(expression: string, label: string, expected: Record<string, number>): Promise<void> {
    let seen: Record<string, number> = {};
    const look = async () => {
      const samples = await query(expression);
      seen = Object.fromEntries(samples.map(({ metric, value }) => [metric[label], Number(value[1])]));
      return JSON.stringify(seen, Object.keys(seen).sort()) === JSON.stringify(expected, Object.keys(expected).sort());
    };
    await until(look, expression).catch((cause) => {
      throw new Error(`${expression} is ${JSON.stringify(seen)}, not ${JSON.stringify(expected)}`, { cause });
    });
  }

  beforeAll(async () => {
    const options = {
      ...ONE_HTTP_THREAD,
      shards: 1,
      admin: { port: 0, token: TOKEN },
      scheduling: { permits: PERMITS },
    };
    for (let i = 0; i < 2; i++) servers.push(await startServer(options, 'scheduling-app.js'));
    cpSync(MONITORING, folder, { recursive: true });
    writeFileSync(join(folder, 'token'), TOKEN);
    const targets = servers.map((running) => `'${instanceOf(running)}'`).join(', ');
    writeFileSync(join(folder, 'prometheus.yml'), configuration(targets, join(folder, 'token')));
    const port = await freePort();
    api = `http://127.0.0.1:${port}/api/v1/`;
    const flags = {
      'config.file': 'prometheus.yml',
      'storage.tsdb.path': 'data',
      'web.listen-address': `127.0.0.1:${port}`,
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    prometheus = new Program(command, args, { cwd: folder });
    const areUp = async () => {
      if (prometheus.child.exitCode !== null) throw new Error(prometheus.stderr);
      const { activeTargets } = await ask('targets').catch(() => ({ activeTargets: [] }));
      return activeTargets.filter(({ health }: { health: string }) => health === 'up').length === servers.length;
    };
    await until(areUp, 'both targets to be up').catch((cause) => {
      throw new Error(prometheus.stderr, { cause });
    });
  });

  afterAll(async () => {
    stage.end();
    prometheus.child.kill('SIGTERM');
    expect(await prometheus.exit()).toBe(0);
    for (const running of servers) {
      await expectConserved(running);
      await running.server.close();
    }
    rmSync(folder, { recursive: true });
  });

  test('it counts the responses of a known load, and their times', async () => {
    const [first, second] = servers;
    const send = async ({ port }: TestServer, path: string, count: number) => {
      for (let i = 0; i < count; i++) await (await request(`http://127.0.0.1:${port}${path}`)).body.dump();
    };
    await send(first, '/thread', 30);
    await send(first, '/sleep/50', 4);
    await send(second, '/thread', 7);
    await send(second, '/nowhere', 3);
    const counts = 'sum by (instance) (loopshard_requests_total)';
    await untilValues(counts, 'instance', { [instanceOf(first)]: 34, [instanceOf(second)]: 10 });
    await untilValues('sum by (route) (loopshard_requests_total)', 'route', {
      'GET /thread': 37,
      'GET /sleep/:ms': 4,
      unmatched: 3,
    });
    await untilValues('sum by (status) (loopshard_requests_total)', 'status', { 200: 41, 404: 3 });
    const [{ value }] = await query('sum(loopshard_handler_time_seconds_sum{route="GET /sleep/:ms"})');
    expect(Number(value[1])).toBeGreaterThan(4 * 0.049);
    const [{ value: quick }] = await query('sum(loopshard_handler_time_seconds_sum{route="GET /thread"})');
    expect(Number(quick[1])).toBeLessThan(Number(value[1]));
  });

  test('the recorded load, and the metric of the autoscaler, are the share of permits that are taken', async () => {
    const [first, second] = servers;
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await stage.send(first, `/wait/${id}`);
    await untilStarted(first, 6);
    const expected = { [instanceOf(first)]: 0.75, [instanceOf(second)]: 0 };
    await untilValues('group:loopshard_load:ratio', 'instance', expected);
    await untilValues(adapterQuery(), 'instance', expected);
    stage.release('a', 'b', 'c', 'd', 'e', 'f');
    await untilValues('group:loopshard_load:ratio', 'instance', { [instanceOf(first)]: 0, [instanceOf(second)]: 0 });
  });

  test('every query of the Grafana dashboard is valid', async () => {
    const { panels, templating } = JSON.parse(readFileSync(join(root, 'docs/grafana.json'), 'utf8'));
    const variables: { name: string }[] = templating?.list ?? [];
    const queries: string[] = panels.flatMap(({ targets = [] }: { targets?: { expr: string }[] }) =>
      targets.map(({ expr }) => expr),
    );
    expect(queries.length).toBeGreaterThan(30);
    for (const text of queries) {
      const filled = variables.reduce((one, { name }) => one.replaceAll(`$${name}`, '.*'), text);
      await query(filled.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1m'));
    }
  });

  test('all rules are evaluated without errors, and no alert fires', async () => {
    const files = ['rules.yml', 'alerts.yml'].map((name) => parse(readFileSync(join(MONITORING, name), 'utf8')));
    const count = files.reduce((sum, { groups: [group] }) => sum + group.rules.length, 0);
    const isEvaluated = async () => {
      const { groups } = await ask('rules');
      const rules = groups.flatMap(({ rules: own }: { rules: { health: string }[] }) => own);
      return rules.length === count && rules.every(({ health }: { health: string }) => health === 'ok');
    };
    await until(isEvaluated, 'rules without errors');
    const { alerts } = await ask('alerts');
    expect(alerts.filter(({ state }: { state: string }) => state === 'firing')).toEqual([]);
  });

  test('a target without the right token is down', async () => {
    writeFileSync(join(folder, 'token'), `${TOKEN}x`);
    try {
      await untilValues('up', 'instance', Object.fromEntries(servers.map((running) => [instanceOf(running), 0])));
      // A scrape before may have failed because it took too long.
      const refused = async () =>
        (await ask('targets')).activeTargets.every(({ lastError }: { lastError: string }) => lastError.includes('401'));
      await until(refused, 'refusals with 401');
    } finally {
      writeFileSync(join(folder, 'token'), TOKEN);
    }
    await untilValues('up', 'instance', Object.fromEntries(servers.map((running) => [instanceOf(running), 1])));
  });
});

describeWith('promtool', (command) => {
  const files = (...names: string[]) => names.map((name) => join(MONITORING, name));

  test('the rules and alerts are valid', async () => {
    await run(command, ['check', 'rules', ...files('rules.yml', 'alerts.yml')]);
  });

  test('every alert fires when it should, and only then', async () => {
    const { stdout } = await run(command, ['test', 'rules', ...files('alerts.test.yml')]);
    expect(stdout).toContain('SUCCESS');
  });
});

describe('the unit tests of the alerts', () => {
  const text = (name: string) => readFileSync(join(MONITORING, name), 'utf8');
  const alerts: string[] = parse(text('alerts.yml')).groups[0].rules.map(({ alert }: { alert: string }) => alert);

  test.each(alerts)('%s fires in one of them, and does not in another', (alert) => {
    const cases = parse(text('alerts.test.yml')).tests.flatMap(
      ({ alert_rule_test: own = [] }: { alert_rule_test?: { alertname: string; exp_alerts: unknown[] }[] }) => own,
    );
    const counts: number[] = cases
      .filter(({ alertname }: { alertname: string }) => alertname === alert)
      .map(({ exp_alerts }: { exp_alerts: unknown[] }) => exp_alerts.length);
    expect(Math.min(...counts)).toBe(0);
    expect(Math.max(...counts)).toBeGreaterThan(0);
  });
});
