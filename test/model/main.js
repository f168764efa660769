/*
 * Checks the models of the contract with Spin: each configuration without a mistake must hold in every reachable
 * state, and each mistake listed in docs/model.md must be found. Does nothing if Spin or gcc is not installed.
 * The argument is a regular expression that selects runs by name. With `--within SECONDS`, the searches for mistakes
 * run first, and runs that have not finished by then are stopped and counted.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { RUNS } from './runs.js';

const run = promisify(execFile);
const FOLDER = fileURLToPath(new URL('.', import.meta.url));
/** In milliseconds; a search that takes longer has failed. */
const SEARCH_TIMEOUT_MS = 1_200_000;
const MAX_DEPTH = 100_000;
const MEMORY_MB = 6_000;

/**
 * @param {string} command
 * @param {string} argument
 * @returns {Promise<boolean>} whether `command` can be run
 */
async function isInstalled(command, argument) {
  try {
    await run(command, [argument]);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT';
  }
}

/**
 * Generates, compiles and runs the verifier of one configuration.
 * @param {import('./runs.js').Run} configuration
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<string>} the output of the verifier
 */
async function verify({ model, defines = [], mistake, claim }, signal) {
  const folder = await mkdtemp(join(tmpdir(), 'loopshard-model-'));
  const options = { cwd: folder, maxBuffer: 1 << 26, ...(signal && { signal }) };
  try {
    const names = mistake === undefined ? defines : [...defines, mistake];
    await run('spin', ['-a', ...names.map((name) => `-D${name}`), join(FOLDER, `${model}.pml`)], options);
    // Only these searches take so long that an optimized build pays off.
    const level = mistake === undefined && ['slots', 'doorbells'].includes(model) ? '-O1' : '-O0';
    const kind = claim === undefined ? ['-DSAFETY', '-DNOCLAIM'] : [`-DNFAIR=5`];
    await run('gcc', [level, ...kind, '-DCOLLAPSE', `-DMEMLIM=${MEMORY_MB}`, '-o', 'pan', 'pan.c'], options);
    const search = claim === undefined ? [] : ['-a', '-f', '-N', claim];
    const { stdout } = await run(join(folder, 'pan'), [...search, `-m${MAX_DEPTH}`], {
      ...options,
      timeout: SEARCH_TIMEOUT_MS,
    });
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {import('./runs.js').Run} configuration
 * @param {string} output
 * @returns {string | undefined} why the run failed; undefined if it passed
 */
function judge({ mistake }, output) {
  const errors = /errors: (\d+)/.exec(output)?.[1];
  if (errors === undefined) return 'the verifier reported no result';
  if (mistake !== undefined) {
    return /pan:\d+: (assertion violated|invalid end state|acceptance cycle)/.test(output)
      ? undefined
      : 'the mistake was not found';
  }
  if (errors !== '0') return /pan:\d+: .*/.exec(output)?.[0] ?? `${errors} errors`;
  if (/max search depth too small|Search not completed|out of memory|MEMLIM bound/.test(output)) {
    return 'the search was not completed';
  }
  return undefined;
}

/** @param {import('./runs.js').Run} run */
function nameOf({ model, defines = [], mistake, claim }) {
  return [model, ...defines, claim, mistake].filter((part) => part !== undefined).join(' ');
}

/**
 * @param {import('./runs.js').Run} configuration
 * @param {AbortSignal | undefined} signal ends a run that exceeds the time limit
 * @returns {Promise<boolean | undefined>} whether the run passed; undefined if time ran out
 */
async function check(configuration, signal) {
  const { mistake } = configuration;
  const name = nameOf(configuration);
  const start = performance.now();
  let problem;
  let output = '';
  try {
    output = await verify(configuration, signal);
    problem = judge(configuration, output);
  } catch (error) {
    if (signal?.aborted) return undefined;
    const { killed, stderr, message } = /** @type {import('node:child_process').ExecFileException} */ (error);
    problem = killed ? 'the search took too long' : String(stderr || message);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const states = /(\S+) states, stored/.exec(output)?.[1] ?? '?';
  const found = mistake === undefined ? 'holds' : `is found (${/pan:\d+: (.*?) \(/.exec(output)?.[1] ?? 'an error'})`;
  if (problem === undefined) console.log(`ok      ${name}: ${found}; ${states} states, ${seconds} s`);
  else console.log(`FAILED  ${name}: ${problem}; ${states} states, ${seconds} s`);
  return problem === undefined;
}

for (const [command, argument] of [
  ['spin', '-V'],
  ['gcc', '--version'],
]) {
  if (await isInstalled(command, argument)) continue;
  console.log(`The models of the contract were skipped, because ${command} is not installed.`);
  process.exit(0);
}

const { values, positionals } = parseArgs({ options: { within: { type: 'string' } }, allowPositionals: true });
const start = performance.now();
const wanted = new RegExp(positionals[0] ?? '');
const pending = RUNS.filter((configuration) => wanted.test(nameOf(configuration)));
const signal = values.within === undefined ? undefined : AbortSignal.timeout(Number(values.within) * 1_000);
// Finding a mistake is faster than proving that there is none.
if (signal !== undefined) pending.sort((a, b) => Number(a.mistake === undefined) - Number(b.mistake === undefined));
const counts = { passed: 0, failed: 0, unfinished: 0 };
async function work() {
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const isRight = signal?.aborted ? undefined : await check(next, signal);
    counts[isRight === undefined ? 'unfinished' : isRight ? 'passed' : 'failed']++;
  }
}
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
console.log(`${((performance.now() - start) / 1000).toFixed(0)} s`);
const { passed, failed, unfinished } = counts;
if (unfinished > 0) console.log(`${unfinished} runs did not finish within ${values.within} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
