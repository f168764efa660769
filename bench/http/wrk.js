import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { startChild } from './children.js';
import { BenchError } from './errors.js';
import { headersFor } from './peers.js';

const SUMMARY_SCRIPT = fileURLToPath(new URL('./wrk-summary.lua', import.meta.url));
/** Longer than wrk's default of 2 s, so that a busy machine causes high latencies instead of ending the bench. */
const TIMEOUT = '10s';

/** @returns {string | undefined} undefined if wrk is not installed */
export function wrkVersion() {
  const { error, stdout, stderr } = spawnSync('wrk', ['-v'], { encoding: 'utf8' });
  return error ? undefined : (`${stdout}${stderr}`.match(/\d+\.\d+\.\d+/)?.[0] ?? 'of unknown version');
}

/** @type {import('./load.js').Generator['run']} */
export async function runWrk({ url, peer }, connections, seconds) {
  const args = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    TIMEOUT,
    '--latency',
    '-s',
    SUMMARY_SCRIPT,
    ...Object.entries(headersFor(peer)).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    url,
  ];
  if (peer.post !== undefined) args.push('--', '--post', peer.post);
  if (peer.isVaried) args.push('--', '--vary');
  const wrk = startChild('wrk', args);
  const [output, [code]] = await Promise.all([text(wrk.stdout), once(wrk, 'close')]);
  const summary = output.split('\n').find((line) => line.startsWith('{'));
  if (code !== 0 || !summary) throw new BenchError(`wrk failed with exit code ${code}: ${output.trim()}`);
  const { requests, bytes, durationUs, p50Us, p99Us, errors } = JSON.parse(summary);
  return { requests, bytes, seconds: durationUs / 1e6, p50Us, p99Us, errors };
}
