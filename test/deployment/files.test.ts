/* The files of examples/deployment that cannot be run here are checked by linters, and against each other. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { DCLinter } from 'dclint';
import { validate } from 'dockerfile-utils';
import { parse, parseAllDocuments } from 'yaml';
import { DEFINITIONS } from '../../build/src/metrics/definitions.js';
import { OPTIONS } from '../../build/src/options/table.js';
import { loopshard, root } from '../support/process.js';

const exec = promisify(execFile);
const FOLDER = join(root, 'examples/deployment');
const text = (name: string) => readFileSync(join(FOLDER, name), 'utf8');

/** The value of a flag, in seconds. */
function secondsOf(flag: string, args: string[], standardMs: number): number {
  const at = args.indexOf(flag);
  return (at < 0 ? standardMs : Number(args[at + 1])) / 1_000;
}

/** How long `close()` takes at most with these flags. */
function closeSeconds(args: string[]): number {
  const delay = secondsOf('--drain-delay-ms', args, OPTIONS.drainDelayMs.default);
  return delay + secondsOf('--close-timeout-ms', args, OPTIONS.closeTimeoutMs.default);
}

/** Starts a server with these flags, on free ports of this machine. */
async function expectToStart(args: string[]): Promise<void> {
  const own = args
    .map((arg) => (arg === '0.0.0.0' ? '127.0.0.1' : arg))
    .map((arg) => (/^90\d\d$/.test(arg) ? '0' : arg));
  const program = loopshard('serve', 'test/fixtures/app.js', '--port', '0', ...own);
  await program.printed(/listens on/);
  program.child.kill('SIGKILL');
  await program.exit();
}

describe('docs/deployment.md', () => {
  const page = readFileSync(join(root, 'docs/deployment.md'), 'utf8');
  const shown = [...page.matchAll(/^<!-- examples\/deployment\/(\S+) -->\n```\w*\n([\s\S]*?)^```$/gm)];

  test('shows at least the files that everybody needs', () => {
    const names = shown.map(([, name]) => name);
    for (const name of ['nginx.conf', 'Dockerfile', 'systemd/app.service', 'systemd/app.socket', 'haproxy.cfg'])
      expect(names).toContain(name);
    // Each has been recognized.
    expect(page.match(/^<!-- /gm)).toHaveLength(shown.length);
  });

  test.each(shown.map(([, name, block]) => [name, block]))('%s is shown as it is, or a part of it', (name, block) => {
    expect(text(name)).toContain(block);
  });

  test('every file is linked there or in the README of the folder', () => {
    const files = readdirSync(FOLDER, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(FOLDER.length + 1));
    expect(files.length).toBeGreaterThan(15);
    const readme = text('README.md');
    const missing = files.filter((name) => !page.includes(`deployment/${name})`) && !readme.includes(`(${name})`));
    expect(missing).toEqual([]);
  });
});

describe('Dockerfile', () => {
  const dockerfile = text('Dockerfile');

  test('has no errors or warnings', () => {
    expect(validate(dockerfile)).toEqual([]);
  });

  test('the linter would find errors', () => {
    expect(validate(dockerfile.replace('WORKDIR /srv/app', 'WORKDIR srv'))).not.toEqual([]);
    expect(validate(dockerfile.replace('--start-period=30s', '--start-periods=30s'))).not.toEqual([]);
  });

  test('the user has no privileges, and the health check tells whether the server responds', async () => {
    expect(dockerfile).toMatch(/^USER node$/m);
    const [, check] = /^HEALTHCHECK .*\\\n +CMD (\[.*\])$/m.exec(dockerfile)!;
    const [command, ...args] = JSON.parse(check) as string[];
    expect(command).toBe('node');
    const program = loopshard('serve', 'test/fixtures/app.js', '--port', '0', '--health');
    const [, port] = await program.printed(/127\.0\.0\.1:(\d+)/);
    const own = args.map((arg) => arg.replace(':8000', `:${port}`));
    await exec(process.execPath, own);
    program.child.kill('SIGTERM');
    await program.exit();
    await expect(exec(process.execPath, own)).rejects.toMatchObject({ code: 1 });
  });
});

describe('compose.yaml', () => {
  const path = join(FOLDER, 'compose.yaml');
  const compose = parse(text('compose.yaml'), { merge: true });
  const app = compose.services.app1;
  // dclint's types name no value for these two, which it needs.
  const linter = () => new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] } as never);

  test('matches the schema of the Compose Specification, and has no warnings', () => {
    const [{ messages }] = linter().lintFiles([path], false);
    expect(messages).toEqual([]);
  });

  test('the linter would find errors', () => {
    const folder = mkdtempSync(join(root, 'build/compose-'));
    const file = join(folder, 'compose.yaml');
    writeFileSync(file, text('compose.yaml').replace('stop_grace_period:', 'stop_grace:'));
    const [{ messages }] = linter().lintFiles([file], false);
    expect(JSON.stringify(messages)).toContain('invalid-schema');
    rmSync(folder, { recursive: true });
  });

  test('mounts files that exist', () => {
    const services: { volumes?: string[] }[] = Object.values(compose.services);
    const mounted = services.flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':')[0]));
    const files = mounted.filter((source) => source.startsWith('./'));
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      const ofPackage = file.replace(/^\.\/node_modules\/loopshard\//, '');
      expect(existsSync(ofPackage === file ? join(FOLDER, file) : join(root, ofPackage))).toBe(true);
    }
  });

  test('its servers are those of HAProxy and Prometheus, at the same ports', () => {
    const names = Object.keys(compose.services).filter((name) => name.startsWith('app'));
    const [admin, agent] = ['--admin-port', '--agent-port'].map((flag) => app.command[app.command.indexOf(flag) + 1]);
    const balanced = [...text('haproxy.cfg').matchAll(/^ {2}server (\S+) (\S+):8000$/gm)];
    expect(balanced.map(([, name, host]) => [name, host])).toEqual(names.map((name) => [name, name]));
    expect(text('haproxy.cfg')).toContain(` agent-port ${agent} `);
    const { targets } = parse(text('monitoring/prometheus.yml')).scrape_configs[0].static_configs[0];
    expect(targets).toEqual(names.map((name) => `${name}:${admin}`));
  });

  test('the servers start with these flags, and have time to close', async () => {
    expect(Number.parseInt(app.stop_grace_period, 10)).toBeGreaterThan(closeSeconds(app.command));
    process.env.LOOPSHARD_ADMIN_TOKEN = 'a-token-of-some-length';
    await expectToStart(app.command).finally(() => delete process.env.LOOPSHARD_ADMIN_TOKEN);
  });
});

interface Manifest {
  apiVersion: string;
  kind: string;
}

/** The package of types for each kind. */
const TYPES: Record<string, string> = {
  Deployment: 'apps/v1',
  Service: 'core/v1',
  PodDisruptionBudget: 'policy/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
};

/** Checks manifests against the types of Kubernetes' API, unknown fields included. Returns the compiler's messages. */
async function checkTypes(manifests: Manifest[]): Promise<string> {
  const folder = mkdtempSync(join(root, 'build/kubernetes-'));
  const lines = manifests.map(
    (manifest, i) =>
      `const m${i}: import('kubernetes-types/${TYPES[manifest.kind]}').${manifest.kind} = ${JSON.stringify(manifest)};\nvoid m${i};`,
  );
  const file = join(folder, 'manifests.ts');
  writeFileSync(file, `${lines.join('\n')}\nexport {};\n`);
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig', '--types', '', '--module', 'preserve'];
  try {
    await exec(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...flags, file]);
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('kubernetes', () => {
  const manifests = ['app.yaml', 'autoscaling.yaml'].flatMap((name) =>
    parseAllDocuments(text(`kubernetes/${name}`)).map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS();
    }),
  );
  const [deployment, service, budget, scaler] = manifests;
  const pod = deployment.spec.template;
  const [container] = pod.spec.containers;

  test('the manifests have the types of the API', async () => {
    expect(manifests.map(({ kind }) => kind)).toEqual(Object.keys(TYPES));
    for (const { apiVersion, kind } of manifests) expect(apiVersion).toBe(TYPES[kind].replace('core/', ''));
    expect(await checkTypes(manifests)).toBe('');
  });

  test('the check would find a field in the wrong place', async () => {
    const wrong = structuredClone(deployment);
    wrong.spec.template.spec.readinessProbe = container.readinessProbe;
    expect(await checkTypes([wrong])).toContain('readinessProbe');
  });

  test('selectors find the pods', () => {
    expect(deployment.spec.selector.matchLabels).toEqual(pod.metadata.labels);
    expect(service.spec.selector).toEqual(pod.metadata.labels);
    expect(budget.spec.selector.matchLabels).toEqual(pod.metadata.labels);
    expect(scaler.spec.scaleTargetRef.name).toBe(deployment.metadata.name);
  });

  test('probes and the service use the ports of the container', () => {
    const ports = container.ports.map(({ name }: { name: string }) => name);
    const { startupProbe, livenessProbe, readinessProbe } = container;
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) expect(ports).toContain(httpGet.port);
    expect([livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path)).toEqual(['/livez', '/readyz']);
    expect(ports).toContain(service.spec.ports[0].targetPort);
  });

  test('the pod has time to close, and keeps serving until its readiness probe has failed', () => {
    const { seconds } = container.lifecycle.preStop.sleep;
    expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThan(seconds + closeSeconds(container.args));
    const { periodSeconds, failureThreshold } = container.readinessProbe;
    const delay = secondsOf('--drain-delay-ms', container.args, OPTIONS.drainDelayMs.default);
    expect(delay).toBeGreaterThan(periodSeconds * failureThreshold);
  });

  test('the server starts with these flags', async () => {
    process.env.LOOPSHARD_ADMIN_TOKEN = 'a-token-of-some-length';
    await expectToStart(container.args).finally(() => delete process.env.LOOPSHARD_ADMIN_TOKEN);
  });
});

test('the files of Grafana provision the dashboard that compose.yaml mounts', () => {
  const compose = parse(text('compose.yaml'), { merge: true });
  const { path } = parse(text('monitoring/grafana-dashboards.yml')).providers[0].options;
  expect(compose.services.grafana.volumes.join(' ')).toContain(`:${path}/loopshard.json:ro`);
  const [{ url, type }] = parse(text('monitoring/grafana-datasource.yml')).datasources;
  expect([new URL(url).hostname in compose.services, type]).toEqual([true, 'prometheus']);
});

test.each([
  'monitoring/rules.yml',
  'monitoring/alerts.yml',
  'monitoring/alerts.test.yml',
  'kubernetes/prometheus-adapter.yaml',
])('%s uses only metrics that exist', (name) => {
  const known = new Set(DEFINITIONS.map((definition) => definition.name));
  const scaled: string = parse(text('kubernetes/prometheus-adapter.yaml')).rules.custom[0].name.as;
  // Names of recorded series have colons.
  const used = text(name).match(/(?<![:\w])loopshard_[a-z_]+[a-z](?!:)\b/g)!;
  expect(used.length).toBeGreaterThan(3);
  const exists = (metric: string) => known.has(metric) || known.has(metric.replace(/_(bucket|sum|count)$/, ''));
  expect(used.filter((metric) => metric !== scaled && !exists(metric))).toEqual([]);
});
