import { PEER_ADDRESS_BYTES } from '../../assembly/layout.js';

/** The other end of a connection, as the HTTP thread sees it: the client, or the nearest proxy. */
export interface Peer {
  /** IPv4 or IPv6, as Node.js formats it; undefined for a Unix socket, or once the client has disconnected. */
  readonly address: string | undefined;
  /** 0 where there is no address. */
  readonly port: number;
  /** Whether TLS secures the connection. */
  readonly isSecure: boolean;
}

/** Layout of the first word: bits 0 to 15 are the port, 16 to 23 the bytes of the address, 24 is TLS. The address follows in ASCII. */
const LENGTH_SHIFT = 16;
const PORT_MASK = 0xffff;
const LENGTH_MASK = 0xff;
const SECURE_FLAG = 1 << 24;

/** Where peers are encoded. */
const encoded = new Int32Array(1 + PEER_ADDRESS_BYTES / Int32Array.BYTES_PER_ELEMENT);
const encodedAddress = new Uint8Array(encoded.buffer, Int32Array.BYTES_PER_ELEMENT);

/** Encodes a peer for slots. HTTP thread, once per connection. */
export function peerWords({ address = '', port, isSecure }: Peer): Int32Array {
  // The zone of a link-local address has no maximum length.
  const text = address.length > PEER_ADDRESS_BYTES ? address.split('%', 1)[0].slice(0, PEER_ADDRESS_BYTES) : address;
  encoded.fill(0);
  encoded[0] = port | (text.length << LENGTH_SHIFT) | (isSecure ? SECURE_FLAG : 0);
  for (let i = 0; i < text.length; i++) encodedAddress[i] = text.charCodeAt(i);
  return encoded.slice(0, 1 + Math.ceil(text.length / Int32Array.BYTES_PER_ELEMENT));
}

/** Decodes whether TLS secures the connection. Shard, while it owns the slot. */
export function readIsSecure(i32: Int32Array, word: number): boolean {
  return (i32[word] & SECURE_FLAG) !== 0;
}

/** Decodes a peer. Shard, while it owns the slot. */
export function readPeer(i32: Int32Array, word: number): Peer {
  const first = i32[word];
  const length = (first >> LENGTH_SHIFT) & LENGTH_MASK;
  const start = i32.byteOffset + (word + 1) * Int32Array.BYTES_PER_ELEMENT;
  return {
    address: length === 0 ? undefined : Buffer.from(i32.buffer as ArrayBuffer, start, length).latin1Slice(0, length),
    port: first & PORT_MASK,
    isSecure: readIsSecure(i32, word),
  };
}
