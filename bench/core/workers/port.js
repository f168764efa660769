// Adds one to a number that arrives by postMessage, or to the number in a transferred buffer, and sends it back.
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', (message) => {
  if (typeof message === 'number') return parentPort?.postMessage(message + 1);
  new Int32Array(message)[0]++;
  parentPort?.postMessage(message, [message]);
});
