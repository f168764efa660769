import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { DEFINITIONS } from '../build/src/metrics/definitions.js';
import { metricsText } from '../scripts/generate-metrics.js';
import { root } from './support/process.js';

const file = (name: string) => readFileSync(join(root, 'docs', name), 'utf8');
const names = new Set(DEFINITIONS.map(({ name }) => name));
const PARTS = ['_bucket', '_sum', '_count'];

/** The metrics that a text mentions, without the parts of histograms. */
function mentioned(text: string): Set<string> {
  const all = text.match(/\b(?:loopshard|process)_[a-z_]+[a-z]/g) ?? [];
  return new Set(
    all.map((name) => {
      const part = PARTS.find((suffix) => name.endsWith(suffix));
      const histogram = part === undefined ? name : name.slice(0, -part.length);
      return names.has(histogram) ? histogram : name;
    }),
  );
}

test('docs/metrics.md lists all metrics, and no others', () => {
  expect(metricsText(file('metrics.md'))).toBe(file('metrics.md'));
  expect([...mentioned(file('metrics.md'))].filter((name) => !names.has(name))).toEqual([]);
});

test('the dashboard uses only metrics that exist, with labels that they have', () => {
  const dashboard = JSON.parse(file('grafana.json'));
  const queries: string[] = dashboard.panels.flatMap(({ targets = [] }: { targets?: { expr: string }[] }) =>
    targets.map(({ expr }) => expr),
  );
  expect(queries.length).toBeGreaterThan(30);
  expect([...mentioned(file('grafana.json'))].filter((name) => !names.has(name))).toEqual([]);
  const known = new Set(['le', ...DEFINITIONS.flatMap(({ labels }) => labels)]);
  const used = queries.flatMap((query) =>
    [...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels]) => labels.split(', ')),
  );
  expect(used.filter((label) => !known.has(label))).toEqual([]);
});

test('the dashboard shows every metric that needs attention', () => {
  const shown = mentioned(file('grafana.json'));
  // Details for one who already knows what to look for.
  const left = [...names].filter((name) => !shown.has(name));
  expect(left).toEqual([
    'loopshard_shard_handlers_total',
    'loopshard_shard_claims_total',
    'loopshard_shard_parks_total',
    'loopshard_shard_outstanding',
    'loopshard_shard_extent_waits_total',
    'loopshard_shard_extent_waiting',
    'loopshard_shard_loop_idle_seconds_total',
    'loopshard_shard_heap_limit_bytes',
    'loopshard_route_permits',
    'loopshard_route_permits_available',
    'loopshard_retiring',
    'process_start_time_seconds',
  ]);
});
