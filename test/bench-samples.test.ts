import { describe, expect, test } from '@jest/globals';
import { PEERS } from '../bench/http/peers.js';
import { formatReport } from '../bench/scheduling/report.js';
import { compareLoads, figureSpread } from '../bench/scheduling/samples.js';
import { atLeast, atMost, withinUs } from '../bench/scheduling/targets.js';

const load = (variant: string) => ({ variant, phase: '' });
const sample = (round: number, variant: string, perSecond: number) => ({
  round,
  ...load(variant),
  figures: { perSecond },
});

describe('figures of several rounds', () => {
  // The machine was half as fast in the second round.
  const samples = [
    sample(1, 'ours', 200),
    sample(1, 'theirs', 100),
    sample(2, 'theirs', 50),
    sample(2, 'ours', 100),
    sample(3, 'ours', 210),
    sample(3, 'theirs', 100),
    { ...sample(1, 'ours', 1), phase: 'another' },
  ];

  test('are compared round by round', () => {
    expect(compareLoads(samples, 'perSecond', load('ours'), load('theirs'))).toEqual({ median: 2, min: 2, max: 2.1 });
    const difference = compareLoads(samples, 'perSecond', load('ours'), load('theirs'), (a, b) => a - b);
    expect(difference).toEqual({ median: 100, min: 50, max: 110 });
  });

  test('omit targets that were not measured', () => {
    const withGap = [...samples, sample(4, 'ours', Number.NaN), sample(4, 'theirs', 1), sample(5, 'ours', 1)];
    expect(compareLoads(withGap, 'perSecond', load('ours'), load('theirs'))?.max).toBe(2.1);
    expect(figureSpread(withGap, load('ours'), 'perSecond')).toEqual({ median: 150, min: 1, max: 210 });
    expect(figureSpread(samples, load('nobody'), 'perSecond')).toBeUndefined();
    expect(compareLoads(samples, 'perSecond', load('ours'), load('nobody'))).toBeUndefined();
  });
});

test('targets are judged by the median', () => {
  const figure = { median: 1.5, min: 0.5, max: 3 };
  expect(atLeast('rate', 1.5, figure)).toEqual({
    what: 'rate',
    reach: '≥ 1.50 ×',
    figure: '1.50 × (0.50–3.00)',
    verdict: 'reached',
  });
  expect(atLeast('rate', 1.6, figure).verdict).toBe('MISSED');
  expect(atMost('p99', 1.5, figure)).toMatchObject({ reach: '≤ 1.50 ×', verdict: 'reached' });
  expect(atMost('p99', 1.4, figure).verdict).toBe('MISSED');
  const latency = { median: 5_000, min: 4_000, max: 90_000 };
  expect(withinUs('p99', 5_000, latency)).toMatchObject({ reach: '≤ 5 ms', figure: '5 ms (4–90)', verdict: 'reached' });
  expect(withinUs('p99', 4_999, latency).verdict).toBe('MISSED');
  for (const judge of [atLeast, atMost, withinUs]) {
    expect(judge('nothing', 1, undefined)).toMatchObject({ figure: '–', verdict: 'not measured' });
  }
});

test('a column can compare each server with another one', () => {
  const variant = (id: string) => ({ peer: { ...PEERS.message[0], id, title: id }, settings: {}, isLoopShard: true });
  const scenario = {
    ...{ name: '', title: '', works: {}, phases: [''], rounds: 1, seconds: 1, judge: () => [], progress: () => '' },
    variants: ['a-0', 'a-1', 'b-0', 'b-1'].map(variant),
    load: { title: '', run: async () => ({}) },
    columns: [
      {
        head: 'of 0',
        figure: 'perSecond',
        format: 'share' as const,
        against: ({ variant: id }: { variant: string }) => ({ variant: `${id[0]}-0` }),
      },
    ],
  };
  const rates = { 'a-0': 100, 'a-1': 50, 'b-0': 10, 'b-1': 20 };
  const samples = Object.entries(rates).map(([id, perSecond]) => sample(1, id, perSecond));
  const rows = formatReport(scenario, samples, []).split('\n');
  const shown = Object.keys(rates).map((id) => rows.find((row) => row.startsWith(id))?.split(/ {2,}/)[1]);
  expect(shown).toEqual(['–', '0.50 ×', '–', '2.00 ×']);
});
