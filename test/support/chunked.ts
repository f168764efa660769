/**
 * Decodes the chunked body at the start of `bytes`. Returns it with the bytes after it, or nothing if the body is incomplete.
 * Stricter than clients must be (RFC 9112 section 7.1).
 */
export function decodeChunked(bytes: Buffer): { body: Buffer; chunks: number; rest: Buffer } | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-f]+$/.test(line)) throw new Error(`${JSON.stringify(line)} is not a chunk size`);
    const size = Number.parseInt(line, 16);
    const start = lineEnd + 2;
    if (bytes.length < start + size + 2) return undefined;
    if (bytes.toString('latin1', start + size, start + size + 2) !== '\r\n')
      throw new Error('no CRLF after the data of a chunk');
    if (size === 0) return { body: Buffer.concat(parts), chunks: parts.length, rest: bytes.subarray(start + 2) };
    parts.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
