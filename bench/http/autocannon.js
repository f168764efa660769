import { createHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';
import { BROWSER_HEADERS } from './servers/workload.js';

/** @type {import('./load.js').Generator['run']} */
export async function runAutocannon({ url, peer }, connections, seconds) {
  // Its own latencies are whole milliseconds.
  const latenciesUs = createHistogram();
  const options = { url, connections, duration: seconds, headers: BROWSER_HEADERS, expectBody: peer.body };
  const result = await new Promise((/** @type {(result: autocannon.Result) => void} */ resolve, reject) => {
    const run = autocannon(options, (error, done) => (error ? reject(error) : resolve(done)));
    run.on('response', (_client, _status, _bytes, ms) => latenciesUs.record(Math.max(1, Math.round(ms * 1000))));
  });
  const { errors: socket, timeouts: timeout, non2xx: status, mismatches: body, resets: reset } = result;
  return {
    requests: result.requests.total,
    bytes: result.throughput.total,
    seconds: result.duration,
    p50Us: latenciesUs.percentile(50),
    p99Us: latenciesUs.percentile(99),
    errors: { socket, timeout, status, body, reset },
  };
}
