/** UTF-16 units of a text that are encoded at once. */
const PIECE_UNITS = 64 * 1024;

/** A body that is larger than any extent, as a stream of its pieces. */
export async function* inPieces(body: string | Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  if (typeof body !== 'string') {
    yield body;
    return undefined;
  }
  for (let at = 0; at < body.length; ) {
    let end = Math.min(at + PIECE_UNITS, body.length);
    // Not between two surrogates: each alone would be encoded as a replacement character.
    if (end < body.length && isHighSurrogate(body.charCodeAt(end - 1))) end--;
    yield Buffer.from(body.slice(at, end));
    at = end;
  }
  return undefined;
}

function isHighSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}
