/**
 * @param {import('node:http').Server} server
 * @returns {Promise<number>}
 */
export function connectionCount(server) {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}
