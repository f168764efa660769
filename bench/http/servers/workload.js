/** The response and the request, which are the same for all servers. */

export const MESSAGE = { message: 'Hello, World!' };

export const BODY = JSON.stringify(MESSAGE);

export const CONTENT_TYPE = 'application/json';

/** The head and body of the response, for servers that do not parse requests. @param {string} connection */
export function bareAnswer(connection) {
  const head = [
    'HTTP/1.1 200 OK',
    `content-type: ${CONTENT_TYPE}`,
    `content-length: ${Buffer.byteLength(BODY)}`,
    `date: ${new Date().toUTCString()}`,
    `connection: ${connection}`,
  ];
  return Buffer.from(`${head.join('\r\n')}${END_OF_HEAD}${BODY}`);
}

/** Clients of this bench neither pipeline nor send bodies to bare servers, so a request ends with what ends with an empty line. */
export const END_OF_HEAD = '\r\n\r\n';

/** Eight headers in addition to Host, as long as a browser's, because parsing them is part of the work. */
export const BROWSER_HEADERS = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'accept-language': 'en-US,en;q=0.9',
  'accept-encoding': 'gzip, deflate, br',
  connection: 'keep-alive',
  'cache-control': 'max-age=0',
  referer: 'http://127.0.0.1/start',
  cookie: 'session=f0e1d2c3b4a5968778695a4b3c2d1e0f; theme=dark; consent=yes',
};
