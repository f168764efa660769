import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import {
  contentBehind,
  endStream,
  isLocked,
  isUsed,
  streamOfWhole,
} from '../../build/src/adapters/fetch/lazy-stream.js';

/** Ways to read a stream to its end as text. */
const READS: Record<string, (stream: ReadableStream) => Promise<string>> = {
  'a reader': async (stream) => {
    const reader = stream.getReader();
    const chunks: Uint8Array[] = [];
    for (let read = await reader.read(); !read.done; read = await reader.read()) chunks.push(read.value);
    await reader.closed;
    return Buffer.concat(chunks).toString();
  },
  'a loop': async (stream) => {
    let got = '';
    for await (const chunk of stream) got += Buffer.from(chunk).toString();
    return got;
  },
  'a native Response': (stream) => new Response(stream as never).text(),
  'Readable.fromWeb': (stream) => text(Readable.fromWeb(stream as never)),
  'node:stream/consumers': (stream) => text(stream as never),
  pipeThrough: (stream) => text(stream.pipeThrough(new TransformStream()) as never),
  pipeTo: async (stream) => {
    const chunks: Uint8Array[] = [];
    await stream.pipeTo(new WritableStream({ write: (chunk) => void chunks.push(chunk) }));
    return Buffer.concat(chunks).toString();
  },
  tee: async (stream) => {
    const [one, other] = stream.tee();
    const [first, second] = await Promise.all([text(one as never), text(other as never)]);
    return first === second ? first : 'different';
  },
};

test('this version of Node.js has streams that need not be created until they are read', () => {
  expect(contentBehind(streamOfWhole('text'))).toBe('text');
  expect(contentBehind(new ReadableStream())).toBeUndefined();
});

describe.each(Object.entries(READS))('%s', (_, read) => {
  test.each([
    ['text', 'grüße'],
    ['bytes', Buffer.from('grüße')],
    ['nothing', ''],
  ])('reads a stream of %s to its end', async (_, content) => {
    const stream = streamOfWhole(content);
    expect([stream instanceof ReadableStream, isUsed(stream), isLocked(stream)]).toEqual([true, false, false]);
    expect(await read(stream)).toBe(content.toString());
    expect(isUsed(stream)).toBe(true);
  });
});

test('a stream is one for Node.js before it is read', () => {
  const stream = streamOfWhole('x');
  expect([Readable.isDisturbed(stream as never), stream.locked, String(stream)]).toEqual([
    false,
    false,
    '[object ReadableStream]',
  ]);
  expect(stream.constructor).toBe(ReadableStream);
});

test('a cancelled stream yields nothing', async () => {
  const stream = streamOfWhole('x');
  await stream.cancel();
  expect([isUsed(stream), (await stream.getReader().read()).done]).toEqual([true, true]);
});

test.each([false, true])('an ended stream is used and locked (created before: %s)', async (isCreated) => {
  const stream = streamOfWhole('x');
  if (isCreated) expect(stream.locked).toBe(false);
  endStream(stream);
  expect([isUsed(stream), isLocked(stream), stream.locked, Readable.isDisturbed(stream as never)]).toEqual(
    Array(4).fill(true),
  );
  expect(() => stream.getReader()).toThrow('locked');
});
