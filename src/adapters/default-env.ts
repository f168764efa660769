import { isIP } from 'node:net';
import type { ShardRequest } from '../app/handler.js';

/** The second argument of `app.fetch`, unless the option `env` says otherwise. */
export class DefaultEnv {
  readonly loopshard: ShardRequest;

  constructor(req: ShardRequest) {
    this.loopshard = req;
  }

  /** What `getConnInfo()` of `@hono/node-server` reads. */
  get incoming(): {
    socket: { remoteAddress: string | undefined; remotePort: number | undefined; remoteFamily: string };
  } {
    const { remoteAddress, remotePort } = this.loopshard;
    return { socket: { remoteAddress, remotePort, remoteFamily: `IPv${isIP(remoteAddress ?? '')}` } };
  }
}
