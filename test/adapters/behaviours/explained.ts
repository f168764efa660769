/* Where the responses of a usual server and of a shard differ, and why both are right. */
import type { Answer } from './client.js';
import type { Framework } from './frameworks.js';

export interface Explanation {
  /** One sentence. */
  because: string;
  /** Names of frameworks or of usual servers; default: all */
  of?: readonly string[];
  /** Names of behaviours; default: all */
  in?: readonly string[];
  /** Makes the answers of both servers equal that differ for this reason alone. */
  equalize(answers: readonly Answer[]): Answer[];
}

type Pair = [name: string, value: string];

const FETCH = ['@hono/node-server', 'srvx'];
const CHARSET = /; ?charset=utf-8/i;

const withoutHeaders =
  (...names: string[]): Explanation['equalize'] =>
  (answers) =>
    answers.map((one) =>
      mapHeaders(one, (name, value) => (names.includes(name.toLowerCase()) ? undefined : [name, value])),
    );

const onlyStatus = (answers: readonly Answer[]): Answer[] => answers.map((one) => ({ ...one, headers: [], body: '' }));

/** Those of several frameworks first. */
export const EXPLANATIONS: readonly Explanation[] = [
  {
    because: 'The responses that LoopShard rejects invalid requests with have a body that gives the reason.',
    in: ['a client that ends its side within a head'],
    equalize: onlyStatus,
  },
  {
    because:
      'node:http takes what follows a request with `Connection: close` for an error, whose response overtakes one that is not complete.',
    of: [...FETCH, 'Koa', 'Fastify', 'Nest'],
    in: ['nothing behind a request that closes'],
    equalize: () => [],
  },
  {
    because: 'Names of headers have no case, and the order of different ones has no meaning (RFC 9110, section 5).',
    of: FETCH,
    equalize: (answers) => answers.map((one) => ({ ...one, headers: sorted(one.headers) })),
  },
  {
    because: 'LoopShard sends a body that is known in advance with `content-length`, and another in chunks.',
    of: FETCH,
    equalize: withoutHeaders('content-length', 'transfer-encoding'),
  },
  {
    because: 'LoopShard keeps a connection of HTTP/1.0 if the length of the response is known.',
    of: FETCH,
    in: ['HTTP/1.0 that keeps the connection'],
    equalize: (answers) => withoutHeaders('connection', 'keep-alive')(answers.slice(0, 1)),
  },
  {
    because: 'The charset of a type may be written with a blank before it and in any case (RFC 9110, section 8.3.1).',
    of: FETCH,
    equalize: (answers) =>
      answers.map((one) =>
        mapHeaders(one, (name, value) => [
          name,
          name.toLowerCase() === 'content-type' ? value.replace(CHARSET, '; charset=utf-8') : value,
        ]),
      ),
  },
  {
    because:
      'srvx sends the `statusText` of a response as its reason, even if it is empty, and LoopShard the standard reason.',
    of: ['srvx'],
    equalize: (answers) => answers.map((one) => ({ ...one, status: one.status.replace(/( \d{3}) .*/, '$1') })),
  },
  {
    because: 'node:http writes a head together with a text as UTF-8; headers have one byte for each character.',
    of: FETCH,
    in: ['a header beyond ASCII'],
    equalize: withoutHeaders('x-latin1'),
  },
  {
    because: 'LoopShard tells proxies and caches not to keep events back.',
    of: FETCH,
    in: ['server-sent events', 'GET /events-of-h3'],
    equalize: withoutHeaders('x-accel-buffering', 'cache-control'),
  },
  {
    because: 'Headers of the connection in a `Response` are not sent: the server sends its own, with its timeout.',
    of: FETCH,
    in: ['server-sent events', 'GET /events-of-h3'],
    equalize: withoutHeaders('keep-alive'),
  },
  {
    because:
      '@hono/node-server sends a body without a type as text, and the text of a `Response` with other headers without a type.',
    of: ['@hono/node-server'],
    in: [
      ...['bytes', 'a header beyond ASCII', 'a stream', 'a large stream', 'a stream that fails midway', 'GET /blob'],
      ...['the first visit of a session', 'a further visit of a session', 'a session that is unknown'],
      ...['a range', 'a range without an end', 'a range beyond the end', 'a request without a range'],
      ...['HEAD of a stream', 'HTTP/1.0 and a stream', 'pipelined requests behind a stream'],
    ],
    equalize: withoutHeaders('content-type'),
  },
  {
    because: 'Elysia sends the messages of exceptions, and those of our `Response` are worded differently.',
    of: ['Elysia'],
    in: ['no content', 'a redirect'],
    equalize: (answers) => answers.map((one) => ({ ...one, body: '' })),
  },
];

/** Those that apply to a behaviour. */
export function explanationsFor({ name, server }: Framework, behaviour: string): Explanation[] {
  return EXPLANATIONS.filter(
    ({ of, in: within }) =>
      (of === undefined || of.includes(name) || of.includes(server)) && within?.includes(behaviour) !== false,
  );
}

/** Hides what is explained, and the date. */
export function explain(answers: readonly Answer[], known: readonly Explanation[]): Answer[] {
  const dated = answers.map((one) =>
    mapHeaders(one, (name, value) => [name, name.toLowerCase() === 'date' ? '…' : value]),
  );
  return known.reduce((equal, { equalize }) => equalize(equal), dated);
}

function mapHeaders(answer: Answer, map: (name: string, value: string) => Pair | undefined): Answer {
  return { ...answer, headers: pairsOf(answer.headers).flatMap(([name, value]) => map(name, value) ?? []) };
}

function pairsOf(headers: readonly string[]): Pair[] {
  return Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i], headers[2 * i + 1]]);
}

/** By name; those of the same name stay in their order. */
function sorted(headers: readonly string[]): string[] {
  const pairs = pairsOf(headers).map(([name, value]): Pair => [name.toLowerCase(), value]);
  return pairs.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)).flat();
}
