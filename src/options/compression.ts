/* The option `compress` of servers and routes. */
import zlib from 'node:zlib';
import { list, type Subject } from './checks.js';

/** Content codings (RFC 9110 section 8.4.1; zstd: RFC 8878). */
export type Encoding = 'br' | 'gzip' | 'zstd';

/** Which responses are compressed, and how. */
export interface CompressOptions {
  /** Smaller bodies are sent uncompressed, 0 to 2³¹ − 1 bytes. Does not apply to streams. Default 1,024. */
  thresholdBytes?: number;
  /** Content types, such as `application/json` or `text/*`. Default: those that mime-db marks as compressible. */
  types?: readonly string[];
  /**
   * Codings in order of preference, where the client has none. Default `['br', 'zstd', 'gzip']`; zstd only if this version of
   * Node.js supports it.
   */
  encodings?: readonly Encoding[];
}

/** `CompressOptions`, checked and with defaults, as sent to the shards. */
export interface CompressRules {
  thresholdBytes: number;
  types: readonly string[] | undefined;
  encodings: readonly Encoding[];
}

const ENCODINGS: readonly Encoding[] = ['br', 'zstd', 'gzip'];
const DEFAULT_THRESHOLD_BYTES = 1_024;
const MAX_THRESHOLD_BYTES = 2 ** 31 - 1;
const TYPE = /^[a-z0-9!#$&^_.+-]+\/(\*|[a-z0-9!#$&^_.+-]+)$/;

/** @throws LoopShardError */
export function checkCompress(compress: boolean | CompressOptions, subject: Subject): CompressRules | undefined {
  if (compress === false) return undefined;
  const given = compress === true ? {} : subject.object('compress', compress, ['thresholdBytes', 'types', 'encodings']);
  const { thresholdBytes = DEFAULT_THRESHOLD_BYTES, types, encodings = ENCODINGS } = given;
  if (
    types !== undefined &&
    !(Array.isArray(types) && types.every((type) => typeof type === 'string' && TYPE.test(type)))
  )
    throw subject.invalid(
      'compress.types',
      "an array of content types such as `['text/*', 'application/json']`",
      types,
    );
  if (!Array.isArray(encodings) || encodings.length === 0) {
    throw subject.invalid('compress.encodings', `a non-empty array of ${list(ENCODINGS)}`, encodings);
  }
  for (const encoding of encodings) subject.oneOf('compress.encodings', encoding, ENCODINGS);
  return {
    thresholdBytes: subject.integer('compress.thresholdBytes', thresholdBytes, 0, MAX_THRESHOLD_BYTES),
    types,
    encodings: encodings.filter((encoding) => encoding !== 'zstd' || 'createZstdCompress' in zlib),
  };
}
