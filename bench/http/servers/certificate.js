import { readFileSync } from 'node:fs';

const DIRECTORY = new URL('../../../test/fixtures/tls/', import.meta.url);

/** The self-signed certificate of every server with TLS, and its key. */
export const CERTIFICATE = {
  key: readFileSync(new URL('first-key.pem', DIRECTORY), 'utf8'),
  cert: readFileSync(new URL('first-cert.pem', DIRECTORY), 'utf8'),
};
