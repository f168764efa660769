import { cases } from '../conformance/cases/index.js';

/** @typedef {() => number} Random numbers from 0 to 1 */

/** Larger cases would take too much time from the others. */
const MAX_CASE_BYTES = 70_000;
const corpus = cases.filter(({ input }) => input.length <= MAX_CASE_BYTES).map(({ input }) => input);
corpus.push('GET /large/60000 HTTP/1.1\r\nHost: x\r\n\r\n');

/** Request and response bodies that need more memory than a slot has, up to more than one extent of any size. */
const LARGE_BYTES = [40_000, 300_000, 1_100_000];
const large = LARGE_BYTES.flatMap((bytes) => {
  const body = 'l'.repeat(bytes);
  const chunk = `${(bytes / 4).toString(16)}\r\n${'c'.repeat(bytes / 4)}\r\n`;
  return [
    `GET /large/${bytes} HTTP/1.1\r\nHost: x\r\n\r\n`,
    `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n${body}`,
    `POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n${body}`,
    `POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(4)}0\r\n\r\n`,
  ];
});
/** How often large bodies occur: more would take too much time from the others. */
const LARGE_SHARE = 0.02;

/** Text that often breaks parsers. */
const WORDS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '%',
  '0',
  'ffffffffffffffff',
  '\r\n\r\n',
  '\xff',
  '?',
];
WORDS.push(
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Host: y\r\n',
  'Connection: close\r\n',
  'http://x/',
);
WORDS.push(
  'Expect: 100-continue\r\n',
  'Connection: upgrade\r\nUpgrade: x\r\n',
  'HTTP/1.0',
  'A: b\r\n'.repeat(120),
  'x'.repeat(9_000),
);

/**
 * @template T
 * @param {T[]} list
 * @param {Random} random
 */
export const pick = (list, random) => list[Math.floor(random() * list.length)];

/** Each changes a text at `at`. @type {((text: string, at: number, random: Random) => string)[]} */
const MUTATIONS = [
  (text, at, random) => text.slice(0, at) + String.fromCharCode(random() * 256) + text.slice(at + 1),
  (text, at, random) => text.slice(0, at) + pick(WORDS, random) + text.slice(at),
  (text, at, random) => text.slice(0, at) + text.slice(at + Math.ceil(random() * 8)),
  (text, at, random) => text.slice(0, at) + text.slice(Math.max(0, at - Math.ceil(random() * 40))),
  (text, at) => text.slice(0, at),
  (text, at, random) => text.slice(0, at) + pick(corpus, random),
];

/**
 * Builds an input from a few cases of the conformance table, most of them changed in a few places.
 * @param {Random} random
 */
export function createInput(random) {
  let input = '';
  for (let left = 1 + random() * 3; left > 0; left--) {
    let text = pick(random() < LARGE_SHARE ? large : corpus, random);
    for (let changes = Math.floor(random() * 4); changes > 0; changes--) {
      text = pick(MUTATIONS, random)(text, Math.floor(random() * text.length), random);
    }
    input += text;
  }
  return Buffer.from(input, 'latin1');
}

/**
 * Splits the input into pieces, mostly small ones.
 * @param {Buffer} input
 * @param {Random} random
 */
export function split(input, random) {
  const pieces = [];
  const largest = 1 + random() ** 4 * input.length;
  for (let at = 0; at < input.length; ) {
    const bytes = Math.max(1, Math.floor(random() * largest), Math.floor(input.length / 200));
    pieces.push(input.subarray(at, at + bytes));
    at += bytes;
  }
  return pieces;
}
