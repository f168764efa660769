/* Test runners of the suites: how they are started, and how their reports are read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FILE_TIMEOUT_MS, TEST_TIMEOUT_MS } from './limits.js';

/** @typedef {'passed' | 'failed' | 'skipped'} Status */
/**
 * @typedef {object} Result
 * @property {Status} status
 * @property {string} [error] message of the failure
 */
/** @typedef {Map<string, Result>} Results by title: the file, and the names of groups and test */
/**
 * @typedef {object} Runner
 * @property {(folder: string, report: string, isOnShards: boolean) => string[]} args of Node.js. The runner writes `report`.
 * @property {(folder: string, report: string) => Results} read reads what it wrote
 */

const SETUP = new URL('node-test-setup.js', import.meta.url).href;
const REPORTER = fileURLToPath(new URL('node-test-reporter.js', import.meta.url));
/** Collects the results of a report; tests of the same name are numbered. */
class Collector {
  /** @type {Results} */
  results = new Map();
  #folder;

  /** @param {string} folder */
  constructor(folder) {
    this.#folder = folder;
  }

  /**
   * @param {string} file
   * @param {readonly string[]} names
   * @param {Status} status
   * @param {string} [error]
   */
  add(file, names, status, error) {
    const title = [relative(this.#folder, file), ...names].join(' › ');
    let unique = title;
    for (let i = 2; this.results.has(unique); i++) unique = `${title} #${i}`;
    this.results.set(unique, error === undefined ? { status } : { status, error });
  }
}

/** @param {readonly string[]} args options and files @returns {Runner} */
export function mocha(args) {
  return {
    args: (_, report) => [
      ...['node_modules/mocha/bin/_mocha', '--check-leaks', '--exit', '--timeout', String(TEST_TIMEOUT_MS)],
      ...['--reporter', 'json', '--reporter-option', `output=${report}`, ...args],
    ],
    read(folder, report) {
      const collector = new Collector(folder);
      const { tests, pending, failures } = JSON.parse(readFileSync(report, 'utf8'));
      const isIn = (/** @type {{ fullTitle: string }[]} */ list) => new Set(list.map(({ fullTitle }) => fullTitle));
      const skipped = isIn(pending);
      const failed = isIn(failures);
      for (const { file, fullTitle, err } of tests) {
        const hasFailed = failed.has(fullTitle) && Object.keys(err).length > 0;
        const status = skipped.has(fullTitle) ? 'skipped' : hasFailed ? 'failed' : 'passed';
        collector.add(file, [fullTitle], status, err.message);
      }
      return collector.results;
    },
  };
}

/** @param {string} tests folder with the tests @returns {Runner} */
export function nodeTest(tests) {
  return {
    args: (folder, report) => [
      ...['--test', `--import=${SETUP}`, `--test-timeout=${FILE_TIMEOUT_MS}`, `--test-reporter=${REPORTER}`],
      ...[`--test-reporter-destination=${report}`, ...filesIn(folder, tests)],
    ],
    read(folder, report) {
      const collector = new Collector(folder);
      for (const line of readFileSync(report, 'utf8').split('\n').filter(Boolean)) {
        const { file, path, status, error } = JSON.parse(line);
        collector.add(file, path, status, error);
      }
      return collector.results;
    },
  };
}

/** @param {string} folder @param {string} tests */
function filesIn(folder, tests) {
  const files = readdirSync(join(folder, tests), { recursive: true, encoding: 'utf8' });
  return files.filter((file) => /\.test\.m?js$/.test(file)).map((file) => join(tests, file));
}

/**
 * @param {readonly string[]} [args]
 * @param {string} [config] the configuration for the run on LoopShard, if not the suite's own
 * @returns {Runner}
 */
export function vitest(args = [], config) {
  return {
    args: (_, report, isOnShards) => [
      ...['node_modules/vitest/vitest.mjs', '--run', '--coverage.enabled=false', '--typecheck.enabled=false'],
      ...[`--testTimeout=${TEST_TIMEOUT_MS}`, `--hookTimeout=${TEST_TIMEOUT_MS}`],
      ...['--reporter=json', `--outputFile=${report}`, ...args],
      ...(isOnShards && config !== undefined ? ['--config', config, '--root', '.'] : []),
    ],
    read(folder, report) {
      const collector = new Collector(folder);
      for (const { name, assertionResults } of JSON.parse(readFileSync(report, 'utf8')).testResults) {
        for (const { ancestorTitles, title, status, failureMessages } of assertionResults) {
          const known = status === 'passed' || status === 'failed' ? status : 'skipped';
          collector.add(name, [...ancestorTitles, title], known, failureMessages[0]);
        }
      }
      return collector.results;
    },
  };
}
