import { noteThread } from './roles.js';

noteThread('HTTP threads');

/** Without this, HTTP threads would not take the module. Nobody offers to upgrade. */
export function onUpgrade(/** @type {unknown} */ _request, /** @type {import('node:stream').Duplex} */ socket) {
  socket.destroy();
}
