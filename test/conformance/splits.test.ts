import { expect, test } from '@jest/globals';
import {
  HEAD_FIELD_LIMIT_OFFSET,
  HEAD_INDEX_OFFSET,
  HEAD_TARGET_LIMIT_OFFSET,
  HEAD_TOTAL_LIMIT_OFFSET,
} from '../../build/assembly/layout.js';
import { CoreMemory } from '../../build/src/core/index.js';
import { Parsers } from '../../build/src/http/parser/llhttp.js';
import { RequestParser } from '../../build/src/http/parser/request-parser.js';
import { createRandom } from '../support/random.js';
import { cases, isValid } from './cases/index.js';

const core = CoreMemory.create(1_000);
const limits = [
  [HEAD_TARGET_LIMIT_OFFSET, 8_192],
  [HEAD_TOTAL_LIMIT_OFFSET, 24_576],
  [HEAD_FIELD_LIMIT_OFFSET, 100],
];
for (const [offset, value] of limits) core.i32[(HEAD_INDEX_OFFSET + offset) >> 2] = value;
const parsers = new Parsers(core);

/** Everything that is known of a request once it is complete. */
function describe(request: RequestParser): string {
  const start = request.headStart;
  const entries = new Uint16Array(Uint8Array.from(request.fields()).buffer);
  const fields: string[] = [];
  for (let i = 0; i < entries.length; i += 4) {
    const [name, nameBytes, value, valueBytes] = entries.subarray(i, i + 4);
    fields.push(request.headSource.latin1Slice(start + name, start + name + nameBytes));
    if (valueBytes > 0) fields.push(request.headSource.latin1Slice(start + value, start + value + valueBytes));
  }
  const target = request.headSource.latin1Slice(start, start + request.targetBytes);
  const { method, keepAlive, isHttp10, upgrade, bodyBytes } = request;
  const body = request.body().toString('latin1');
  return JSON.stringify({ method, target, fields, keepAlive, isHttp10, upgrade, bodyBytes, body });
}

/** The requests in `pieces`, and why the parser gave up. */
function parse(pieces: Buffer[], mayStream = false): string[] {
  const seen: string[] = [];
  let streamed = '';
  const sink = {
    onRequest: (request: RequestParser) => {
      seen.push(describe(request));
      return false;
    },
    onExpectContinue: () => void seen.push('expects 100'),
    onStreamedHead: (request: RequestParser, length: number | undefined, expectsContinue: boolean) => {
      seen.push(describe(request), JSON.stringify({ length, expectsContinue }));
      streamed = '';
    },
    onStreamedEnd: () => {
      seen.push(streamed);
      return false;
    },
    uploads: {
      add: (memory: Buffer, at: number, bytes: number) => void (streamed += memory.latin1Slice(at, at + bytes)),
    },
  };
  const streamLimit = () => 0;
  const parser = new RequestParser(parsers, sink, {
    isSecure: false,
    limits: { bodyLimitBytes: 2 ** 20 },
    mayStream,
    streamLimit,
  });
  for (const piece of pieces) if (parser.failure === undefined) parser.feed(piece);
  seen.push(parser.failure ?? (parser.finish() ? 'complete' : 'incomplete'));
  parser.close();
  return seen;
}

const valid = cases.filter((one) => isValid(one) && one.input.length <= 1_000);

test.each([false, true])('a valid request is the same wherever it is split (streamed: %s)', (mayStream) => {
  expect(valid.length).toBeGreaterThan(80);
  for (const { rule, input } of valid) {
    const bytes = Buffer.from(input, 'latin1');
    const whole = parse([bytes], mayStream);
    for (let at = 1; at < bytes.length; at++) {
      expect([rule, at, parse([bytes.subarray(0, at), bytes.subarray(at)], mayStream)]).toEqual([rule, at, whole]);
    }
  }
});

test.each([false, true])('and however often (streamed: %s)', (mayStream) => {
  const random = createRandom();
  for (const { rule, input } of valid) {
    const bytes = Buffer.from(input, 'latin1');
    const whole = parse([bytes], mayStream);
    for (let round = 0; round < 20; round++) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + Math.floor(random() * random() * 40);
        pieces.push(bytes.subarray(at, at + length));
        at += length;
      }
      expect([rule, parse(pieces, mayStream)]).toEqual([rule, whole]);
    }
  }
});

test('no parser is lost', () => {
  expect(parsers.open).toBe(0);
});
