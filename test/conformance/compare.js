// Replays the conformance cases against node:http and prints, as Markdown, where the two differ. `npm run conformance`
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { serve } from 'loopshard';
import { groups } from './cases/index.js';
import { parseAnswers, Wire } from './replay.js';

/** @typedef {import('./cases/case.js').Case} Case */
/** @typedef {{ answers: number[], closes: boolean }} Result */

/** A server that has sent nothing for this long is assumed to send nothing more. */
const QUIET_MS = 400;
const AT_ONCE = 40;

/** A server that responds to everything that node:http accepts, with LoopShard's limits. */
const peer = createServer({ maxHeaderSize: 24_576 }, (request, response) => {
  let bytes = 0;
  request.on('data', (chunk) => {
    bytes += chunk.length;
    if (bytes > 2 ** 20) response.writeHead(413, { connection: 'close' }).end();
  });
  request.on('end', () => !response.writableEnded && response.end('ok'));
});
peer.maxHeadersCount = 100;

/**
 * Collects a server's responses without knowing how many there will be.
 * @param {number} port
 * @param {Case} one
 * @returns {Promise<Result>}
 */
async function observe(port, { input, ends }) {
  const wire = new Wire(port);
  wire.socket.write(Buffer.from(input, 'latin1'));
  if (ends) wire.socket.end();
  let seen = -1;
  while (!wire.ended && seen !== wire.received.length) {
    seen = wire.received.length;
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  }
  const answers = parseAnswers(wire.received, input.startsWith('HEAD ')).map(({ status }) => status);
  wire.socket.destroy();
  return { answers, closes: wire.ended };
}

/** @param {Result} result */
const isRefusal = ({ answers }) => {
  const last = answers.at(-1) ?? 400;
  return last >= 400 && last !== 404 && last !== 405;
};
/** @param {Result} result */
const show = ({ answers, closes }) => `${answers.join(', ') || 'nothing'}${closes ? ', closed' : ''}`;

/**
 * @param {number} ours
 * @param {number} theirs
 * @param {Case[]} cases
 */
async function compare(ours, theirs, cases) {
  const compared = [];
  for (let i = 0; i < cases.length; i += AT_ONCE) {
    const some = cases.slice(i, i + AT_ONCE).map(async (one) => {
      const [mine, other] = await Promise.all([observe(ours, one), observe(theirs, one)]);
      return { one, mine, other };
    });
    compared.push(...(await Promise.all(some)));
  }
  return compared;
}

async function main() {
  const server = await serve(fileURLToPath(new URL('../fixtures/app.js', import.meta.url)), { port: 0, shards: 1 });
  await new Promise((resolve) => peer.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (peer.address());
  const rows = [];
  const differences = [];
  for (const [group, cases] of Object.entries(groups)) {
    const compared = await compare(server.address().port, port, cases);
    const stricter = compared.filter(({ mine, other }) => isRefusal(mine) && !isRefusal(other));
    const looser = compared.filter(({ mine, other }) => !isRefusal(mine) && isRefusal(other));
    const same = cases.length - stricter.length - looser.length;
    rows.push(`| ${group} | ${cases.length} | ${same} | ${stricter.length} | ${looser.length} |`);
    for (const { one, mine, other } of [...stricter, ...looser]) {
      differences.push(`| ${one.rule} | ${one.section} | ${show(mine)} | ${show(other)} |`);
    }
  }
  console.log(`Node.js ${process.versions.node}\n`);
  console.log(`| subject | cases | same result | only LoopShard rejects | only node:http rejects |`);
  console.log(`|---|---|---|---|---|\n${rows.join('\n')}\n`);
  console.log(`| what is sent | rule | LoopShard | node:http |\n|---|---|---|---|\n${differences.join('\n')}`);
  peer.close();
  peer.closeAllConnections();
  await server.destroy();
}

await main();
