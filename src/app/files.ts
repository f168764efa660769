import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type Send from '@fastify/send';
import type NegotiatorClass from 'negotiator';
import { lazily } from '../core/lazily.js';
import { HttpError, LoopShardError } from '../errors.js';
import type { Subject } from '../options/checks.js';
import type { Handler, ShardRequest, ShardResponse } from './handler.js';

const send = lazily<typeof Send>('@fastify/send');
const negotiator = lazily<typeof NegotiatorClass>('negotiator');

/** How `app.files()` serves a directory. */
export interface FilesOptions {
  /** Files to try for a path that ends with `/`, in this order. Default `['index.html']`. */
  index?: readonly string[];
  /** How long clients may cache a file without revalidation, in seconds (`cache-control: max-age`). Default 0. */
  maxAgeSeconds?: number;
  /** Sends `cache-control: immutable`, for files that never change under the same name. Default false. */
  immutable?: boolean;
  /** How to treat names that begin with a dot: `ignore` sends 404, `deny` 403. Default `ignore`. */
  dotfiles?: 'allow' | 'deny' | 'ignore';
  /** Extensions to try if a file does not exist: `['html']` serves `/about` from `about.html`. Default: none. */
  extensions?: readonly string[];
  /** Sends `style.css.br` or `style.css.gz` for `style.css` if that file exists and the client accepts the encoding. Default false. */
  precompressed?: boolean;
}

const KEYS: readonly string[] = ['index', 'maxAgeSeconds', 'immutable', 'dotfiles', 'extensions', 'precompressed'];
/** Extensions by content coding, in order of preference. */
const VARIANTS = { br: '.br', gzip: '.gz' } as const;
type Coding = keyof typeof VARIANTS;

/** Includes the second parameter, which negotiator's types lack. */
type Encodings = (available: string[], options: { preferred: string[] }) => string[];

/**
 * Creates a handler that serves the files of a directory, with content types, ranges, entity tags and conditional requests. Shard only.
 * @throws LoopShardError OPTION_UNKNOWN, OPTION_INVALID, ROUTE_INVALID if `directory` is not a directory
 */
export function fileHandler(directory: string | URL, options: FilesOptions, subject: Subject): Handler {
  const root = directory instanceof URL ? fileURLToPath(directory) : directory;
  if (typeof root !== 'string' || statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new LoopShardError('ROUTE_INVALID', `Cannot serve files from ${String(root)}: no such directory.`);
  }
  const unknown = Object.keys(options).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    throw new LoopShardError(
      'OPTION_UNKNOWN',
      `Unknown option ${subject.named(unknown)}. All options: ${KEYS.join(', ')}.`,
    );
  }
  const { index = ['index.html'], maxAgeSeconds = 0, immutable = false, precompressed = false } = options;
  const { dotfiles = 'ignore', extensions = [] } = options;
  subject.integer('maxAgeSeconds', maxAgeSeconds, 0, Number.MAX_SAFE_INTEGER);
  subject.oneOf('immutable', immutable, [true, false]);
  subject.oneOf('precompressed', precompressed, [true, false]);
  subject.oneOf('dotfiles', dotfiles, ['allow', 'deny', 'ignore']);
  const sendOptions: Send.SendOptions = {
    root,
    index: [...index],
    maxAge: maxAgeSeconds * 1_000,
    immutable,
    dotfiles,
    extensions: [...extensions],
  };
  return async (req, res) => {
    const path = `/${(req.params['*'] ?? '').split('/').map(encodeURIComponent).join('/')}`;
    const variant = precompressed ? await findVariant(req, res, path, index[0], sendOptions) : undefined;
    return respond(variant ?? (await send().send(nodeRequest(req), path, sendOptions)), req, res);
  };
}

/** The parts of a Node.js request that @fastify/send reads. */
function nodeRequest({ method, headers }: ShardRequest) {
  return { method, headers } as never;
}

function respond(
  { type, statusCode, headers, stream, metadata }: Send.SendResult,
  req: ShardRequest,
  res: ShardResponse,
) {
  if (type === 'error') {
    stream.destroy();
    const range = headers['Content-Range'];
    throw new HttpError(statusCode, undefined, {
      cause: metadata.error,
      ...(range !== undefined && { headers: { 'content-range': range } }),
    });
  }
  if (type === 'directory') {
    stream.destroy();
    const query = req.target.slice(req.path.length);
    // A location that begins with two slashes would name a host.
    return void res.redirect(`${req.path.replace(/^\/+/, '/')}/${query}`, 301);
  }
  res.status(statusCode);
  for (const [name, value] of Object.entries(headers)) {
    if (res.getHeader(name) === undefined) res.header(name, value);
  }
  return stream;
}

/** Finds a precompressed file that the client accepts. */
async function findVariant(
  req: ShardRequest,
  res: ShardResponse,
  path: string,
  index: string | undefined,
  options: Send.SendOptions,
): Promise<Send.SendResult | undefined> {
  const whole = path.endsWith('/') ? path + (index ?? '') : path;
  res.append('vary', 'accept-encoding');
  for (const coding of codings(req.header('accept-encoding'))) {
    const found = await send().send(nodeRequest(req), whole + VARIANTS[coding], { ...options, acceptRanges: false });
    if (found.type !== 'file') {
      found.stream.destroy();
      continue;
    }
    if (found.statusCode !== 304) {
      const { mime, isUtf8MimeType } = send();
      const type = mime.getType(decodeURI(whole)) ?? 'application/octet-stream';
      found.headers['Content-Type'] = isUtf8MimeType(type) ? `${type}; charset=utf-8` : type;
      found.headers['Content-Encoding'] = coding;
    }
    return found;
  }
  return undefined;
}

function codings(accepted: string | undefined): Coding[] {
  if (accepted === undefined) return [];
  const available = [...Object.keys(VARIANTS), 'identity'];
  const asked = new (negotiator())({ headers: { 'accept-encoding': accepted } });
  const liked = (asked.encodings as Encodings)(available, { preferred: available });
  const identity = liked.indexOf('identity');
  return (identity < 0 ? liked : liked.slice(0, identity)) as Coding[];
}
