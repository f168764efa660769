import { type ReaderEvents, readEvents } from '../admin/event-reader.js';
import { LoopShardError } from '../errors.js';
import { ADMIN_TOKEN_VARIABLE } from '../options/admin.js';

const DEFAULT_PORT = 9000;
const SHORT = /^\d+$/;
/** Something that listens and never answers. */
const CONNECT_TIMEOUT_MS = 5_000;
/** The server sends something at least four times a second. */
const SILENCE_MS = 4_000;

/**
 * Completes an address: `9000`, `host:9000` or a URL.
 * @throws LoopShardError OPTION_INVALID
 */
export function adminUrl(text = String(DEFAULT_PORT)): URL {
  const full = SHORT.test(text) ? `http://127.0.0.1:${text}` : /^https?:\/\//i.test(text) ? text : `http://${text}`;
  if (URL.canParse(full)) return new URL('/', full);
  throw new LoopShardError(
    'OPTION_INVALID',
    `Invalid address \`${text}\`: expected a port or a URL, such as \`http://127.0.0.1:${DEFAULT_PORT}\`.`,
  );
}

/** A connection to the events of an admin listener. */
export class AdminStream {
  readonly #url: URL;
  readonly #token: string | undefined;

  constructor(url: URL, token: string | undefined) {
    this.#url = url;
    this.#token = token;
  }

  /**
   * Reads events until the stream ends or breaks.
   * @param stop ends it early
   * @throws LoopShardError ADMIN_UNREACHABLE, ADMIN_TOKEN_REQUIRED, before the first event
   */
  async read(events: ReaderEvents, stop: AbortSignal): Promise<void> {
    const silence = new AbortController();
    const response = await this.#open(AbortSignal.any([stop, silence.signal]), silence);
    let timer: NodeJS.Timeout | undefined;
    const onBytes = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
    };
    try {
      await readEvents(response.body!.getReader(), { ...events, onBytes });
    } catch (error) {
      if (error instanceof SyntaxError) throw this.#notAdmin();
      // The stream has broken, or was ended.
    } finally {
      clearTimeout(timer);
    }
  }

  async #open(signal: AbortSignal, silence: AbortController): Promise<Response> {
    const timer = setTimeout(() => silence.abort(), CONNECT_TIMEOUT_MS);
    try {
      const headers = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
      const response = await fetch(new URL('events', this.#url), { headers, signal });
      if (response.status === 401) throw this.#tokenError();
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
      if (!response.ok || !isStream || response.body === null) throw this.#notAdmin();
      return response;
    } catch (error) {
      if (error instanceof LoopShardError) throw error;
      throw new LoopShardError(
        'ADMIN_UNREACHABLE',
        `No admin listener at ${this.#url.origin}: ${reasonOf(error as Error)}. Start the server with \`--admin-port ${DEFAULT_PORT}\`, and pass the address that it prints.`,
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  #tokenError(): LoopShardError {
    const problem = this.#token === undefined ? 'needs a token' : 'rejects this token';
    return new LoopShardError(
      'ADMIN_TOKEN_REQUIRED',
      `The admin listener at ${this.#url.origin} ${problem}. Set the environment variable ${ADMIN_TOKEN_VARIABLE} to the one of the server.`,
    );
  }

  #notAdmin(): LoopShardError {
    return new LoopShardError(
      'ADMIN_UNREACHABLE',
      `${this.#url.origin} is not an admin listener of LoopShard. Pass the address that the server prints after \`admin:\`.`,
    );
  }
}

function reasonOf(error: Error): string {
  if (error.name === 'AbortError') return `no response within ${CONNECT_TIMEOUT_MS} ms`;
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return cause?.code ?? cause?.message ?? error.message;
}
