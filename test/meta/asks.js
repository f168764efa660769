import { Agent, request } from 'node:http';
import { Gate, LATER } from './gate.js';
import { HOST } from './project.js';

/**
 * What differs between the frameworks.
 * @typedef {object} Expectations
 * @property {number} form the status after a valid form
 * @property {number} [invalid] the status after an invalid form, if the app checks it
 * @property {number} [moved] the status of a permanent redirect (301)
 * @property {boolean} [hasRanges] its server of files knows ranges: the default
 * @property {boolean} hasError a page, not a route of data, responds with 418
 */

/**
 * A request, and what its response must have apart from being the same on shards and on node:http.
 * @typedef {object} Ask
 * @property {string} name
 * @property {string} path
 * @property {string} [method]
 * @property {Record<string, string>} [headers]
 * @property {string | Uint8Array} [body]
 * @property {boolean} [isChunked] the body is sent in pieces of unknown number
 * @property {number} status
 * @property {RegExp} [shows] what the body contains
 * @property {Record<string, RegExp>} [has] headers
 * @property {boolean} [isGated] the last part of the body is sent when the first one has arrived; such requests are
 * sent one by one
 */

/**
 * @typedef {object} Answer
 * @property {string} status
 * @property {string[]} headers without `date`
 * @property {Buffer} body
 */

const FORM = 'application/x-www-form-urlencoded';
const ORIGIN = { origin: `http://${HOST}` };
const HTML = { accept: 'text/html,application/xhtml+xml' };
const LARGE_BODY = Buffer.alloc(300_000, 'größer ');
const SCRIPTS_AND_STYLES = /(?:href|src)="(\.?\/[^"]+\.(?:js|css))"/g;

/**
 * Requests for the pages that all apps have.
 * @param {Expectations} expected
 * @param {string} home the HTML of the home page
 * @param {string} form the HTML of the page with the form
 * @returns {Ask[]}
 */
export function asksOf(expected, home, form) {
  return [
    {
      name: 'a page that shows its request',
      path: '/?a=1&b=%C3%BC&a=2',
      headers: { ...HTML, cookie: 'c=3; d=x', 'x-own': 'own' },
      status: 200,
      shows: /Home/,
    },
    { name: 'HEAD of a page', method: 'HEAD', path: '/', status: 200 },
    { name: 'a large page', path: '/large', headers: HTML, status: 200, shows: /1,?999/ },
    { name: 'a large page, compressed', path: '/large', headers: { ...HTML, 'accept-encoding': 'gzip' }, status: 200 },
    {
      name: 'a page in two parts',
      path: '/streamed',
      headers: HTML,
      status: 200,
      shows: new RegExp(LATER),
      isGated: true,
    },
    { name: 'data', path: '/data', status: 201, shows: /\[1,2,3\]/, has: { etag: /"1"/ } },
    { name: 'a redirect', path: '/moved', status: expected.moved ?? 301, has: { location: /data$/ } },
    {
      name: 'an error',
      path: '/throws',
      headers: HTML,
      status: 418,
      shows: expected.hasError ? /Teapot|418/ : /Teapot/,
    },
    { name: 'an unknown path', path: '/nowhere', headers: HTML, status: 404 },
    { name: 'a file', path: '/robots.txt', status: 200, shows: /User-agent/ },
    rangeOf(expected),
    ...assetsOf(home),
    ...formsOf(expected, form),
    ...[false, true].map((isChunked) => ({
      name: isChunked ? 'a large body in pieces' : 'a large body',
      method: 'POST',
      path: '/data',
      headers: { ...ORIGIN, 'content-type': 'application/octet-stream' },
      body: LARGE_BODY,
      isChunked,
      status: 200,
      shows: /größer größer/,
    })),
  ];
}

/**
 * @param {Expectations} expected
 * @returns {Ask}
 */
function rangeOf({ hasRanges = true }) {
  const ask = { name: 'a range of a file', path: '/robots.txt', headers: { range: 'bytes=0-3' } };
  return { ...ask, ...(hasRanges ? { status: 206, shows: /^User$/ } : { status: 200 }) };
}

/**
 * @param {string} home
 * @returns {Ask[]}
 */
function assetsOf(home) {
  const paths = new Set(Array.from(home.matchAll(SCRIPTS_AND_STYLES), ([, path]) => path.replace(/^\./, '')));
  return Array.from(paths, (path) => [
    { name: `the asset ${path}`, path, status: 200, has: { 'cache-control': /immutable|max-age|public/ } },
    { name: `the asset ${path}, compressed`, path, headers: { 'accept-encoding': 'br, gzip' }, status: 200 },
  ]).flat();
}

/**
 * @param {Expectations} expected
 * @param {string} form
 * @returns {Ask[]}
 */
function formsOf({ form: valid, invalid }, form) {
  const action = form.match(/name="(\$ACTION_ID_[^"]+)"/)?.[1];
  const done = { status: valid, has: { location: /size=5/, 'set-cookie': /^a=1.*\n?.*b=2/ } };
  const common = { method: 'POST', path: '/form' };
  /** @type {Ask[]} */
  const asks = [
    {
      name: 'a form with several parts',
      ...common,
      ...multipart([...(action === undefined ? [] : [/** @type {const} */ ([action, ''])]), ['name', 'Ümit!']]),
      ...done,
    },
  ];
  if (action !== undefined) return asks;
  const headers = { ...ORIGIN, ...HTML, 'content-type': FORM };
  asks.push({ name: 'a form', ...common, headers, body: 'name=%C3%9Cmit!', ...done });
  if (invalid !== undefined) {
    asks.push({
      name: 'an invalid form',
      ...common,
      headers,
      body: 'x=1',
      status: invalid,
      shows: /A name is required/,
    });
  }
  return asks;
}

/** @param {(readonly [name: string, value: string])[]} fields */
function multipart(fields) {
  const parts = fields.map(
    ([name, value]) => `--X\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return {
    headers: { ...ORIGIN, ...HTML, 'content-type': 'multipart/form-data; boundary=X' },
    body: `${parts.join('')}--X--\r\n`,
  };
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 });
const gate = new Gate();
await gate.listen();
/** A response that does not arrive within this time fails. */
const PATIENCE_MS = 20_000;

/**
 * @param {string} address
 * @param {Pick<Ask, 'path' | 'method' | 'headers' | 'body' | 'isChunked' | 'isGated'>} ask
 * @returns {Promise<Answer>}
 */
export async function answer(address, { path, method = 'GET', headers, body, isChunked = false, isGated = false }) {
  if (isGated) gate.shut();
  const target = isGated ? `${path}?gate=${encodeURIComponent(gate.address)}` : path;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const length = body === undefined || isChunked ? {} : { 'content-length': Buffer.byteLength(body) };
  /** @type {import('node:http').IncomingMessage} */
  const response = await new Promise((resolve, reject) => {
    const sent = request(
      address + target,
      { method, agent, signal, headers: { host: HOST, ...headers, ...length } },
      resolve,
    );
    sent.once('error', reject);
    if (isChunked)
      for (let at = 0; at < LARGE_BODY.length; at += 50_000) sent.write(LARGE_BODY.subarray(at, at + 50_000));
    sent.end(isChunked ? undefined : body);
  });
  /** @type {Buffer[]} */
  const parts = [];
  for await (const part of response) {
    parts.push(part);
    if (isGated) gate.open();
  }
  const { rawHeaders, statusCode, statusMessage } = response;
  const lines = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}`] : []));
  return {
    status: `${statusCode} ${statusMessage}`,
    headers: lines.filter((line) => !line.toLowerCase().startsWith('date:')),
    body: Buffer.concat(parts),
  };
}

/**
 * Says what a response lacks.
 * @param {Ask} ask
 * @param {Answer} got
 */
export function faultsOf({ status, shows, has = {} }, { status: line, headers, body }) {
  const faults = [];
  if (!line.startsWith(`${status} `)) faults.push(`status ${line}, expected ${status}`);
  if (shows !== undefined && !shows.test(body.toString())) faults.push(`the body lacks ${shows}`);
  for (const [name, pattern] of Object.entries(has)) {
    const values = headers.filter((text) => text.toLowerCase().startsWith(`${name}: `));
    const value = values.map((text) => text.slice(name.length + 2)).join('\n');
    if (!pattern.test(value)) faults.push(`${name}: "${value}" does not match ${pattern}`);
  }
  return faults;
}

/**
 * Says where two responses differ.
 * @param {Answer} expected
 * @param {Answer} got
 */
export function differences(expected, got) {
  const found = [];
  if (expected.status !== got.status) found.push(`status ${got.status}, on node:http ${expected.status}`);
  const [theirs, ours] = [expected, got].map(({ headers }) => headers.join('\n'));
  if (theirs !== ours) found.push(`headers\n${ours}\non node:http\n${theirs}`);
  if (!expected.body.equals(got.body)) {
    const at = got.body.findIndex((byte, i) => byte !== expected.body[i]);
    found.push(`the body (${got.body.length} bytes, on node:http ${expected.body.length}) from byte ${at} on`);
  }
  return found;
}

/** Closes the connections of this client. */
export function closeConnections() {
  agent.destroy();
}

/** Ends what this module has started. */
export function end() {
  closeConnections();
  gate.close();
}
