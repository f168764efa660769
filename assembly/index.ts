/* The exports of the WASM module. Every thread has its own instance over the one shared memory. */

export { doorbellPark, doorbellRing, doorbellUnpark } from './doorbell';
export { extentGive, extentInitialize, extentPass, extentReclaim, extentsFree, extentTake } from './extent';
export { headBegin, headBody, headComplete, headCopyFields, headName, headTarget, headUse, headValue } from './head';
export { jsonInt32s, jsonNumber, jsonNumbers, writeInteger } from './json/number';
export { escapeText, escapeTextScalar, hasReplacement, quoteInPlace, unitsToBytes, writeString } from './json/string';
export { jsonRun } from './json/tape';
export * from './layout';
export { ringClaim, ringInitialize, ringLength, ringPoll, ringPublish, ringPublishBatch } from './ring';
export {
  semaphoreAvailable,
  semaphoreAwait,
  semaphoreInitialize,
  semaphoreLeave,
  semaphoreLimit,
  semaphoreRelease,
  semaphoreSetLimit,
  semaphoreTryAcquire,
  semaphoreTryAcquireUpTo,
} from './semaphore';
export { slotClaim, slotClaimPermitted, slotComplete, slotOldest, slotSubmit, slotWaited } from './slot';
export { writeBytes, writeHeadBefore } from './writer';
