import type Compressible from 'compressible';
import type Negotiator from 'negotiator';
import { lazily } from '../../core/lazily.js';
import type { CompressRules, Encoding } from '../../options/compression.js';

const compressible = lazily<typeof Compressible>('compressible');
const negotiator = lazily<typeof Negotiator>('negotiator');

/** Loads the libraries early: at the first use, the process may be out of file descriptors. */
export function prepareNegotiation(): void {
  compressible();
  negotiator();
}

/** Size of the cache by Accept-Encoding. Browsers send only a few different values. */
const REMEMBERED = 256;

/** Includes the second parameter, which negotiator's types lack. */
type Encodings = (available: string[], options: { preferred: string[] }) => string[];

/** Properties of a response that decide whether it is compressed. */
export interface Candidate {
  type: string | undefined;
  /** Size of the body; `undefined` for a stream. */
  bytes: number | undefined;
  cacheControl: string | undefined;
  contentEncoding: string | undefined;
  contentRange: string | undefined;
}

/** Whether the response is compressed for clients that accept it. Such responses need `vary`, whoever requests them. */
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

/** Chooses the content coding for a client (RFC 9110 section 12.5.3). Shard only. */
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
