import { expect, test } from '@jest/globals';
import { urlOf, withoutSegments } from '../../build/src/adapters/fetch/url.js';
import { createRandom } from '../support/random.js';

const random = createRandom();
const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)];

const PARTS = [
  '/',
  '/',
  'a',
  'B',
  '.',
  '..',
  '%2e',
  '%2E.',
  '%20',
  '%',
  'ü',
  '?',
  '&',
  '=',
  '#',
  '@',
  ':',
  '//',
  '\\',
  '|',
  '^',
  '`',
  "'",
  '"',
  '<',
  '{',
  '~',
  '[',
  ';',
  ',',
];
const HOSTS = [
  'a.test',
  'A.test',
  '127.0.0.1',
  '127.0.0.1:8080',
  'a.test:80',
  'a.test:443',
  'a.test:080',
  '[::1]:9',
  '127.1',
  '1',
  '0x7f.1',
  'a_b',
  'xn--a',
  'ü.test',
  'a.test:99999',
  'a.test:8000',
];

test('URLs of requests are as the URL parser writes them', () => {
  for (let round = 0; round < 20_000; round++) {
    const protocol = pick(['http', 'https'] as const);
    const host = pick(HOSTS);
    const target = `/${Array.from({ length: Math.floor(random() * 6) }, () => pick(PARTS)).join('')}`;
    const url = `${protocol}://${host}${target}`;
    if (URL.canParse(url)) expect({ url, got: urlOf(protocol, host, target) }).toEqual({ url, got: new URL(url).href });
    else expect(() => new URL(urlOf(protocol, host, target))).not.toThrow();
  }
});

test.each([
  ['http', undefined, '/x', 'http://localhost/x'],
  ['https', 'a.test', 'http://b.test/x?y', 'http://b.test/x?y'],
  ['http', 'a.test', '*', 'http://a.test/*'],
  ['http', 'not a host', '/x', 'http://localhost/x'],
] as const)('%s, host %s, target %s: %s', (protocol, host, target, expected) => {
  expect(urlOf(protocol, host, target)).toBe(expected);
});

test.each([
  ['/a', 1, '/'],
  ['/a/', 1, '/'],
  ['/a/b', 1, '/b'],
  ['/a/b/c?d/e', 2, '/c?d/e'],
  ['/a?b/c', 1, '/?b/c'],
  ['/a/b', 2, '/'],
  ['/a//b', 1, '//b'],
])('%s without %d segments is %s', (target, segments, expected) => {
  expect(withoutSegments(target, segments)).toBe(expected);
});
