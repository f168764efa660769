/**
 * Reports the port and version of this server to the bench. The server ends when its standard input ends, so that it never outlives the
 * bench.
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
