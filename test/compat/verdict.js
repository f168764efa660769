/* Compares a suite's results on node:http and on LoopShard. */

/** @typedef {import('./runners.js').Results} Results */
/**
 * @typedef {object} Known a difference that is explained
 * @property {string} suite its id
 * @property {string} reason
 * @property {readonly string[]} tests titles of the tests that fail for this reason
 */
/**
 * @typedef {object} Verdict
 * @property {number} tests that were run on node:http
 * @property {number} onNode how many of them passed there
 * @property {number} onShards how many passed on LoopShard
 * @property {{ title: string, reason: string }[]} explained
 * @property {{ title: string, error: string }[]} unexplained
 * @property {string[]} outdated titles of explained differences that are none
 */

/**
 * A test that passes on node:http is expected to pass on LoopShard, unless `known` explains why not.
 * @param {Results} node
 * @param {Results} shards
 * @param {readonly Known[]} known those of the suite
 * @returns {Verdict}
 */
export function compare(node, shards, known) {
  const reasons = new Map(known.flatMap(({ tests, reason }) => tests.map((title) => [title, reason])));
  const ran = [...node].filter(([, { status }]) => status !== 'skipped');
  const passed = ran.filter(([, { status }]) => status === 'passed').map(([title]) => title);
  const different = new Set(passed.filter((title) => shards.get(title)?.status !== 'passed'));
  const explained = [...different].filter((title) => reasons.has(title));
  const unexplained = [...different].filter((title) => !reasons.has(title));
  return {
    tests: ran.length,
    onNode: passed.length,
    onShards: ran.filter(([title]) => shards.get(title)?.status === 'passed').length,
    explained: explained.map((title) => ({ title, reason: /** @type {string} */ (reasons.get(title)) })),
    unexplained: unexplained.map((title) => ({ title, error: errorOf(shards, title) })),
    // A test that did not pass on node:http shows nothing.
    outdated: [...reasons.keys()].filter((title) => !different.has(title) && !failedOn(node, title)),
  };
}

/** @param {Results} results @param {string} title */
function failedOn(results, title) {
  const status = results.get(title)?.status;
  return status === 'failed' || status === 'skipped';
}

/** @param {Results} results @param {string} title */
function errorOf(results, title) {
  const result = results.get(title);
  if (result === undefined) return 'did not run';
  return result.error ?? result.status;
}
