/** UTF-16 units that are encoded at a time. */
const PIECE_UNITS = 64 * 1024;

/** Streams a body that is larger than any extent. */
export async function* inPieces(body: string | Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  if (typeof body !== 'string') {
    yield body;
    return undefined;
  }
  for (let at = 0; at < body.length; ) {
    let end = Math.min(at + PIECE_UNITS, body.length);
    // Do not split a surrogate pair: each half alone would be encoded as a replacement character.
    if (end < body.length && isHighSurrogate(body.charCodeAt(end - 1))) end--;
    yield Buffer.from(body.slice(at, end));
    at = end;
  }
  return undefined;
}

function isHighSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}
