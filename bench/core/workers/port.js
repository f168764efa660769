// Adds one to a number that comes by postMessage, or to what lies in a buffer that is transferred, and sends it back.
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', (message) => {
  if (typeof message === 'number') return parentPort?.postMessage(message + 1);
  new Int32Array(message)[0]++;
  parentPort?.postMessage(message, [message]);
});
