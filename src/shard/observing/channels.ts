/* The diagnostics channels of requests (docs/traces.md). */
import { channel } from 'node:diagnostics_channel';

/** The handler is about to be called. Stores that are bound to it apply to all code of the request. */
export const START = channel('loopshard:request:start');
/** The handler has failed with an unexpected error. */
export const ERROR = channel('loopshard:request:error');
/** The handler has settled. */
export const SETTLED = channel('loopshard:request:settled');
/** The response was sent, or never will be. */
export const END = channel('loopshard:request:end');

export function haveSubscribers(): boolean {
  return START.hasSubscribers || ERROR.hasSubscribers || SETTLED.hasSubscribers || END.hasSubscribers;
}
