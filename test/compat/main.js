/* Runs the test suites of frameworks on node:http and on LoopShard, and compares the results. `npm run test:compat` */
import { spawn } from 'node:child_process';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { renderTable } from '../../bench/http/table.js';
import { KNOWN } from './known.js';
import { CompatError, obtain } from './sources.js';
import { SUITES } from './suites.js';
import { compare } from './verdict.js';

/** @typedef {import('./suites.js').Suite} Suite */
/** @typedef {import('./verdict.js').Verdict} Verdict */

const HELP = `Runs the test suites of frameworks on node:http and on LoopShard. Fails if a test passes only on node:http and known.js
does not explain it, or if known.js explains a difference that is none.

  npm run test:compat -- [options] [SUITE…]

  SUITE             ${SUITES.map(({ id }) => id).join(', ')}; default: all
  --source ID=PATH  sources of a suite, or their git repository; default: downloads them from GitHub
  --work PATH       folder for sources, dependencies and reports  (${join(tmpdir(), 'loopshard-compat')})
  --node PATH       Node.js to run the suites with
  --reasons         prints the explained differences too
  --help`;

/** @satisfies {import('node:util').ParseArgsConfig['options']} */
const DEFINITIONS = {
  source: {
    type: /** @type {const} */ ('string'),
    multiple: /** @type {const} */ (true),
    default: /** @type {string[]} */ ([]),
  },
  work: { type: /** @type {const} */ ('string'), default: join(tmpdir(), 'loopshard-compat') },
  node: { type: /** @type {const} */ ('string'), default: process.execPath },
  reasons: { type: /** @type {const} */ ('boolean'), default: false },
  help: { type: /** @type {const} */ ('boolean'), default: false },
};

/** For one run of one suite, in milliseconds. */
const RUN_TIMEOUT_MS = 30 * 60_000;
const HEAD = ['suite', 'version', 'tests', 'on node:http', 'on LoopShard', 'explained', 'unexplained'];
const ALIGNMENT = HEAD.map((_, i) => (i < 2 ? 'left' : 'right'));

/** @param {string[]} args */
async function main(args) {
  const { values, positionals } = parse(args);
  if (values.help) return print(HELP);
  const { node } = values;
  const sources = new Map(values.source.map(sourceOf));
  const suites = choose(positionals);
  const work = resolve(values.work);
  const version = await outputOf(node, ['--version']);
  const rows = [];
  for (const suite of suites) {
    try {
      const verdict = await judge(suite, await obtain(suite, work, sources.get(suite.id)), node);
      rows.push(rowOf(suite, verdict));
      report(suite, verdict, values.reasons);
      if (verdict.unexplained.length + verdict.outdated.length > 0) process.exitCode = 1;
    } catch (error) {
      if (!(error instanceof CompatError)) throw error;
      rows.push([suite.name, suite.version, 'did not run']);
      fail(error.message);
    }
  }
  print(`\nNode.js ${version}\n${renderTable(HEAD, rows, ALIGNMENT)}`);
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({ args, options: DEFINITIONS, allowPositionals: true });
  } catch (error) {
    throw new CompatError(`${/** @type {Error} */ (error).message}\n\n${HELP}`);
  }
}

/** @param {string} given @returns {[string, string]} */
function sourceOf(given) {
  const [id, path] = given.split(/=(.*)/s);
  if (!SUITES.some((suite) => suite.id === id) || !path) {
    throw new CompatError(`Invalid --source "${given}": expected the name of a suite, \`=\` and a path.`);
  }
  if (!existsSync(path)) throw new CompatError(`Invalid --source "${given}": there is no ${path}.`);
  return [id, resolve(path)];
}

/** @param {string[]} ids of suites; none for all */
function choose(ids) {
  const unknown = ids.find((id) => !SUITES.some((suite) => suite.id === id));
  if (unknown !== undefined) throw new CompatError(`Unknown suite "${unknown}".\n\n${HELP}`);
  return ids.length === 0 ? SUITES : SUITES.filter(({ id }) => ids.includes(id));
}

/** @param {Suite} suite @param {string} folder @param {string} node path of Node.js */
async function judge(suite, folder, node) {
  const onNode = await runSuite(suite, folder, node, undefined);
  const onShards = await runSuite(suite, folder, node, suite.shards);
  const known = KNOWN.filter((one) => one.suite === suite.id);
  return compare(onNode, onShards, known);
}

/**
 * Runs a suite once.
 * @param {Suite} suite
 * @param {string} folder
 * @param {string} node path of Node.js
 * @param {string | undefined} module imported by each of its processes
 */
async function runSuite({ id, runner }, folder, node, module) {
  const where = module === undefined ? 'node' : 'shards';
  process.stderr.write(`${id}: ${module === undefined ? 'on node:http' : 'on LoopShard'}\n`);
  const reported = join(folder, `${where}.report`);
  rmSync(reported, { force: true });
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, NODE_ENV: 'test', PATH: `${dirname(resolve(node))}${delimiter}${process.env.PATH}` };
  const used = join(folder, `${where}.used`);
  if (module !== undefined) {
    env.NODE_OPTIONS = `--import ${module}`;
    env.LOOPSHARD_COMPAT_USED = used;
    writeFileSync(used, '');
  }
  const args = runner.args(folder, reported, module !== undefined);
  const output = await run(node, args, { cwd: folder, env });
  writeFileSync(join(folder, `${where}.log`), output);
  if (!existsSync(reported)) throw new CompatError(`The suite ${id} wrote no report:\n${output.slice(-4_000)}`);
  if (module !== undefined && statSync(used).size === 0) {
    throw new CompatError(`The suite ${id} has not used LoopShard at all:\n${output.slice(-4_000)}`);
  }
  const results = runner.read(folder, reported);
  if (results.size === 0) throw new CompatError(`The suite ${id} ran no tests:\n${output.slice(-4_000)}`);
  return results;
}

/** @param {string} command @param {string[]} args */
async function outputOf(command, args) {
  return (await run(command, args, {})).trim();
}

/**
 * Runs a command to its end, or to the end of the time, whatever its exit code: test runners fail when a test does.
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 * @returns {Promise<string>} what it has printed
 */
function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: RUN_TIMEOUT_MS });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => reject(new CompatError(`Cannot start ${command}: ${error.message}`)));
    child.once('close', () => resolve(output));
  });
}

/**
 * @param {Suite} suite
 * @param {Verdict} verdict
 * @returns {string[]}
 */
function rowOf({ name, version }, { tests, onNode, onShards, explained, unexplained }) {
  return [name, version, ...[tests, onNode, onShards, explained.length, unexplained.length].map(String)];
}

/**
 * @param {Suite} suite
 * @param {Verdict} verdict
 * @param {boolean} hasReasons
 */
function report({ id }, { explained, unexplained, outdated }, hasReasons) {
  if (hasReasons) for (const { title, reason } of explained) print(`${id}: explained: ${title}\n    ${reason}`);
  for (const { title, error } of unexplained) {
    print(`${id}: UNEXPLAINED: ${title}\n    ${error.slice(0, 500).replaceAll('\n', '\n    ')}`);
  }
  for (const title of outdated) print(`${id}: OUTDATED, remove it from known.js: ${title}`);
}

/** @param {string} reason */
function fail(reason) {
  process.stderr.write(`${reason}\n`);
  process.exitCode = 1;
}

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  fail(error instanceof CompatError ? error.message : String(/** @type {Error} */ (error).stack));
}
