import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createInput, split } from '../fuzz/mutate.js';
import { createRandom } from '../support/random.js';
import { cases } from './cases/index.js';
import { parse, parsers, type Way } from './parsing.js';

/** How often a head must have been sent to be known, at least; no test's heads take each other's place in between. */
const OFTEN = 40;
const HEAD =
  'GET /path/of/a/resource?with=a&query HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n';
const { heads } = parsers;
const original = heads.find.bind(heads);
const find = jest.spyOn(heads, 'find');
let hits = 0;

beforeEach(() => {
  hits = 0;
  find.mockImplementation((...about) => {
    const known = original(...about);
    if (known !== undefined) hits++;
    return known;
  });
});

afterEach(() => {
  expect(parsers.open).toBe(0);
});

/** The same, by a parser that knows no heads. */
function parseUnknown(...of: Parameters<typeof parse>): string[] {
  const usual = find.getMockImplementation()!;
  find.mockImplementation((words, start) => original(words, start, 0));
  try {
    return parse(...of);
  } finally {
    find.mockImplementation(usual);
  }
}

const bytesOf = (text: string) => Buffer.from(text, 'latin1');
/** Has the parsers know this head. */
const learn = (head: Buffer) => {
  for (let i = 0; i < OFTEN; i++) parse([head]);
  hits = 0;
  parse([head]);
  expect(hits).toBe(1);
};

const WAYS: Way[] = ['small', 'streamed', 'large body'];

test.each(WAYS)('every message has the same meaning each time (%s)', (way) => {
  for (const { rule, input } of cases.filter((one) => one.input.length <= 2_000)) {
    const bytes = bytesOf(input);
    const once = parseUnknown([bytes], way);
    for (let i = 0; i < OFTEN; i++) expect([rule, i, parse([bytes], way)]).toEqual([rule, i, once]);
    const pieces = new Array<Buffer>(5).fill(bytes);
    expect([rule, parse(pieces, way)]).toEqual([rule, parseUnknown(pieces, way)]);
  }
  expect(hits).toBeGreaterThan(500);
});

test('a head that differs from a known one in any byte is another one', () => {
  const head = bytesOf(HEAD);
  learn(head);
  for (let at = 0; at < head.length; at++) {
    for (const byte of [head[at] ^ 1, head[at] ^ 0x20, head[at] ^ 0x80, 0, 9, 10, 13, 32, 58].filter(
      (b) => b !== head[at],
    )) {
      const other = Buffer.from(head);
      other[at] = byte;
      expect([at, byte, parse([other])]).toEqual([at, byte, parseUnknown([other])]);
      expect(parse([head, other, head])).toEqual(parseUnknown([head, other, head]));
    }
  }
});

test('a head that is shorter or longer than a known one is another one', () => {
  const head = bytesOf(HEAD);
  learn(head);
  for (let bytes = 0; bytes < head.length; bytes++) {
    const start = head.subarray(0, bytes);
    for (const pieces of [[start], [start, head.subarray(bytes)], [head, start], [head.subarray(bytes)]]) {
      expect([bytes, parse(pieces)]).toEqual([bytes, parseUnknown(pieces)]);
    }
  }
  for (const more of ['\r\n', '\r', '\n', 'G', 'GET', '\0', HEAD, HEAD.slice(0, -2)]) {
    for (const pieces of [[HEAD + more], [more + HEAD], [more, HEAD], [HEAD, more], [HEAD, more, HEAD]]) {
      expect([pieces, parse(pieces.map(bytesOf))]).toEqual([pieces, parseUnknown(pieces.map(bytesOf))]);
    }
  }
});

test.each([0, 1, 2, 3, 4, 5, 8])(
  'a body of %i bytes in front of a known head, or made of its beginning',
  (bodyBytes) => {
    const head = bytesOf(HEAD);
    learn(head);
    const post = bytesOf(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bodyBytes}\r\n\r\n`);
    for (const way of WAYS) {
      // The rest of the second piece has as many bytes as the known head, in other words.
      const behind = Buffer.concat([head, Buffer.alloc(bodyBytes, 'x')]);
      const inFront = Buffer.concat([Buffer.alloc(bodyBytes, 'x'), head]);
      for (const piece of [behind, inFront]) {
        expect([way, parse([post, piece, head], way)]).toEqual([way, parseUnknown([post, piece, head], way)]);
      }
    }
  },
);

test.each([
  ['HTTP/1.0', HEAD.replace('1.1', '1.0')],
  ['HTTP/1.0 that persists', HEAD.replace('1.1\r\n', '1.0\r\nConnection: keep-alive\r\n')],
  ['a last request', HEAD.replace('Cookie', 'Connection: close\r\nCookie')],
  ['an offer of another protocol', HEAD.replace('Cookie', 'Connection: upgrade\r\nUpgrade: x\r\nCookie')],
  ['a target in absolute-form', HEAD.replace('/path', 'http://example.org/path')],
  ['a body', `${HEAD.replace('GET', 'POST').replace('Cookie', 'Content-Length: 3\r\nCookie')}abc`],
  ['chunks', `${HEAD.replace('GET', 'POST').replace('Cookie', 'Transfer-Encoding: chunked\r\nCookie')}0\r\n\r\n`],
  ['two requests', HEAD.repeat(2)],
  ['an empty line in front', `\r\n${HEAD}`],
  ['an empty line behind', `${HEAD}\r\n`],
  ['an empty line behind a field without a value', `${HEAD.replace('Cookie: a=b; c=d', 'Cookie:')}\r\n`],
  ['an empty line behind, without its end', `${HEAD.replace('Cookie: a=b; c=d', 'Cookie:')}\n\r`],
  ['more than 2 kB', HEAD.replace('c=d', 'c'.repeat(2_000))],
])('%s is not remembered', (_what, message) => {
  const bytes = bytesOf(message);
  for (let i = 0; i < 2 * OFTEN; i++) expect(parse([bytes])).toEqual(parseUnknown([bytes]));
  expect(hits).toBe(0);
});

test('a head is known to connections of every parser, and to one that pauses after each request', () => {
  const head = bytesOf(HEAD);
  learn(head);
  const pieces = new Array<Buffer>(10).fill(head);
  hits = 0;
  const always = () => true;
  expect(parse(pieces, 'small', always)).toEqual(parseUnknown(pieces, 'small', always));
  expect(hits).toBe(10);
});

const TEN = HEAD.replace('1.1', '1.0');
const CHUNKED = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n';

test.each([
  ['HTTP/1.0', TEN],
  ...['keep-alive', 'keep-alive\t', 'keep-alive\t, b', 'keep-alive, close', 'close, keep-alive', 'b'].map((options) => [
    `HTTP/1.0 with "${options}"`,
    TEN.replace('Cookie', `Connection: ${options}\r\nCookie`),
  ]),
  ...['close', 'close\t', 'b,\tclose', 'keep-alive'].map((options) => [
    `HTTP/1.1 with "${options}"`,
    HEAD.replace('Cookie', `Connection: ${options}\r\nCookie`),
  ]),
  ...['Connection: close', 'Connection: keep-alive', 'Connection: upgrade\r\nUpgrade: x', 'A: b'].map((trailer) => [
    `a trailer of ${trailer}`,
    `${CHUNKED}${trailer}\r\n\r\n`,
  ]),
])('a known head behind %s', (_what, before) => {
  const head = bytesOf(HEAD);
  learn(head);
  const pieces = [bytesOf(before), head, head];
  for (const way of WAYS) {
    expect([way, parse(pieces, way)]).toEqual([way, parseUnknown(pieces, way)]);
  }
});

test('only two line ends are taken for the end of a head', () => {
  const bytes = ['\r', '\n', ' ', '\t', 'x'];
  const ends = bytes.flatMap((a) => bytes.flatMap((b) => bytes.flatMap((c) => bytes.map((d) => a + b + c + d))));
  for (const field of ['Cookie: a', 'Cookie:', 'Cookie: ']) {
    for (const end of ends) {
      const head = bytesOf(HEAD.replace('Cookie: a=b; c=d\r\n\r\n', field + end));
      hits = 0;
      for (let i = 0; i < OFTEN; i++) parse([head]);
      expect([field, end, hits > 0]).toEqual([field, end, field === 'Cookie: a' && end === '\r\n\r\n']);
    }
  }
});

test('a body that looks like a head is not remembered', () => {
  const post = bytesOf('POST /data HTTP/1.1\r\nHost: example.org\r\nContent-Length: 70\r\nA: bcd\r\n\r\n');
  expect(post.length).toBe(70);
  for (let i = 0; i < 2 * OFTEN; i++) {
    for (const pieces of [[post, post], [post]]) expect(parse(pieces)).toEqual(parseUnknown(pieces));
  }
});

test('heads that are rare do not take the place of one that is frequent', () => {
  const head = bytesOf(HEAD);
  learn(head);
  for (let i = 0; i < 2_000; i++) {
    // In the same place: it depends on the length, the beginning and the end.
    parse([bytesOf(HEAD.replace('Accept: */*', `Accept: ${String(i % 900).padStart(3)}`))]);
    hits = 0;
    parse([head]);
    expect(hits).toBe(1);
  }
});

test('random messages, repeated, split, and with pauses, mean the same as without known heads', () => {
  const random = createRandom();
  let known = 0;
  for (let round = 0; round < 150; round++) {
    const way = WAYS[Math.floor(random() ** 2 * 3)];
    const head = bytesOf(HEAD.replace('path', `path-${round % 7}`));
    const pool = [head, ...Array.from({ length: 3 }, () => createInput(random)).filter((one) => one.length < 4_000)];
    for (let connection = 0; connection < OFTEN; connection++) {
      const messages = Array.from({ length: 4 }, () => pool[Math.floor(random() ** 2 * pool.length)]);
      const pieces = messages.flatMap((message) => (random() < 0.7 ? [message] : split(message, random)));
      const pausing = Array.from({ length: 16 }, () => random() < 0.2);
      const pauses = () => {
        let request = 0;
        return () => pausing[request++ % pausing.length];
      };
      hits = 0;
      expect(parse(pieces, way, pauses())).toEqual(parseUnknown(pieces, way, pauses()));
      known += hits;
    }
  }
  expect(known).toBeGreaterThan(1_000);
});
