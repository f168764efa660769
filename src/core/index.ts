/**
 * The core alone: rings, permits and doorbells in shared memory, for any threads of a process.
 * @module loopshard/core
 */

export { LoopShardError, type LoopShardErrorCode } from '../errors.js';
export { Doorbell } from './doorbell.js';
export { CoreMemory, type SharedCore } from './memory.js';
export { Ring } from './ring.js';
export { Semaphore } from './semaphore.js';
export { Writer } from './writer.js';
