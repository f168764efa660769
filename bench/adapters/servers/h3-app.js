import { H3 } from 'h3';
import { MESSAGE } from '../../http/servers/workload.js';

export default new H3().get('/', () => ({ message: MESSAGE.message }));
