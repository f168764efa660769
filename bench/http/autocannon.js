import { readFileSync } from 'node:fs';
import { createHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';
import { headersFor } from './peers.js';
import { CONTENT_TYPE } from './servers/workload.js';

let id = 0;

/** @param {autocannon.Request} request */
function vary(request) {
  id = (id + 0x9e3779b1) >>> 0;
  return { ...request, headers: { ...request.headers, 'x-request-id': id.toString(16).padStart(8, '0') } };
}

/** @type {import('./load.js').Generator['run']} */
export async function runAutocannon({ url, peer }, connections, seconds) {
  // autocannon's own latencies are whole milliseconds.
  const latenciesUs = createHistogram();
  const { body, post, isVaried } = peer;
  let others = 0;
  const compare = (/** @type {number} */ _status, /** @type {string} */ received) => {
    if (received !== body) others++;
  };
  const options = {
    url,
    connections,
    duration: seconds,
    ...(post === undefined
      ? { headers: headersFor(peer) }
      : {
          method: /** @type {const} */ ('POST'),
          headers: { ...headersFor(peer), 'content-type': CONTENT_TYPE },
          body: readFileSync(post),
        }),
    // autocannon compares bodies as text only, and `expectBody` excludes `requests`.
    ...(typeof body === 'string' && !isVaried && { expectBody: body }),
    ...(isVaried && { requests: [{ setupRequest: vary, onResponse: compare }] }),
  };
  const result = await new Promise((/** @type {(result: autocannon.Result) => void} */ resolve, reject) => {
    const run = autocannon(options, (error, done) => (error ? reject(error) : resolve(done)));
    run.on('response', (_client, _status, _bytes, ms) => latenciesUs.record(Math.max(1, Math.round(ms * 1000))));
  });
  const { errors: socket, timeouts: timeout, non2xx: status, mismatches, resets: reset } = result;
  return {
    requests: result.requests.total,
    bytes: result.throughput.total,
    seconds: result.duration,
    p50Us: latenciesUs.percentile(50),
    p99Us: latenciesUs.percentile(99),
    errors: { socket, timeout, status, body: mismatches + others, reset },
  };
}
