/**
 * Tells the bench where this server listens and what it is. The server ends when its standard input does, so none
 * outlives the bench, however that ended.
 * @param {number} port
 * @param {string} version
 * @param {() => unknown} [close]
 */
export function announce(port, version, close = () => {}) {
  process.stdin.resume().once('end', async () => {
    await close();
    process.exit(0);
  });
  const runtime = process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`;
  process.stdout.write(`${JSON.stringify({ port, version, runtime })}\n`);
}
