import { chunks, closed, get, HOST, post, taken } from './case.js';

const LINE = 'RFC 9112 §3';
const METHOD = 'RFC 9112 §3.1';
const VERSION = 'RFC 9112 §2.3';
const ENDS = 'RFC 9112 §2.2';

/** @param {string} line */
const request = (line) => `${line}\r\n${HOST}\r\n`;
const ok = '{"message":"Hello, World!"}';

export const requestLine = [
  taken(LINE, 'a request line', request('GET /json HTTP/1.1'), ok),
  closed(LINE, 'two spaces before the target', request('GET  /json HTTP/1.1')),
  closed(LINE, 'two spaces before the version', request('GET /json  HTTP/1.1')),
  closed(LINE, 'a space after the version', request('GET /json HTTP/1.1 ')),
  closed(LINE, 'a space before the method', request(' GET /json HTTP/1.1')),
  closed(LINE, 'tabs for spaces', request('GET\t/json\tHTTP/1.1')),
  closed(LINE, 'a vertical tab for a space', request('GET\v/json HTTP/1.1')),
  closed(LINE, 'no target', request('GET HTTP/1.1')),
  closed(LINE, 'a method alone', 'GET\r\n\r\n'),
  closed(LINE, 'more than a request line has', request('GET /json /json HTTP/1.1')),
  closed(LINE, 'a status line', 'HTTP/1.1 200 OK\r\n\r\n'),
  closed(LINE, 'no HTTP', 'EHLO example.com\r\n'),
  closed(LINE, 'a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  closed(METHOD, 'an unknown method', request('FOO /json HTTP/1.1'), 501),
  closed(METHOD, 'a method is case-sensitive', request('get /json HTTP/1.1'), 501),
  closed(METHOD, 'a method with more letters', request('GETX /json HTTP/1.1'), 501),
  closed(METHOD, 'a method that is known and not implemented', request('PROPFIND /json HTTP/1.1'), 501),
  closed(METHOD, 'a method of another protocol', request('DESCRIBE /json HTTP/1.1'), 501),
  closed(METHOD, 'a method that is not a token', request('G{T /json HTTP/1.1')),
  closed(METHOD, 'NUL in the method', request('G\0T /json HTTP/1.1')),
  closed(METHOD, 'TRACE', request('TRACE /json HTTP/1.1'), 501),
  closed(VERSION, 'HTTP/0.9 without a version', 'GET /json\r\n\r\n'),
  closed(VERSION, 'HTTP/0.9 as a version', request('GET /json HTTP/0.9'), 505),
  closed(VERSION, 'HTTP/2.0', request('GET /json HTTP/2.0'), 505),
  closed('RFC 9113 §3.4', 'the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
  closed(VERSION, 'HTTP/3.0', request('GET /json HTTP/3.0'), 505),
  closed(VERSION, 'a minor version that does not exist', request('GET /json HTTP/1.2'), 505),
  closed(VERSION, 'two digits', request('GET /json HTTP/1.10')),
  closed(VERSION, 'a leading zero', request('GET /json HTTP/01.1')),
  closed(VERSION, 'no dot', request('GET /json HTTP/11')),
  closed(VERSION, 'no minor version', request('GET /json HTTP/1')),
  closed(VERSION, 'the name is case-sensitive', request('GET /json http/1.1')),
  closed(VERSION, 'a longer name', request('GET /json HTTPS/1.1')),
  closed(VERSION, 'a space in the version', request('GET /json HTTP /1.1')),
  closed(VERSION, 'RTSP', request('GET /json RTSP/1.0')),
  closed(VERSION, 'ICE', request('SOURCE /json ICE/1.0')),
  taken(ENDS, 'an empty line in front is ignored', `\r\n${get('/json')}`, ok),
  taken(ENDS, 'so is one between two requests', `${get('/json')}\r\n${get('/json')}`, ok, [200, 200]),
  taken(
    ENDS,
    'so are several, after a body that ends with CR',
    `${post('Content-Length: 2\r\n', 'a\r')}\r\n\r\n${get('/json')}`,
    ok,
    [200, 200],
  ),
  taken(ENDS, 'so is one after chunks', `${chunks('1\r\n\r\r\n0\r\n\r\n')}\r\n${get('/json')}`, ok, [200, 200]),
  taken(ENDS, 'a request after an empty last field', `${get('/json', 'A: \r\n')}${get('/json')}`, ok, [200, 200]),
  closed(ENDS, 'a bare CR at the start', `\r${get('/json')}`),
  closed(ENDS, 'a bare CR before an empty line', `\r\r\n${get('/json')}`),
  closed(ENDS, 'a bare CR after an empty line', `\r\n\r${get('/json')}`),
  closed(ENDS, 'a bare CR between two requests', `${get('/json')}\r${get('/json')}`, [200, 400]),
  closed(ENDS, 'a bare CR after an empty last field', `${get('/json', 'A:\r\n')}\r${get('/json')}`, [200, 400]),
  closed(ENDS, 'a bare CR after a body', `${post('Content-Length: 1\r\n', 'a')}\r${get('/json')}`, [200, 400]),
  closed(ENDS, 'a bare CR after chunks', `${chunks('1\r\na\r\n0\r\n\r\n')}\r${get('/json')}`, [200, 400]),
  closed(ENDS, 'lines that end with LF', 'GET /json HTTP/1.1\nHost: x\n\n'),
  closed(ENDS, 'a request line that ends with LF', 'GET /json HTTP/1.1\nHost: x\r\n\r\n'),
  closed(ENDS, 'a field that ends with LF', 'GET /json HTTP/1.1\r\nHost: x\n\r\n'),
  closed(ENDS, 'an empty line of LF', 'GET /json HTTP/1.1\r\nHost: x\r\n\n'),
  closed(ENDS, 'a request line that ends with CR', 'GET /json HTTP/1.1\rHost: x\r\n\r\n'),
  closed(ENDS, 'two CR before LF', 'GET /json HTTP/1.1\r\r\nHost: x\r\n\r\n'),
  closed(ENDS, 'white space before the first field', 'GET /json HTTP/1.1\r\n Host: x\r\n\r\n'),
];
