import { closed, get, HOST, post, taken } from './case.js';

const PERSISTENCE = 'RFC 9112 §9.3';
const CLOSE = 'RFC 9112 §9.6';
const PIPELINE = 'RFC 9112 §9.3.2';
const EXPECT = 'RFC 9110 §10.1.1';
const UPGRADE = 'RFC 9110 §7.8';
const HEAD_METHOD = 'RFC 9110 §9.3.2';
const OPTIONS_METHOD = 'RFC 9110 §9.3.7';
const ok = '{"message":"Hello, World!"}';

/** @param {string} [options] */
const older = (options) => `GET /json HTTP/1.0\r\n${options === undefined ? '' : `Connection: ${options}\r\n`}\r\n`;
/** @param {string} options */
const newer = (options) => get('/json', `Connection: ${options}\r\n`);
/** @param {string} value */
const expecting = (value, body = '', length = 1) =>
  post(`Expect: ${value}\r\nContent-Length: ${length}\r\n`, body, '/echo');

export const connections = [
  taken(PERSISTENCE, 'HTTP/1.1 keeps the connection open', get('/json') + get('/json'), ok, [200, 200]),
  closed(PERSISTENCE, 'HTTP/1.0 closes the connection', older() + older(), 200, ok),
  taken(
    PERSISTENCE,
    'HTTP/1.0 with keep-alive keeps the connection open',
    older('keep-alive') + older('Keep-Alive'),
    ok,
    [200, 200],
  ),
  closed(PERSISTENCE, 'HTTP/1.0 with keep-alive and close', older('keep-alive, close'), 200),
  closed(PERSISTENCE, 'HTTP/1.0 with close and keep-alive', older('close, keep-alive'), 200),
  closed(PERSISTENCE, 'HTTP/1.0 with another option', older('keep-alivex'), 200),
  closed(
    'RFC 9112 §C.2.2',
    'Proxy-Connection is ignored',
    `GET /json HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n`,
    200,
  ),
  closed(CLOSE, 'close', newer('close') + get('/json'), 200),
  closed(CLOSE, 'close is case-insensitive', newer('ClOsE'), 200),
  closed(CLOSE, 'close in a list', newer('foo , close'), 200),
  closed(CLOSE, 'close before another option', newer('close,foo'), 200),
  closed(CLOSE, 'close before keep-alive', newer('close, keep-alive'), 200),
  closed(CLOSE, 'close in a second field', get('/json', 'Connection: foo\r\nConnection: close\r\n'), 200),
  taken(CLOSE, 'an option that only begins with close', newer('closefoo'), ok),
  taken(CLOSE, 'keep-alive under HTTP/1.1', newer('keep-alive'), ok),
  taken(
    PIPELINE,
    'responses are sent in the order of the requests',
    get('/later/20/a') + get('/sync/b') + get('/sync/c'),
    'c',
    [200, 200, 200],
  ),
  closed(PIPELINE, 'a bad request after good ones', `${get('/later/10/a')}${get('/json')}BAD\r\n\r\n`, [200, 200, 400]),
  closed(PIPELINE, 'requests after a bad one are not read', `BAD\r\n\r\n${get('/json')}`, 400),
  closed(PIPELINE, 'a bad Host after a good request', `${get('/later/10/a')}GET / HTTP/1.1\r\n\r\n`, [200, 400]),
  closed(
    PIPELINE,
    'a bad body after a good request',
    get('/later/10/a') + post('Content-Length: x\r\n', ''),
    [200, 400],
  ),
  taken(EXPECT, '100-continue', expecting('100-continue', 'a'), 'a', [100, 200]),
  taken(EXPECT, '100-continue is case-insensitive', expecting('100-Continue', 'a'), 'a', [100, 200]),
  taken(EXPECT, '100-continue without a body', expecting('100-continue', '', 0), '', [200]),
  taken(
    EXPECT,
    '100-continue under HTTP/1.0 is ignored',
    `POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na`,
    'a',
  ),
  closed(EXPECT, 'an unknown expectation', expecting('a-miracle'), 417),
  closed(EXPECT, '100-continue and an unknown expectation', expecting('100-continue, a-miracle'), 417),
  closed(
    EXPECT,
    'an unknown expectation in a second field',
    post('Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1\r\n', ''),
    417,
  ),
  taken(EXPECT, 'an unknown expectation without a body is ignored', get('/json', 'Expect: x\r\n'), ok),
  closed(EXPECT, '413 is sent instead of 100', expecting('100-continue', '', 99_999_999), 413),
  taken(
    UPGRADE,
    'an upgrade that no listener accepts',
    get('/json', 'Connection: Upgrade\r\nUpgrade: foo\r\n') + get('/json'),
    ok,
    [200, 200],
  ),
  taken(
    UPGRADE,
    'an upgrade request with a body',
    post('Connection: Upgrade\r\nUpgrade: foo\r\nContent-Length: 1\r\n', 'a') + get('/json'),
    ok,
    [200, 200],
  ),
  taken(UPGRADE, 'Upgrade without Connection', get('/json', 'Upgrade: foo\r\n'), ok),
  taken(HEAD_METHOD, 'HEAD of a GET route', `HEAD /json HTTP/1.1\r\n${HOST}\r\n`, ''),
  taken(HEAD_METHOD, 'HEAD of an unknown path', `HEAD /nowhere HTTP/1.1\r\n${HOST}\r\n`, '', [404]),
  closed(HEAD_METHOD, 'a rejected HEAD request gets no content', `HEAD /json HTTP/1.1\r\n\r\n`, 400, ''),
  taken(OPTIONS_METHOD, 'OPTIONS of a path', `OPTIONS /json HTTP/1.1\r\n${HOST}\r\n`, '', [204]),
  taken(OPTIONS_METHOD, 'OPTIONS of a path with a handler', `OPTIONS /request/1 HTTP/1.1\r\n${HOST}\r\n`),
  taken(OPTIONS_METHOD, 'OPTIONS of an unknown path', `OPTIONS /nowhere HTTP/1.1\r\n${HOST}\r\n`, undefined, [404]),
  taken(
    'RFC 9110 §15.5.6',
    'a method that the path does not support',
    `PUT /json HTTP/1.1\r\n${HOST}\r\n`,
    undefined,
    [405],
  ),
  taken('RFC 9110 §15.5.5', 'an unknown path', get('/nowhere'), undefined, [404]),
];
