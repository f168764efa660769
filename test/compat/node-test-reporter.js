/*
 * A reporter for `node --test`: one line of JSON for each test. Node.js reports a test after those inside it, so that their titles are put
 * together from the starts.
 */

/** @param {AsyncIterable<import('node:test/reporters').TestEvent>} events */
export default async function* report(events) {
  /** @type {string[]} Names of the tests that have started, by nesting. */
  const names = [];
  for await (const { type, data } of events) {
    if (type === 'test:start') names.splice(data.nesting, Infinity, data.name);
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details.type === 'suite') continue;
    const { file, nesting, name, skip, todo } = data;
    const isSkipped = skip !== undefined || todo !== undefined;
    const status = isSkipped ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed';
    const error = 'error' in data.details ? data.details.error : undefined;
    yield `${JSON.stringify({ file, path: [...names.slice(0, nesting), name], status, error: error?.cause?.message ?? error?.message })}\n`;
  }
}
