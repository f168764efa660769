// The custom server of the documentation of Next.js, without its call of listen().
import next from 'next';

const app = next({ dev: false, dir: import.meta.dirname });
await app.prepare();
const handle = app.getRequestHandler();

export default (req, res) => handle(req, res);
