import { expect, test } from '@jest/globals';
import { HEAD_INDEX_BYTES, NO_EXTENT } from '../../build/assembly/layout.js';
import { CoreMemory } from '../../build/src/core/index.js';
import type { RecordRoom } from '../../build/src/http/parser/large-record.js';
import { Parsers } from '../../build/src/http/parser/llhttp.js';
import { RequestParser } from '../../build/src/http/parser/request-parser.js';
import { METHODS } from '../../build/src/options/methods.js';
import { createRandom } from '../support/random.js';
import { cases, isValid } from './cases/index.js';

const BODY_BYTES = 2 ** 20;
const core = CoreMemory.create(10_000 + BODY_BYTES);
const parsers = new Parsers(core, core.allocate(HEAD_INDEX_BYTES));
const extent = core.allocate(BODY_BYTES);
parsers.index.limit({ maxTargetBytes: 8_192, maxHeadBytes: 24_576, maxHeaderFields: 100 });

/** How bodies are read: from the parser's memory, as streams, or in records outside the parser. */
type Way = 'small' | 'streamed' | 'large';

/** Room for one record; only its body is written. */
const records = (way: Way): RecordRoom => ({
  fitsSlot: () => way !== 'large',
  mostBytes: BODY_BYTES,
  take: () => extent,
  give: () => {},
  write: (at, request) => {
    core.u8.set(request.body(), at);
    return at + request.bodyBytes;
  },
  memory: core.u8,
});

/** All properties of a complete request. */
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
  const isLarge = request.takeExtent() !== NO_EXTENT;
  const body = (isLarge ? core.bytes.subarray(extent, extent + bodyBytes) : request.body()).toString('latin1');
  return JSON.stringify({ method, target, fields, keepAlive, isHttp10, upgrade, bodyBytes, body });
}

/** The requests in `pieces`, and why the parser rejected them. */
function parse(pieces: Buffer[], way: Way = 'small'): string[] {
  const seen: string[] = [];
  let streamed = '';
  const sink = {
    onRequest: (request: RequestParser) => {
      seen.push(describe(request));
      return false;
    },
    onNoRoom: () => void seen.push('no room'),
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
  const isStreamed = way === 'streamed';
  const rules = { isStreamed, isAuto: false, maxBytes: isStreamed ? Number.POSITIVE_INFINITY : 2 ** 20 };
  const parser = new RequestParser(parsers, sink, {
    isSecure: false,
    methods: METHODS.length,
    bodyRules: () => rules,
    records: records(way),
  });
  for (const piece of pieces) if (parser.failure === undefined) parser.feed(piece);
  seen.push(parser.failure ?? (parser.finish() ? 'complete' : 'incomplete'));
  parser.close();
  return seen;
}

const valid = cases.filter((one) => isValid(one) && one.input.length <= 1_000);

const ways: Way[] = ['small', 'streamed', 'large'];

test.each(ways)('a valid request is the same wherever it is split (%s)', (way) => {
  expect(valid.length).toBeGreaterThan(80);
  for (const { rule, input } of valid) {
    const bytes = Buffer.from(input, 'latin1');
    const whole = parse([bytes], way);
    for (let at = 1; at < bytes.length; at++) {
      expect([rule, at, parse([bytes.subarray(0, at), bytes.subarray(at)], way)]).toEqual([rule, at, whole]);
    }
  }
});

test.each(ways)('a valid request is the same however often it is split (%s)', (way) => {
  const random = createRandom();
  for (const { rule, input } of valid) {
    const bytes = Buffer.from(input, 'latin1');
    const whole = parse([bytes], way);
    for (let round = 0; round < 20; round++) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + Math.floor(random() * random() * 40);
        pieces.push(bytes.subarray(at, at + length));
        at += length;
      }
      expect([rule, parse(pieces, way)]).toEqual([rule, whole]);
    }
  }
});

test('no parser leaks', () => {
  expect(parsers.open).toBe(0);
});
