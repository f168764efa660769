import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ChunkedBody } from '../build/src/http/parser/chunked-body.js';
import { RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer } from './support/server.js';

const HEAD_BYTES = 256;
const CRLF = '\r\n';

/** `/length` reads complete bodies, `/digest` reads streams. */
const running = new Map<string, TestServer>();

beforeAll(async () => {
  const options = { shards: 1, limits: { maxHeadBytes: HEAD_BYTES, maxTargetBytes: 64 } };
  running.set('/length', await startServer(options));
  running.set('/digest', await startServer(options, 'uploads.js'));
});

afterAll(async () => {
  for (const one of running.values()) {
    await expectConserved(one);
    await one.server.close();
  }
});

/** Bodies whose framing has as many bytes as a head may have, plus 8 for each byte of data before it, plus `extra`. */
const BOUNDED: Record<string, (extra: number) => string> = {
  'an extension of the first chunk': (extra) => {
    const size = `1;${'a'.repeat(HEAD_BYTES - '1;'.length - CRLF.length + extra)}${CRLF}`;
    return `${size}a${CRLF}0${CRLF}${CRLF}`;
  },
  'an extension of a chunk of several bytes': (extra) => {
    const first = `1${CRLF}a${CRLF}`;
    const allowed = HEAD_BYTES + 8 - (first.length - 1);
    return `${first}9;${'a'.repeat(allowed - '9;'.length - CRLF.length + extra)}${CRLF}${'b'.repeat(9)}${CRLF}0${CRLF}${CRLF}`;
  },
  'an extension of the last chunk': (extra) => {
    const first = `1${CRLF}a${CRLF}`;
    const allowed = HEAD_BYTES + 8 - (first.length - 1);
    return `${first}0;${'a'.repeat(allowed - '0;'.length - 2 * CRLF.length + extra)}${CRLF}${CRLF}`;
  },
  'a trailer': (extra) => {
    const first = `1${CRLF}a${CRLF}0${CRLF}`;
    const allowed = HEAD_BYTES + 8 - (first.length - 1);
    return `${first}A: ${'b'.repeat(allowed - 'A: '.length - 2 * CRLF.length + extra)}${CRLF}${CRLF}`;
  },
};

/** Sends a body in pieces of this size. Returns the status of the response. */
async function send(target: string, body: string, pieceBytes: number): Promise<number> {
  const client = await RawClient.open(running.get(target)!.port);
  await client.send(`POST ${target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
  for (let at = 0; at < body.length && !client.ended; at += pieceBytes) {
    await client.send(body.slice(at, at + pieceBytes));
    await new Promise(setImmediate);
  }
  const { status } = await client.response();
  client.destroy();
  return status;
}

for (const target of ['/length', '/digest']) {
  test.each(Object.keys(BOUNDED))(`limits %s to the same size however it is split (${target})`, async (name) => {
    const statuses = [];
    for (const pieceBytes of [10_000, 97, 3]) {
      statuses.push(await send(target, BOUNDED[name](0), pieceBytes), await send(target, BOUNDED[name](1), pieceBytes));
    }
    expect(statuses).toEqual([200, 413, 200, 413, 200, 413]);
  });
}

test('gives the same result wherever a body is split', () => {
  const bodies = [
    ...Object.values(BOUNDED).flatMap((make) => [make(0), make(1)]),
    '1;;a\r\n',
    '5 ;a\r\nhello\r\n0\r\n\r\n',
    '65\r\n',
  ];
  for (const text of bodies) {
    const outcomes = new Set<string>();
    for (let split = 0; split <= text.length; split++) {
      const bytes = Buffer.from(text);
      const body = new ChunkedBody();
      body.begin(100, HEAD_BYTES);
      const reason = body.scan(bytes, 0, split) ?? (body.isOpen ? body.scan(bytes, split, bytes.length) : undefined);
      outcomes.add(`${reason} ${body.isOpen} ${reason === undefined ? bytes : ''}`);
    }
    expect([...outcomes]).toHaveLength(1);
  }
});
