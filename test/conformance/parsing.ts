import { HEAD_INDEX_BYTES, NO_EXTENT } from '../../build/assembly/layout.js';
import { CoreMemory } from '../../build/src/core/index.js';
import type { RecordRoom } from '../../build/src/http/parser/large-record.js';
import { Parsers } from '../../build/src/http/parser/llhttp.js';
import { RequestParser } from '../../build/src/http/parser/request-parser.js';
import { METHODS } from '../../build/src/options/methods.js';

const BODY_BYTES = 2 ** 20;
const core = CoreMemory.create(10_000 + BODY_BYTES);
const limits = { maxTargetBytes: 8_192, maxHeadBytes: 24_576, maxHeaderFields: 100 };
export const parsers = new Parsers(core, core.allocate(HEAD_INDEX_BYTES), limits);
const extent = core.allocate(BODY_BYTES);

/**
 * How bodies are read: from the parser's memory, as streams, or in records outside the parser, which may be those of requests without a body
 * too.
 */
export type Way = 'small' | 'streamed' | 'large body' | 'large';

/** Room for one record; only its body is written. */
const records = (way: Way, hasBody: () => boolean): RecordRoom => ({
  fitsSlot: () => way !== 'large' && !(way === 'large body' && hasBody()),
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

/**
 * The requests in `pieces`, and why the parser rejected them.
 * @param pauses whether the parser has to pause after a request
 */
export function parse(pieces: Buffer[], way: Way = 'small', pauses: () => boolean = () => false): string[] {
  const seen: string[] = [];
  let streamed = '';
  let hasBody = false;
  const sink = {
    onRequest: (request: RequestParser) => {
      seen.push(describe(request));
      hasBody = false;
      return pauses();
    },
    onNoRoom: () => void seen.push('no room'),
    onExpectContinue: () => void seen.push('expects 100'),
    onStreamedHead: (request: RequestParser, length: number | undefined, expectsContinue: boolean) => {
      seen.push(describe(request), JSON.stringify({ length, expectsContinue }));
      streamed = '';
    },
    onStreamedEnd: () => {
      seen.push(streamed);
      return pauses();
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
    bodyRules: () => {
      hasBody = true;
      return rules;
    },
    records: records(way, () => hasBody),
  });
  for (const piece of pieces) {
    if (parser.failure === undefined) parser.feed(piece);
    while (parser.failure === undefined && parser.rest !== undefined) {
      seen.push(`paused before ${parser.rest.length} bytes`);
      parser.resume();
    }
  }
  seen.push(parser.failure ?? (parser.finish() ? 'complete' : 'incomplete'));
  parser.close();
  return seen;
}
