import { noteThread } from '../../http/thread-roles.js';

noteThread('HTTP threads');

/** HTTP threads reject a module without exports. No client sends an upgrade. */
export function onUpgrade(/** @type {unknown} */ _request, /** @type {import('node:stream').Duplex} */ socket) {
  socket.destroy();
}
