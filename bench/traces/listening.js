/* Subscribers to the diagnostics channels of requests that do nothing. */
import { channel } from 'node:diagnostics_channel';

for (const name of ['start', 'error', 'settled', 'end']) channel(`loopshard:request:${name}`).subscribe(() => {});
