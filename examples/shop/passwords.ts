import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';

const SALT_BYTES = 16;
const KEY_BYTES = 32;

/* scrypt takes some 50 ms of a core. On a shard it may: the HTTP thread and the other shards go on meanwhile. */

export function hashPassword(password: string): string {
  const salt = randomBytes(SALT_BYTES);
  return Buffer.concat([salt, scryptSync(password, salt, KEY_BYTES)]).toString('base64url');
}

export function isPassword(password: string, hash: string): boolean {
  const bytes = Buffer.from(hash, 'base64url');
  return timingSafeEqual(bytes.subarray(SALT_BYTES), scryptSync(password, bytes.subarray(0, SALT_BYTES), KEY_BYTES));
}
