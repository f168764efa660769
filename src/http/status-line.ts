const STATUS_OFFSET = 'HTTP/1.1 '.length;
const DIGIT_0 = '0'.charCodeAt(0);
const LOWEST = 100;
const HIGHEST = 999;

/** Returns the status in the first line of a response, or 0 if an app of another framework has written something else. */
export function statusOf(head: Uint8Array): number {
  const hundreds = head[STATUS_OFFSET] - DIGIT_0;
  const tens = head[STATUS_OFFSET + 1] - DIGIT_0;
  const status = hundreds * 100 + tens * 10 + head[STATUS_OFFSET + 2] - DIGIT_0;
  return status >= LOWEST && status <= HIGHEST ? status : 0;
}
