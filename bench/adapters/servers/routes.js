import { MESSAGE } from '../../http/servers/workload.js';
import { noteThread } from '../../http/thread-roles.js';
import { readSettings } from '../../scheduling/servers/settings.js';
import { answer } from '../../scheduling/servers/work.js';

/* What the apps of all frameworks respond with. They run on shards and on event loops of processes. */

noteThread('app');

const { iterations } = readSettings();

/** GET / */
export const message = () => ({ message: MESSAGE.message });

/** GET /livez */
export const livez = () => ({ status: 'ok' });

/** GET /heavy: blocks the event loop. */
export const compute = () => answer('heavy', iterations.heavy);
