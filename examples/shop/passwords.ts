import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';

const SALT_BYTES = 16;
const KEY_BYTES = 32;

/* scrypt blocks a core for about 50 ms. That is acceptable on a shard: the HTTP thread and the other shards keep running. */

export function hashPassword(password: string): string {
  const salt = randomBytes(SALT_BYTES);
  return Buffer.concat([salt, scryptSync(password, salt, KEY_BYTES)]).toString('base64url');
}

export function isPassword(password: string, hash: string): boolean {
  const bytes = Buffer.from(hash, 'base64url');
  return timingSafeEqual(bytes.subarray(SALT_BYTES), scryptSync(password, bytes.subarray(0, SALT_BYTES), KEY_BYTES));
}
