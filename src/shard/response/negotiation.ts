import type Compressible from 'compressible';
import type Negotiator from 'negotiator';
import { lazily } from '../../core/lazily.js';
import type { CompressRules, Encoding } from '../../options/compression.js';

const compressible = lazily<typeof Compressible>('compressible');
const negotiator = lazily<typeof Negotiator>('negotiator');

/** Loads what negotiation needs: its first use may come when no file can be opened any more. */
export function prepareNegotiation(): void {
  compressible();
  negotiator();
}

/** Values of Accept-Encoding whose outcome is remembered: browsers send a few. */
const REMEMBERED = 256;

/** With the second parameter, which the types do not know. */
type Encodings = (available: string[], options: { preferred: string[] }) => string[];

/** What a response that might be compressed says of itself. */
export interface Candidate {
  type: string | undefined;
  /** Of the body; nothing for a stream. */
  bytes: number | undefined;
  cacheControl: string | undefined;
  contentEncoding: string | undefined;
  contentRange: string | undefined;
}

/** By the rules, the response is compressed for clients that want it; caches have to know, whoever asks. */
export function isEligible(rules: CompressRules, candidate: Candidate): boolean {
  const { type, bytes, cacheControl, contentEncoding, contentRange } = candidate;
  if (type === undefined || contentEncoding !== undefined || contentRange !== undefined) return false;
  if (bytes !== undefined && bytes < rules.thresholdBytes) return false;
  // RFC 9110 section 7.7, RFC 9111 section 5.2.2.6.
  if (cacheControl !== undefined && /(^|[\s,])no-transform($|[\s,])/i.test(cacheControl)) return false;
  return rules.types === undefined ? compressible()(type) === true : isListed(rules.types, type);
}

function isListed(types: readonly string[], type: string): boolean {
  const bare = type.split(';', 1)[0].trim().toLowerCase();
  const [main] = bare.split('/', 1);
  return types.some((one) => one === bare || one === `${main}/*`);
}

/** Which coding a client gets (RFC 9110 section 12.5.3). Shard. */
export class Negotiation {
  readonly #outcomes = new Map<string, Encoding | undefined>();

  /** @param accepted value of Accept-Encoding */
  encoding({ encodings }: CompressRules, accepted: string | undefined): Encoding | undefined {
    if (accepted === undefined) return undefined;
    const key = `${encodings.join()} ${accepted}`;
    if (this.#outcomes.has(key)) return this.#outcomes.get(key);
    const available = [...encodings, 'identity'];
    const asked = new (negotiator())({ headers: { 'accept-encoding': accepted } });
    const [best] = (asked.encodings as Encodings)(available, { preferred: available });
    const outcome = encodings.find((encoding) => encoding === best);
    if (this.#outcomes.size === REMEMBERED) this.#outcomes.clear();
    this.#outcomes.set(key, outcome);
    return outcome;
  }
}
