import type { Answer } from './client.js';

const HEAD_END = '\r\n\r\n';
/** Statuses whose responses have no body. */
const BODILESS = new Set([204, 304]);

/**
 * Splits what a server has sent on a connection until it closed it. Chunks are joined: servers may divide a body in their own ways.
 * @param methods of the requests, in order; those that are missing are neither HEAD nor CONNECT
 */
export function splitResponses(bytes: Buffer, methods: readonly string[]): Answer[] {
  const answers: Answer[] = [];
  let interim: Answer['interim'] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(HEAD_END, at);
    if (end < 0) return [...answers, { ...headOf(bytes.toString('latin1', at)), interim }];
    const head = headOf(bytes.toString('latin1', at, end));
    at = end + HEAD_END.length;
    if (statusOf(head) < 200) {
      interim.push([String(statusOf(head)), head.headers]);
      continue;
    }
    const body = bodyAt(bytes, at, head, methods[answers.length] === 'HEAD');
    at = body.end;
    answers.push({ ...head, interim, ...body.answer });
    interim = [];
  }
  return interim.length === 0 ? answers : [...answers, { ...headOf(''), interim }];
}

function headOf(text: string): Answer {
  const [status, ...lines] = text.split('\r\n');
  return { interim: [], status, headers: pairsOf(lines), body: '', trailers: [], isComplete: false };
}

function pairsOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}

function statusOf({ status }: Answer): number {
  return Number(status.split(' ')[1]);
}

interface Body {
  answer: Pick<Answer, 'body' | 'trailers' | 'isComplete'>;
  end: number;
}

function bodyAt(bytes: Buffer, at: number, head: Answer, isHead: boolean): Body {
  if (isHead || BODILESS.has(statusOf(head))) return { answer: { body: '', trailers: [], isComplete: true }, end: at };
  const fields = new Map<string, string>();
  for (let i = 0; i < head.headers.length; i += 2) fields.set(head.headers[i].toLowerCase(), head.headers[i + 1]);
  if (fields.get('transfer-encoding') === 'chunked') return chunkedAt(bytes, at);
  const length = fields.get('content-length');
  const end = length === undefined ? bytes.length : at + Number(length);
  const body = bytes.toString('latin1', at, end);
  return { answer: { body, trailers: [], isComplete: end <= bytes.length }, end: Math.min(end, bytes.length) };
}

function chunkedAt(bytes: Buffer, start: number): Body {
  let body = '';
  for (let at = start; ; ) {
    const line = bytes.indexOf('\r\n', at);
    const size = line < 0 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, line), 16);
    const data = line + 2;
    if (size === 0) return trailersAt(bytes, data, body);
    const end = data + size + 2;
    if (!(end <= bytes.length)) {
      if (line >= 0) body += bytes.toString('latin1', data);
      return { answer: { body, trailers: [], isComplete: false }, end: bytes.length };
    }
    body += bytes.toString('latin1', data, data + size);
    at = end;
  }
}

function trailersAt(bytes: Buffer, at: number, body: string): Body {
  // The empty line follows the last chunk directly if there are no trailers.
  const end = bytes.indexOf(HEAD_END, at - 2);
  if (end < 0) return { answer: { body, trailers: [], isComplete: false }, end: bytes.length };
  const lines = end < at ? [] : bytes.toString('latin1', at, end).split('\r\n');
  return { answer: { body, trailers: pairsOf(lines), isComplete: true }, end: end + HEAD_END.length };
}
